import { parseAllDocuments, stringify } from 'yaml'
import type { Clock } from '#shared/base/clock.ts'
import type { RequestHandlers, SubscriptionHandlers } from '#shared/contract/contract.ts'
import type { AppliedDocument } from '#shared/contract/objects.ts'
import { isObject } from '#shared/kubernetes/json.ts'
import { parseGroupVersion, resourcePath, type GroupVersionResource, type KubeObject } from '#shared/kubernetes/object.ts'
import { failure, isNotFound, StatusError } from '#shared/kubernetes/status.ts'
import { lines, openStream } from '../client/apiRequest.ts'
import { NODES, PODS } from '../client/resources.ts'
import { RestClient } from '../client/restClient.ts'
import type { ClusterRegistry } from '../clusters/clusterRegistry.ts'

const LOG_BATCH_MS = 100

/** As kubectl prints it: managedFields left out. */
export function objectYaml(object: KubeObject): string {
  const { managedFields: _, ...metadata } = object.metadata
  return stringify({ apiVersion: object.apiVersion, kind: object.kind, ...object, metadata }, { lineWidth: 0 })
}

/** The contract's namespaces `objects`, `nodes` and `pods`. */
export function objectHandlers(
  registry: ClusterRegistry,
  clock: Clock,
): {
  requests: Pick<
    RequestHandlers,
    'objects.get' | 'objects.yaml' | 'objects.list' | 'objects.delete' | 'objects.patch' | 'objects.apply' | 'nodes.cordon' | 'pods.evict'
  >
  subscriptions: Pick<SubscriptionHandlers, 'objects.watch' | 'pods.logs'>
} {
  const client = (clusterId: string): RestClient => new RestClient(registry.session(clusterId).transport)
  const writable = (clusterId: string): RestClient => {
    registry.requireWritable(clusterId)
    return client(clusterId)
  }
  return {
    requests: {
      'objects.get': ({ clusterId, gvr, namespace, name }, { signal }) => client(clusterId).get(gvr, { namespace, name }, signal),
      'objects.yaml': async ({ clusterId, gvr, namespace, name }, { signal }) => ({
        text: objectYaml(await client(clusterId).get(gvr, { namespace, name }, signal)),
      }),
      'objects.list': async ({ clusterId, gvr, namespace, labelSelector, fieldSelector }, { signal }) => {
        const list = await client(clusterId).list(gvr, { namespace, labelSelector, fieldSelector }, signal)
        return list.items.map((item) => ({ apiVersion: list.apiVersion, kind: list.kind.replace(/List$/, ''), ...item }))
      },
      'objects.delete': async ({ clusterId, gvr, namespace, name, gracePeriodSeconds, propagationPolicy }, { signal }) => {
        await writable(clusterId).delete(gvr, { namespace, name }, { gracePeriodSeconds, propagationPolicy }, signal)
        return null
      },
      'objects.patch': ({ clusterId, gvr, namespace, name, patchType, patch, subresource }, { signal }) =>
        writable(clusterId).patch(gvr, { namespace, name, subresource }, patch, { type: patchType, fieldManager: 'drydock' }, signal),
      'objects.apply': (input, { signal }) =>
        applyYaml(input.dryRun ? client(input.clusterId) : writable(input.clusterId), registry.session(input.clusterId).transport, input, signal),
      'nodes.cordon': async ({ clusterId, name, unschedulable }, { signal }) => {
        await writable(clusterId).patch(
          NODES,
          { name },
          { spec: { unschedulable: unschedulable ? true : null } },
          { type: 'merge', fieldManager: 'drydock' },
          signal,
        )
        return null
      },
      'pods.evict': async ({ clusterId, namespace, name }, { signal }) => {
        await evict(writable(clusterId), { namespace, name }, signal)
        return null
      },
    },
    subscriptions: {
      'objects.watch': (input, { signal }) => watchObject(client(input.clusterId), input, signal),
      'pods.logs': async function* ({ clusterId, namespace, name, ...options }, { signal }) {
        const query = new URLSearchParams()
        for (const [key, value] of Object.entries(options)) if (value !== undefined && value !== '') query.set(key, String(value))
        const path = `${resourcePath(PODS, { namespace, name, subresource: 'log' })}?${query.toString()}`
        const body = await openStream(registry.session(clusterId).transport, { method: 'GET', path, headers: { accept: '*/*' }, signal })
        yield* batched(lines(body), clock, signal)
      },
    },
  }
}

/** Lines in batches of what came within a moment. */
async function* batched(source: AsyncIterable<string>, clock: Clock, signal: AbortSignal): AsyncGenerator<{ lines: string[]; end: boolean }> {
  let waiting: string[] = []
  let ended = false
  let failed: Error | null = null
  let wake: () => void = () => undefined
  const reading = (async () => {
    try {
      for await (const line of source) {
        waiting.push(line)
        wake()
      }
    } catch (error) {
      if (!signal.aborted) failed = error instanceof Error ? error : new Error(String(error))
    }
    ended = true
    wake()
  })()
  while (!signal.aborted) {
    if (waiting.length > 0) {
      const batch = waiting
      waiting = []
      yield { lines: batch, end: false }
      if (!ended) await clock.sleep(LOG_BATCH_MS, { signal }).catch(() => undefined)
    } else if (ended) break
    else
      await new Promise<void>((resolve) => {
        wake = resolve
      })
  }
  await reading
  if (failed !== null) throw failed
  if (!signal.aborted) yield { lines: [], end: true }
}

async function* watchObject(
  client: RestClient,
  { gvr, namespace, name }: { gvr: GroupVersionResource; namespace?: string | undefined; name: string },
  signal: AbortSignal,
): AsyncGenerator<KubeObject | null> {
  const fieldSelector = `metadata.name=${name}`
  while (!signal.aborted) {
    const list = await client.list(gvr, { namespace, fieldSelector }, signal)
    const [item] = list.items
    if (item === undefined) {
      yield null
      return
    }
    yield { apiVersion: list.apiVersion, kind: list.kind.replace(/List$/, ''), ...item }
    try {
      for await (const { type, object } of client.watch(gvr, { namespace, fieldSelector, resourceVersion: list.metadata.resourceVersion ?? '' }, signal)) {
        if (type === 'DELETED') {
          yield null
          return
        }
        if (type !== 'BOOKMARK') yield object
      }
    } catch (error) {
      signal.throwIfAborted()
      // Its watch was too old: the object is read again.
      if (!(error instanceof StatusError) || error.code !== 410) throw error
    }
  }
}

async function evict(client: RestClient, { namespace, name }: { namespace: string; name: string }, signal: AbortSignal): Promise<void> {
  await client.create(PODS, { namespace, name, subresource: 'eviction' }, { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } }, signal)
}

interface ApplyInput {
  yaml: string
  dryRun: boolean
  force: boolean
  namespace?: string | undefined
}

async function applyYaml(
  client: RestClient,
  transport: ConstructorParameters<typeof RestClient>[0],
  { yaml, dryRun, force, namespace }: ApplyInput,
  signal: AbortSignal,
): Promise<AppliedDocument[]> {
  const documents = parseAllDocuments(yaml, { maxAliasCount: 100 } as never)
  const results: AppliedDocument[] = []
  for (const document of Array.isArray(documents) ? documents : []) {
    const problem = document.errors[0]
    if (problem !== undefined) throw new StatusError(failure(400, 'BadRequest', `the YAML cannot be read: ${problem.message}`))
    const value: unknown = document.toJS({ maxAliasCount: 100 })
    if (value === null || value === undefined) continue
    const items = isObject(value) && value['kind'] === 'List' && Array.isArray(value['items']) ? (value['items'] as unknown[]) : [value]
    for (const item of items) results.push(await applyOne(client, transport, item, { dryRun, force, namespace }, signal))
  }
  if (results.length === 0) throw new StatusError(failure(400, 'BadRequest', 'there is no object in the text'))
  return results
}

async function applyOne(
  client: RestClient,
  transport: ConstructorParameters<typeof RestClient>[0],
  item: unknown,
  options: Omit<ApplyInput, 'yaml'>,
  signal: AbortSignal,
): Promise<AppliedDocument> {
  const object = isObject(item) ? (item as KubeObject) : ({ metadata: {} } as KubeObject)
  const name = isObject(object.metadata) ? String(object.metadata.name ?? '') : ''
  const title = `${String(object.kind ?? 'object without kind')}/${name}`
  const failed = (message: string): AppliedDocument => ({ title, outcome: 'failed', message, before: '', after: '' })
  if (typeof object.kind !== 'string' || typeof object.apiVersion !== 'string' || name === '') return failed('apiVersion, kind and metadata.name are needed')
  try {
    const resource = await findResource(client, object.apiVersion, object.kind, signal)
    if (resource === null) return failed(`this cluster has no kind ${object.kind} in ${object.apiVersion}`)
    const place = resource.namespaced ? (object.metadata.namespace ?? options.namespace ?? 'default') : undefined
    const target = { namespace: place, name }
    const before = await client.get(resource.gvr, target, signal).catch((error: unknown) => {
      if (isNotFound(error)) return null
      throw error
    })
    const query = new URLSearchParams({
      fieldManager: 'drydock',
      force: String(options.force),
      fieldValidation: 'Strict',
      ...(options.dryRun ? { dryRun: 'All' } : {}),
    })
    const response = await transport.request({
      method: 'PATCH',
      path: `${resourcePath(resource.gvr, target)}?${query.toString()}`,
      headers: { accept: 'application/json', 'content-type': 'application/apply-patch+yaml' },
      body: JSON.stringify(object),
      signal,
    })
    const answer: unknown = JSON.parse(new TextDecoder().decode(response.body))
    if (response.status >= 400) return failed((answer as { message?: string }).message ?? `HTTP ${String(response.status)}`)
    const [left, right] = [before === null ? '' : comparable(before), comparable(answer as KubeObject)]
    return {
      title,
      outcome: before === null ? 'created' : left === right ? 'unchanged' : 'configured',
      message: options.dryRun ? 'dry run on the server' : '',
      before: left,
      after: right,
    }
  } catch (error) {
    signal.throwIfAborted()
    return failed(error instanceof Error ? error.message : String(error))
  }
}

/** What a diff is about: without the fields every write changes. */
function comparable(object: KubeObject): string {
  const { resourceVersion: _, generation: __, managedFields: ___, creationTimestamp: ____, uid: _____, ...metadata } = object.metadata
  return stringify({ ...object, metadata }, { lineWidth: 0, sortMapEntries: true })
}

async function findResource(
  client: RestClient,
  apiVersion: string,
  kind: string,
  signal: AbortSignal,
): Promise<{ gvr: GroupVersionResource; namespaced: boolean } | null> {
  const { group, version } = parseGroupVersion(apiVersion)
  const list = (await client.raw(group === '' ? `/api/${version}` : `/apis/${group}/${version}`, signal).catch((error: unknown) => {
    if (isNotFound(error)) return null
    throw error
  })) as { resources?: { name: string; kind: string; namespaced: boolean }[] } | null
  const found = list?.resources?.find((each) => each.kind === kind && !each.name.includes('/'))
  return found === undefined ? null : { gvr: { group, version, resource: found.name }, namespaced: found.namespaced }
}
