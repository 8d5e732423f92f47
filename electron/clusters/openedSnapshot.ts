import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import { ContextTransport } from './contextTransport.ts'
import { EmbeddedCluster, type ClusterCommand } from './embeddedCluster.ts'
import { parseKubeconfig } from './kubeconfig.ts'

export interface OpenedOptions {
  /** Where the control plane's files are while it runs. */
  directory: string
  command: ClusterCommand
  clock: Clock
  logger: Logger
  /** As it was then. @default the last one */
  revision?: number | undefined
}

/**
 * Opens a snapshot in a control plane of its own, read-only, while `use` reads it through the Kubernetes API. Nothing of it is left.
 * @throws Error with what its process said when it did not start; whatever `use` throws; the signal's reason
 */
export async function withOpened<T>(path: string, options: OpenedOptions, signal: AbortSignal, use: (transport: Transport) => Promise<T>): Promise<T> {
  const { directory, command, clock, logger, revision } = options
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const folder = await mkdtemp(join(directory, 'opened-'))
  const cluster = new EmbeddedCluster({
    dataDir: join(folder, 'cluster'),
    command,
    args: ['--from-snapshot', path, '--read-only', ...(revision === undefined ? [] : ['--revision', String(revision)])],
    logger: logger.with({ instance: 'opened' }),
  })
  const stop = (): void => {
    void cluster.stop()
  }
  signal.addEventListener('abort', stop, { once: true })
  try {
    signal.throwIfAborted()
    const { kubeconfigPath } = await cluster.start()
    const [context] = parseKubeconfig(readFileSync(kubeconfigPath, 'utf8'), kubeconfigPath)
    if (context === undefined) throw new Error('the control plane that opened it has no kubeconfig')
    const transport = new ContextTransport(context, clock)
    try {
      return await use(transport)
    } finally {
      transport.close()
    }
  } finally {
    signal.removeEventListener('abort', stop)
    await cluster.stop()
    await rm(folder, { recursive: true, force: true })
  }
}
