import { groupVersion, resourcePath, type GroupVersionResource, type KubeList, type KubeObject } from '#shared/kubernetes/object.ts'
import { StatusError } from '#shared/kubernetes/status.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import { requestJson } from '#electron/client/apiRequest.ts'

/** A resource a server lists, as its discovery says. */
export interface ListedResource extends GroupVersionResource {
  kind: string
  namespaced: boolean
}

interface ApiResourceList {
  resources: { name: string; kind: string; namespaced: boolean; verbs: string[] }[]
}

const PAGE = 500
/** Answers that are made up on the spot and stored nowhere. */
const NOT_STORED = new Set(['componentstatuses'])
const NOT_STORED_GROUPS = new Set(['metrics.k8s.io', 'custom.metrics.k8s.io', 'external.metrics.k8s.io'])

/** Every resource with `get` and `list`, each in its group's preferred version. Groups whose server does not answer are left out and named. */
export async function listedResources(
  transport: Transport,
  signal: AbortSignal,
): Promise<{ resources: ListedResource[]; failed: { resource: string; why: string }[] }> {
  const json = <T>(path: string): Promise<T> => requestJson<T>(transport, { method: 'GET', path, headers: { accept: 'application/json' }, signal })
  const { groups } = await json<{ groups: { name: string; versions: { version: string }[]; preferredVersion: { version: string } }[] }>('/apis')
  const resources: ListedResource[] = []
  const failed: { resource: string; why: string }[] = []
  const seen = new Set<string>()
  const add = async (group: string, version: string): Promise<void> => {
    const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
    try {
      const list = await json<ApiResourceList>(path)
      for (const { name, kind, namespaced, verbs } of list.resources) {
        if (name.includes('/') || !verbs.includes('list') || !verbs.includes('get') || NOT_STORED.has(name) || seen.has(`${group}/${name}`)) continue
        // Events are served by two groups; they are the same objects.
        if (group === 'events.k8s.io') continue
        seen.add(`${group}/${name}`)
        resources.push({ group, version, resource: name, kind, namespaced })
      }
    } catch (error) {
      signal.throwIfAborted()
      failed.push({ resource: groupVersion({ group, version }), why: error instanceof Error ? error.message : String(error) })
    }
  }
  await add('', 'v1')
  for (const { name, versions, preferredVersion } of groups) {
    if (NOT_STORED_GROUPS.has(name)) continue
    await add(name, preferredVersion.version)
    // A group may serve some kinds in an older version only.
    for (const { version } of versions) if (version !== preferredVersion.version) await add(name, version)
  }
  return { resources, failed }
}

/** All objects of a resource, page by page, each with its apiVersion and kind. @throws StatusError */
export async function* objectsOf(
  transport: Transport,
  resource: ListedResource,
  { namespace, signal }: { namespace?: string | undefined; signal: AbortSignal },
): AsyncGenerator<KubeObject> {
  const path = resourcePath(resource, { namespace: resource.namespaced ? namespace : undefined })
  const typed = { apiVersion: groupVersion(resource), kind: resource.kind }
  let token = ''
  do {
    const query = `limit=${String(PAGE)}${token === '' ? '' : `&continue=${encodeURIComponent(token)}`}`
    const list = await requestJson<KubeList>(transport, { method: 'GET', path: `${path}?${query}`, headers: { accept: 'application/json' }, signal })
    for (const item of list.items) yield { ...typed, ...item }
    token = list.metadata.continue ?? ''
  } while (token !== '')
}

/** An object, or null where it is not there. */
export async function objectOrNull(
  transport: Transport,
  gvr: GroupVersionResource,
  { namespace, name, signal }: { namespace: string; name: string; signal: AbortSignal },
): Promise<KubeObject | null> {
  try {
    return await requestJson(transport, { method: 'GET', path: resourcePath(gvr, { namespace, name }), headers: { accept: 'application/json' }, signal })
  } catch (error) {
    if (error instanceof StatusError && error.code === 404) return null
    throw error
  }
}
