import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NodeShell } from './nodeShell/nodeShell.ts'

/** An etcd that listens on a node only, made reachable here until it is closed. */
export interface NodeEtcd {
  endpoint: string
  caFile: string
  certFile: string
  keyFile: string
  close(): Promise<void>
}

/** kubeadm's etcd listens here on every control-plane node, with the certificate pair made for health checks. */
const ETCD_PORT = 2379
const PKI = '/etc/kubernetes/pki/etcd'

/**
 * Reaches a kubeadm node's etcd through SSH: a tunnel to its loopback address, and the node's own health-check certificate,
 * which is kept in a private folder until this is closed.
 * @throws Error that says which file could not be read
 */
export async function nodeEtcd(shell: NodeShell, { signal }: { signal: AbortSignal }): Promise<NodeEtcd> {
  const read = async (name: string): Promise<string> => {
    const { exitCode, stdout, stderr } = await shell.run(`cat ${PKI}/${name}`, { signal })
    if (exitCode !== 0 || !stdout.includes('-----BEGIN'))
      throw new Error(`${PKI}/${name} cannot be read on the node: ${stderr.trim() || `exit code ${String(exitCode)}`}`)
    return stdout
  }
  const texts = { ca: await read('ca.crt'), cert: await read('healthcheck-client.crt'), key: await read('healthcheck-client.key') }
  const folder = await mkdtemp(join(tmpdir(), 'drydock-etcd-'))
  const file = async (name: string, text: string): Promise<string> => {
    const path = join(folder, name)
    await writeFile(path, text, { mode: 0o600 })
    return path
  }
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    shell.forward(ETCD_PORT).then(
      (channel) => {
        channel.on('error', () => socket.destroy())
        channel.on('close', () => socket.destroy())
        socket.on('close', () => channel.destroy())
        socket.pipe(channel).pipe(socket)
      },
      () => socket.destroy(),
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    endpoint: `https://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    caFile: await file('ca.crt', texts.ca),
    certFile: await file('client.crt', texts.cert),
    keyFile: await file('client.key', texts.key),
    close: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
