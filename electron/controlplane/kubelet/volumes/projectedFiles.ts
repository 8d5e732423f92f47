import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { CONFIG_MAPS, SECRETS, type ApiClient } from '../apiClient.ts'
import { fieldText, resourceText, type PodFacts } from '../downwardApi.ts'
import type { DownwardFile, KeyToPath, Projection, Volume } from '../types.ts'
import type { ProjectedFile } from './atomicWriter.ts'

/** Why a volume cannot be set up yet, in the kubelet's words. */
export class VolumeFault extends Error {
  override readonly name = 'VolumeFault'
}

export interface ProjectionSources {
  api: ApiClient
  facts(): PodFacts
  /** A token of the pod's service account; kept until it is to be renewed. */
  token(audience: string, expirationSeconds: number, signal: AbortSignal): Promise<string>
}

const DEFAULT_MODE = 0o644
const DEFAULT_TOKEN_SECONDS = 3600

/** The files of a volume that shows objects of the API; null for volumes of other kinds. @throws VolumeFault */
export async function projectedFiles(volume: Volume, sources: ProjectionSources, signal: AbortSignal): Promise<ProjectedFile[] | null> {
  const mode = (volume.configMap ?? volume.secret ?? volume.downwardAPI ?? volume.projected)?.defaultMode ?? DEFAULT_MODE
  if (volume.configMap !== undefined) return filesOf({ configMap: volume.configMap }, mode, sources, signal)
  if (volume.secret !== undefined) {
    const { secretName, ...rest } = volume.secret
    return filesOf({ secret: { ...rest, ...(secretName === undefined ? {} : { name: secretName }) } }, mode, sources, signal)
  }
  if (volume.downwardAPI !== undefined) return filesOf({ downwardAPI: volume.downwardAPI }, mode, sources, signal)
  if (volume.projected === undefined) return null
  const lists = await Promise.all((volume.projected.sources ?? []).map((source) => filesOf(source, mode, sources, signal)))
  // Later sources win where two have the same path.
  return [...new Map(lists.flat().map((file) => [file.path, file])).values()]
}

async function filesOf(projection: Projection, mode: number, sources: ProjectionSources, signal: AbortSignal): Promise<ProjectedFile[]> {
  const { configMap, secret, downwardAPI, serviceAccountToken } = projection
  if (configMap !== undefined) {
    const object = await find('configmap', configMap, sources, signal)
    const data = object === null ? {} : { ...textsOf(object['data']), ...bytesOf(object['binaryData']) }
    return chosen(data, configMap, mode, 'config')
  }
  if (secret !== undefined) {
    const object = await find('secret', secret, sources, signal)
    return chosen(object === null ? {} : bytesOf(object['data']), secret, mode, 'secret')
  }
  if (downwardAPI !== undefined) return (downwardAPI.items ?? []).map((item) => downwardFile(item, mode, sources.facts()))
  if (serviceAccountToken !== undefined) {
    const { audience = '', expirationSeconds = DEFAULT_TOKEN_SECONDS, path } = serviceAccountToken
    return [{ path, content: Buffer.from(await sources.token(audience, expirationSeconds, signal)), mode }]
  }
  return []
}

async function find(
  kind: 'configmap' | 'secret',
  { name = '', optional = false }: { name?: string; optional?: boolean },
  { api, facts }: ProjectionSources,
  signal: AbortSignal,
): Promise<KubeObject | null> {
  const { namespace = 'default' } = facts().pod.metadata
  try {
    return await api.get({ gvr: kind === 'configmap' ? CONFIG_MAPS : SECRETS, namespace, name }, signal)
  } catch (error) {
    if (!isNotFound(error)) throw error
    if (optional) return null
    throw new VolumeFault(`${kind} ${JSON.stringify(name)} not found`)
  }
}

function textsOf(map: unknown): Record<string, Uint8Array> {
  return Object.fromEntries(Object.entries((map ?? {}) as Record<string, string>).map(([key, text]) => [key, Buffer.from(text)]))
}

function bytesOf(map: unknown): Record<string, Uint8Array> {
  return Object.fromEntries(Object.entries((map ?? {}) as Record<string, string>).map(([key, text]) => [key, Buffer.from(text, 'base64')]))
}

function chosen(
  data: Record<string, Uint8Array>,
  { items = [], optional = false }: { items?: KeyToPath[]; optional?: boolean },
  mode: number,
  kind: 'config' | 'secret',
): ProjectedFile[] {
  if (items.length === 0) return Object.entries(data).map(([path, content]) => ({ path, content, mode }))
  return items.flatMap((item) => {
    const content = data[item.key]
    if (content !== undefined) return [{ path: item.path, content, mode: item.mode ?? mode }]
    if (optional) return []
    throw new VolumeFault(`references non-existent ${kind} key: ${item.key}`)
  })
}

function downwardFile({ path, mode: own, fieldRef, resourceFieldRef }: DownwardFile, mode: number, facts: PodFacts): ProjectedFile {
  const text = fieldRef !== undefined ? fieldText(fieldRef.fieldPath, facts) : resourceFieldRef !== undefined ? resourceText(resourceFieldRef, null, facts) : ''
  return { path, content: Buffer.from(text), mode: own ?? mode }
}
