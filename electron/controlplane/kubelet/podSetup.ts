import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '#shared/base/clock.ts'
import type { ApiClient } from './apiClient.ts'
import type { ContainerConfig } from './containerConfig.ts'
import type { PodFacts } from './downwardApi.ts'
import { ReferenceFault } from './downwardApi.ts'
import { ConfigFault, containerEnvironment, type ServiceFacts } from './environment.ts'
import { expand } from './expansion.ts'
import { hostsFile, resolvFile } from './podIdentity.ts'
import type { Mount } from './shell/fileTree.ts'
import type { Container } from './types.ts'
import { MountFault, PodVolumes } from './volumes/podVolumes.ts'

export interface PodSetupOptions {
  api: ApiClient
  clock: Clock
  facts(): PodFacts
  /** Those of all namespaces. */
  services(signal: AbortSignal): Promise<readonly ServiceFacts[]>
  /** The pod's directory below `/var/lib/kubelet/pods`, on this machine. */
  podDir: string
  /** The node's `/` on this machine. */
  nodeRoot: string
}

const HOSTS = '/etc/hosts'
const RESOLV = '/etc/resolv.conf'
const TERMINATION_LOG = '/dev/termination-log'

/** What a pod's containers are given from outside: volumes, variables, the files of the pod's network. */
export class PodSetup {
  readonly volumes: PodVolumes
  readonly #options: PodSetupOptions

  constructor(options: PodSetupOptions) {
    this.#options = options
    this.volumes = new PodVolumes(options)
  }

  /** Resolves everything a container refers to. @throws ConfigFault */
  async configure(container: Container, signal: AbortSignal): Promise<{ config: ContainerConfig; skipped: string[] }> {
    const { api, facts } = this.#options
    try {
      const services = await this.#options.services(signal)
      const { env, skipped } = await containerEnvironment(container, { api, facts: facts(), services }, signal)
      const filled = (text: string): string => expand(text, (name) => env.get(name))
      const mounts = (container.volumeMounts ?? []).map((mount) => this.volumes.mount(mount, this.#subPath(mount, env)))
      const { securityContext: ofPod = {} } = facts().pod.spec
      const own = container.securityContext ?? {}
      const config = {
        env,
        command: (container.command ?? []).map(filled),
        args: (container.args ?? []).map(filled),
        mounts: [...mounts, ...this.#ownMounts(container, mounts)],
        readOnlyRoot: own.readOnlyRootFilesystem === true,
        user: {
          uid: own.runAsUser ?? ofPod.runAsUser ?? 0,
          gid: own.runAsGroup ?? ofPod.runAsGroup ?? 0,
          privileged: own.privileged === true,
          mayEscalate: own.allowPrivilegeEscalation !== false,
          groups: [...(ofPod.fsGroup === undefined ? [] : [ofPod.fsGroup]), ...(ofPod.supplementalGroups ?? [])],
        },
      }
      return { config, skipped }
    } catch (error) {
      if (error instanceof MountFault || error instanceof ReferenceFault) throw new ConfigFault(error.message)
      throw error
    }
  }

  /** Where a container's process may leave a message when it ends, on this machine. */
  terminationLog({ name, terminationMessagePath }: Container): { path: string; host: string } {
    return { path: terminationMessagePath ?? TERMINATION_LOG, host: join(this.#options.podDir, 'containers', name, 'termination-log') }
  }

  #subPath({ subPath = '', subPathExpr = '' }: { subPath?: string; subPathExpr?: string }, env: ReadonlyMap<string, string>): string {
    if (subPathExpr === '') return subPath
    const missing: string[] = []
    const path = expand(subPathExpr, (name) => {
      const value = env.get(name)
      if (value === undefined) missing.push(name)
      return value
    })
    if (missing.length > 0) throw new MountFault(`failed to expand subPath for volumeMount: missing value for ${JSON.stringify(missing[0])}`)
    return path
  }

  /** The files the kubelet and the runtime lay into every container, unless a volume is there. */
  #ownMounts(container: Container, mounts: readonly Mount[]): Mount[] {
    const { podDir, nodeRoot } = this.#options
    const { pod, podIP, nodeName } = this.#options.facts()
    const ofNode = (path: string): string => (existsSync(join(nodeRoot, path)) ? readFileSync(join(nodeRoot, path), 'utf8') : '')
    mkdirSync(join(podDir, 'containers', container.name), { recursive: true })
    const files = [
      { path: HOSTS, host: join(podDir, 'etc-hosts'), text: () => hostsFile(pod, { podIP, node: nodeName, nodeHosts: ofNode(HOSTS) }) },
      { path: RESOLV, host: join(podDir, 'resolv.conf'), text: () => resolvFile(pod, ofNode(RESOLV)) },
      { ...this.terminationLog(container), text: () => '' },
    ]
    return files.flatMap(({ path, host, text }) => {
      if (mounts.some((mount) => mount.path === path)) return []
      // A restarted container finds the pod's hosts file as it was left, but no message of the run before.
      if (path !== HOSTS || !existsSync(host)) writeFileSync(host, text())
      return [{ path, host, readOnly: false, fsType: 'ext4' }]
    })
  }
}
