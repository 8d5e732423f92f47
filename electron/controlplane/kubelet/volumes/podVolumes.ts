import { chmodSync, existsSync, mkdirSync, realpathSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, posix, sep } from 'node:path'
import type { Clock } from '#shared/base/clock.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, SERVICE_ACCOUNTS, type ApiClient } from '../apiClient.ts'
import type { PodFacts } from '../downwardApi.ts'
import type { Mount } from '../shell/fileTree.ts'
import type { Volume, VolumeMount } from '../types.ts'
import { writeAtomically } from './atomicWriter.ts'
import { projectedFiles, VolumeFault } from './projectedFiles.ts'

export interface PodVolumesOptions {
  api: ApiClient
  clock: Clock
  facts(): PodFacts
  /** The pod's directory below `/var/lib/kubelet/pods`, on this machine. */
  podDir: string
  /** The node's `/` on this machine. */
  nodeRoot: string
}

/** A mount that cannot be made; the message is the kubelet's. */
export class MountFault extends Error {
  override readonly name = 'MountFault'
}

/** A token is renewed when this part of its life is over. */
const TOKEN_RENEWAL = 0.8

/** The volumes of one pod as directories of this machine. */
export class PodVolumes {
  readonly #options: PodVolumesOptions
  /** Where each volume is, by name. */
  readonly #places = new Map<string, { host: string; fsType: string; readOnly: boolean }>()
  readonly #tokens = new Map<string, { token: string; renewAtMs: number }>()

  constructor(options: PodVolumesOptions) {
    this.#options = options
  }

  /** Makes or renews every volume. @throws VolumeFault for the first that cannot be */
  async setUp(signal: AbortSignal): Promise<void> {
    for (const volume of this.#options.facts().pod.spec.volumes ?? []) {
      try {
        await this.#setUp(volume, signal)
      } catch (error) {
        if (!(error instanceof VolumeFault)) throw error
        throw new VolumeFault(`MountVolume.SetUp failed for volume ${JSON.stringify(volume.name)} : ${error.message}`)
      }
    }
  }

  /** Whether what a volume shows may change while the pod runs. */
  get changes(): boolean {
    return (this.#options.facts().pod.spec.volumes ?? []).some(
      ({ configMap, secret, downwardAPI, projected }) => (configMap ?? secret ?? downwardAPI ?? projected) !== undefined,
    )
  }

  /** What a container sees at a place of its file tree. @param subPath expanded already @throws MountFault */
  mount({ name, mountPath, readOnly = false }: VolumeMount, subPath: string): Mount {
    const place = this.#places.get(name)
    if (place === undefined) throw new MountFault(`volume ${JSON.stringify(name)} is not set up`)
    const path = posix.normalize(posix.join('/', mountPath)).replace(/(.)\/$/, '$1')
    const mount = { path, readOnly: readOnly || place.readOnly, fsType: place.fsType }
    if (subPath === '') return { ...mount, host: place.host }
    if (posix.isAbsolute(subPath)) throw new MountFault(`error SubPath ${JSON.stringify(subPath)} must not be an absolute path`)
    if (subPath.split('/').includes('..')) throw new MountFault(`unable to provision SubPath ${JSON.stringify(subPath)}: must not contain '..'`)
    const wanted = join(place.host, ...subPath.split('/'))
    if (!existsSync(wanted)) {
      mkdirSync(wanted, { recursive: true })
      // Any container's user may write there, as in the volume itself.
      chmodSync(wanted, statSync(place.host).mode & 0o7777)
    }
    // What the path leads to now stays mounted, also when the volume's files are replaced.
    const real = realpathSync(wanted)
    if (real !== realpathSync(place.host) && !real.startsWith(realpathSync(place.host) + sep))
      throw new MountFault(`failed to prepare subPath for volumeMount ${JSON.stringify(name)} of container`)
    return { ...mount, host: real }
  }

  async #setUp(volume: Volume, signal: AbortSignal): Promise<void> {
    const { api, facts } = this.#options
    const token = (audience: string, seconds: number): Promise<string> => this.#token(audience, seconds, signal)
    const files = await projectedFiles(volume, { api, facts, token }, signal)
    const groupWritten = facts().pod.spec.securityContext?.fsGroup !== undefined
    if (files !== null) {
      const kind =
        volume.configMap !== undefined ? 'configmap' : volume.secret !== undefined ? 'secret' : volume.projected !== undefined ? 'projected' : 'downward-api'
      const host = this.#directory(kind, volume.name)
      // The files belong to the pod's group, which may read them.
      writeAtomically(host, groupWritten ? files.map((file) => ({ ...file, mode: file.mode | 0o440 })) : files)
      this.#places.set(volume.name, { host, fsType: kind === 'configmap' ? 'ext4' : 'tmpfs', readOnly: true })
      return
    }
    if (this.#places.has(volume.name)) return
    this.#places.set(volume.name, await this.#place(volume, signal))
  }

  async #place(volume: Volume, signal: AbortSignal): Promise<{ host: string; fsType: string; readOnly: boolean }> {
    const { emptyDir, hostPath, persistentVolumeClaim } = volume
    if (hostPath !== undefined) return { host: this.#hostPath(hostPath), fsType: 'ext4', readOnly: false }
    if (persistentVolumeClaim !== undefined) {
      const host = await this.#claimed(persistentVolumeClaim.claimName, signal)
      return { host, fsType: 'ext4', readOnly: persistentVolumeClaim.readOnly === true }
    }
    // Volumes of other kinds (iSCSI, NFS, …) are as empty directories: there is nothing here that could serve them.
    const kind = emptyDir !== undefined ? 'empty-dir' : (Object.keys(volume).find((key) => key !== 'name') ?? 'empty-dir')
    const host = this.#directory(kind, volume.name)
    if (!existsSync(host)) mkdirSync(host, { recursive: true })
    chmodSync(host, 0o777)
    return { host, fsType: emptyDir?.medium === 'Memory' ? 'tmpfs' : 'ext4', readOnly: false }
  }

  #directory(kind: string, name: string): string {
    return join(this.#options.podDir, 'volumes', `kubernetes.io~${kind}`, name)
  }

  #hostPath({ path, type = '' }: { path: string; type?: string }): string {
    const host = join(this.#options.nodeRoot, posix.normalize(posix.join('/', path)))
    const there = existsSync(host)
    const isDirectory = there && statSync(host).isDirectory()
    if (type === 'Directory' && !isDirectory) throw new VolumeFault(`hostPath type check failed: ${path} is not a directory`)
    if (type === 'File' && (!there || isDirectory)) throw new VolumeFault(`hostPath type check failed: ${path} is not a file`)
    if (type === 'FileOrCreate' && !there) {
      mkdirSync(dirname(host), { recursive: true })
      writeFileSync(host, '')
    } else if (!there) mkdirSync(host, { recursive: true })
    return host
  }

  /** The directory of the volume a claim is bound to. */
  async #claimed(claimName: string, signal: AbortSignal): Promise<string> {
    const { api, facts, nodeRoot } = this.#options
    const { namespace = 'default' } = facts().pod.metadata
    const claim = await found(`persistentvolumeclaim ${JSON.stringify(claimName)} not found`, () =>
      api.get({ gvr: PERSISTENT_VOLUME_CLAIMS, namespace, name: claimName }, signal),
    )
    const name = (claim['spec'] as { volumeName?: string } | undefined)?.volumeName ?? ''
    if (name === '') throw new VolumeFault(`PVC ${namespace}/${claimName} has non-bound phase or empty pvc.Spec.VolumeName`)
    const volume = await found(`persistentvolume ${JSON.stringify(name)} not found`, () => api.get({ gvr: PERSISTENT_VOLUMES, name }, signal))
    const { hostPath, local } = (volume['spec'] ?? {}) as { hostPath?: { path: string; type?: string }; local?: { path: string } }
    if (hostPath !== undefined) return this.#hostPath(hostPath)
    if (local !== undefined) return this.#hostPath({ path: local.path })
    const host = join(nodeRoot, 'var/lib/kubelet/plugins/simulated', name)
    mkdirSync(host, { recursive: true })
    chmodSync(host, 0o777)
    return host
  }

  async #token(audience: string, expirationSeconds: number, signal: AbortSignal): Promise<string> {
    const { api, clock, facts } = this.#options
    const key = `${audience}/${String(expirationSeconds)}`
    const kept = this.#tokens.get(key)
    if (kept !== undefined && kept.renewAtMs > clock.now()) return kept.token
    const { metadata, spec } = facts().pod
    const { namespace = 'default', name = '', uid = '' } = metadata
    const account = spec.serviceAccountName ?? 'default'
    const request = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { audiences: audience === '' ? [] : [audience], expirationSeconds, boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid } },
    }
    const answer = await found(`serviceaccounts ${JSON.stringify(account)} not found`, () =>
      api.create({ gvr: SERVICE_ACCOUNTS, namespace, name: account, subresource: 'token' }, request, signal),
    )
    const token = (answer['status'] as { token?: string } | undefined)?.token ?? ''
    this.#tokens.set(key, { token, renewAtMs: clock.now() + expirationSeconds * 1000 * TOKEN_RENEWAL })
    return token
  }
}

async function found(message: string, get: () => Promise<KubeObject>): Promise<KubeObject> {
  try {
    return await get()
  } catch (error) {
    if (!isNotFound(error)) throw error
    throw new VolumeFault(message)
  }
}
