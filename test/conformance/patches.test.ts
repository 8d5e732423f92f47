import { mkdirSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SeededRandom } from '#shared/base/random.ts'
import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { ApiServer } from '#electron/controlplane/apiserver/interface.ts'
import { embeddedApiServer, embeddedServer, remoteServer, type Answer, type Server } from '../support/apiServers.ts'
import { differences, stableStatus } from './validation/comparison.ts'
import { jsonPatch, mergePatch, partOf } from './patches/patchMaker.ts'
import { ownersOf, stableOwned } from './patches/owners.ts'
import { withOrderedManagers } from './shownManagers.ts'
import { Mutator, PeerSchema } from './validation/mutation.ts'
import { SAMPLES, type Sample } from './validation/objects.ts'

const PEER = process.env['DRYDOCK_PEER_KUBECONFIG'] ?? ''
const OPERATIONS = Number(process.env['DRYDOCK_ROUNDS'] ?? 20_000)
const SEED = Number(process.env['DRYDOCK_SEED'] ?? 20)
const ONLY = process.env['DRYDOCK_KIND'] ?? ''
/** Numbers of the sequences to be made, as `test-results/patches.json` names them; all when empty. */
const CHOSEN = (process.env['DRYDOCK_SEQUENCES'] ?? '').split(',').filter((each) => each !== '')
const PER_OBJECT = 12
const AT_ONCE = 8
const RUN = Date.now().toString(36)
const NAMESPACE = `drydock-patches-${RUN}`
const MANAGERS = ['alice', 'bob', 'kubectl', 'carol']

/** The twenty kinds; what the peer's own controllers write to, or what lives by other objects, is left out. */
const KINDS = [
  'v1/pods',
  'v1/services',
  'v1/configmaps',
  'v1/secrets',
  'v1/serviceaccounts',
  'v1/endpoints',
  'v1/podtemplates',
  'v1/replicationcontrollers',
  'v1/events',
  'v1/nodes',
  'apps/v1/deployments',
  'apps/v1/replicasets',
  'apps/v1/statefulsets',
  'apps/v1/daemonsets',
  'batch/v1/jobs',
  'networking.k8s.io/v1/networkpolicies',
  'networking.k8s.io/v1/ingresses',
  'rbac.authorization.k8s.io/v1/roles',
  'storage.k8s.io/v1/storageclasses',
  'policy/v1beta1/poddisruptionbudgets',
]

interface Finding {
  sequence: number
  step: number
  kind: string
  operation: string
  sent: unknown
  differences: string[]
}

function pathOf({ resource, namespaced }: Sample): string {
  const [version, plural] = [resource.slice(0, resource.lastIndexOf('/')), resource.slice(resource.lastIndexOf('/') + 1)]
  const root = version.includes('/') ? `/apis/${version}` : `/api/${version}`
  return namespaced ? `${root}/namespaces/${NAMESPACE}/${plural}` : `${root}/${plural}`
}

/** An object that a refusal shows, but for what each server gives it. */
const shownAlike = (text: string): string => withOrderedManagers(text).replace(/(resourceVersion\\+":\\+")\d+/g, '$1R')

/** Releases before 1.21 keep one array for all paths of a conflict, and write over those that they have told: only who and how many is right. */
function conflictsByManager(status: JsonObject): JsonObject {
  const details = isObject(status['details']) ? status['details'] : {}
  const causes = (Array.isArray(details['causes']) ? (details['causes'] as string[]) : []).map((each) =>
    each.includes('|FieldManagerConflict|') ? each.slice(each.indexOf('|')) : shownAlike(each),
  )
  const conflict = causes.some((each) => each.startsWith('|FieldManagerConflict|'))
  return { ...status, details: { ...details, causes: causes.sort() }, message: conflict ? '' : inOneOrder(shownAlike(String(status['message']))) }
}

/** Go walks the maps of an object in random order, and tells what is wrong with it in that order. */
const inOneOrder = (text: string): string => {
  const [head = '', ...lines] = text.split('\n')
  return head.endsWith(' errors:') ? [head, ...lines.sort()].join('\n') : text
}

/** What is written to another server than the one it was read from: with that one's identity, address and node ports. */
function asOf<T extends JsonObject | JsonObject[]>(object: T, read: JsonObject | null, own: JsonObject | null): T {
  const given = (each: JsonObject | null): (string | undefined)[] => {
    const [metadata, spec] = [each?.['metadata'], each?.['spec']] as (JsonObject | undefined)[]
    const ports = Array.isArray(spec?.['ports'])
      ? spec['ports'].filter(isObject).map(({ nodePort }) => (nodePort === undefined ? '' : `"nodePort":${String(nodePort)}`))
      : []
    return [metadata?.['uid'], spec?.['clusterIP'], ...ports].map((value) => (typeof value === 'string' && value.length > 8 ? value : undefined))
  }
  let text = JSON.stringify(object)
  for (const [index, value] of given(read).entries()) {
    const mine = given(own)[index]
    if (value !== undefined && mine !== undefined) text = text.replaceAll(value, mine)
  }
  return JSON.parse(text) as T
}

const OPERATION_NAMES = ['update', 'json', 'merge', 'strategic', 'apply', 'apply', 'force', 'status'] as const

describe.skipIf(PEER === '')('patches and server-side apply against a real kube-apiserver', () => {
  let ours: Server
  let theirs: Server
  let schema: PeerSchema
  let api: ApiServer

  beforeAll(async () => {
    theirs = remoteServer(PEER, 'proof/1')
    const { gitVersion } = (await theirs.call('GET', '/version')).body as { gitVersion: string }
    api = await embeddedApiServer(gitVersion.replace(/[-+].*$/, ''))
    ours = embeddedServer(api, 'proof/1')
    schema = new PeerSchema((await theirs.call('GET', '/openapi/v2')).body)
    for (const server of [ours, theirs]) {
      await server.call('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } })
      await server.call('POST', `/api/v1/namespaces/${NAMESPACE}/serviceaccounts`, {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        automountServiceAccountToken: false,
        metadata: { name: 'default' },
      })
    }
  })

  afterAll(async () => {
    await theirs.call('DELETE', `/api/v1/namespaces/${NAMESPACE}`)
    await theirs.call('PUT', `/api/v1/namespaces/${NAMESPACE}/finalize`, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: NAMESPACE },
      spec: { finalizers: [] },
    })
  })

  it(`answers ${String(OPERATIONS)} random writes alike`, async () => {
    const samples = SAMPLES.filter((each) => KINDS.includes(each.resource) && (ONLY === '' || each.resource.includes(ONLY)))
    const findings: Finding[] = []
    const counts: Record<string, number> = { operations: 0, accepted: 0, conflicts: 0, refused: 0, sequences: 0 }

    const sequence = async (index: number): Promise<void> => {
      const random = new SeededRandom(SEED * 1_000_003 + index)
      const sample = samples[index % samples.length]
      if (sample === undefined) return
      const kind = String(sample.object['kind'])
      const definition = schema.kind(String(sample.object['apiVersion']), kind)
      const name = `p-${RUN}-${String(index)}`
      const base = structuredClone(sample.object)
      const metadata: JsonObject = { ...(base['metadata'] as JsonObject), name, ...(sample.namespaced ? { namespace: NAMESPACE } : {}) }
      base['metadata'] = metadata
      // An address of its own: what one server gives out, the other cannot be asked for.
      if (kind === 'Service') (base['spec'] as JsonObject)['clusterIP'] = `10.96.${String(100 + ((index >> 8) % 100))}.${String(1 + (index % 254))}`
      for (const field of ['involvedObject', 'regarding']) if (isObject(base[field])) base[field]['namespace'] = NAMESPACE
      const collection = pathOf(sample)
      const path = `${collection}/${name}`
      const cut = (object: JsonObject): unknown => schema.cut(object, definition)
      const cleaned = ({ status, body }: Answer): unknown =>
        status >= 400 || !isObject(body)
          ? { status, ...conflictsByManager(stableStatus(body)) }
          : { status, object: cut(stableOwned(body)), owners: ownersOf(body) }
      const both = async (
        step: number,
        operation: string,
        sent: unknown,
        call: (server: Server, live: JsonObject | null) => Promise<Answer>,
        lives: (JsonObject | null)[],
      ): Promise<(JsonObject | null)[] | null> => {
        const [left, right] = await Promise.all([ours, theirs].map((server, at) => call(server, lives[at] ?? null)))
        if (left === undefined || right === undefined) return null
        counts['operations'] = (counts['operations'] ?? 0) + 1
        const outcome = right.status < 400 ? 'accepted' : right.status === 409 ? 'conflicts' : 'refused'
        counts[outcome] = (counts[outcome] ?? 0) + 1
        const found = differences(cleaned(left), cleaned(right))
        // Without its controllers the peer has no tokens for a pod that is to have one.
        if (isObject(right.body) && String(right.body['message']).startsWith('No API token found')) return null
        if (found.length > 0) {
          findings.push({ sequence: index, step, kind: sample.resource, operation, sent, differences: found })
          return null
        }
        return right.status < 400 && isObject(left.body) && isObject(right.body) ? [left.body, right.body] : lives
      }
      const pick = <T>(items: readonly T[]): T => items[random.below(items.length)] as T
      counts['sequences'] = (counts['sequences'] ?? 0) + 1
      let lives: (JsonObject | null)[] | null =
        random.below(3) === 0
          ? [null, null]
          : await both(0, 'create', base, (server) => server.call('POST', `${collection}?fieldManager=${MANAGERS[0] ?? ''}`, base), [null, null])
      for (let step = 1; step < PER_OBJECT && lives !== null; step += 1) {
        const manager = pick(MANAGERS)
        const [live] = lives
        const operation: string = live === null || live === undefined ? 'apply' : pick(OPERATION_NAMES)
        const mutator = new Mutator(schema, random)
        // Most writes are of what is there with something changed; applies leave much out.
        const wanted = structuredClone(operation === 'apply' || operation === 'force' ? base : (live ?? base))
        const wantedMetadata = wanted['metadata'] as JsonObject
        for (const field of ['managedFields', 'resourceVersion', 'uid', 'creationTimestamp', 'generation', 'selfLink'])
          Reflect.deleteProperty(wantedMetadata, field)
        if (operation === 'status' && sample.status !== undefined) wanted['status'] = structuredClone(sample.status)
        mutator.mutate(wanted, definition, operation === 'status' ? 'status' : undefined)
        const query = `fieldManager=${manager}`
        switch (operation) {
          case 'apply':
          case 'force': {
            const applied = partOf(wanted, random)
            lives = await both(
              step,
              operation,
              applied,
              (server) => server.call('PATCH', `${path}?${query}&force=${String(operation === 'force')}`, applied, 'application/apply-patch+yaml'),
              lives,
            )
            break
          }
          case 'json': {
            const patch = jsonPatch(live ?? {}, wanted)
            lives = await both(
              step,
              operation,
              patch,
              (server, current) => server.call('PATCH', `${path}?${query}`, asOf(patch, live ?? null, current), 'application/json-patch+json'),
              lives,
            )
            break
          }
          case 'merge':
          case 'strategic': {
            const patch = mergePatch(live ?? {}, wanted)
            lives = await both(
              step,
              operation,
              patch,
              (server, current) =>
                server.call(
                  'PATCH',
                  `${path}?${query}`,
                  asOf(patch, live ?? null, current),
                  `application/${operation === 'merge' ? 'merge' : 'strategic-merge'}-patch+json`,
                ),
              lives,
            )
            break
          }
          default: {
            if (operation === 'status' && sample.status === undefined) break
            lives = await both(
              step,
              operation,
              wanted,
              (server, current) =>
                server.call('PUT', `${path}${operation === 'status' ? '/status' : ''}?${query}`, {
                  ...asOf(wanted, live ?? null, current),
                  metadata: { ...wantedMetadata, resourceVersion: (current?.['metadata'] as JsonObject | undefined)?.['resourceVersion'] },
                }),
              lives,
            )
          }
        }
      }
      for (const server of [ours, theirs]) {
        await server.call('DELETE', `${path}?gracePeriodSeconds=0&propagationPolicy=Background`)
        if ((await server.call('GET', path)).status === 200)
          await server.call('PATCH', path, { metadata: { finalizers: null } }, 'application/merge-patch+json')
      }
    }

    if (CHOSEN.length > 0) await Promise.all(CHOSEN.map((each) => sequence(Number(each))))
    else
      for (let start = 0; (counts['operations'] ?? 0) < OPERATIONS; start += AT_ONCE)
        await Promise.all(Array.from({ length: AT_ONCE }, (_, offset) => sequence(start + offset)))
    mkdirSync('test-results', { recursive: true })
    writeFileSync('test-results/patches.json', JSON.stringify({ ...counts, findings }, null, 1))
    expect(findings.slice(0, 3), `${String(findings.length)} of ${String(counts['sequences'])} sequences part (test-results/patches.json)`).toEqual([])
  })
})
