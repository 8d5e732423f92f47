import { mkdirSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SeededRandom } from '#shared/base/random.ts'
import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { ApiServer } from '#electron/controlplane/apiserver/interface.ts'
import { embeddedApiServer, embeddedServer, remoteServer, type Server } from '../support/apiServers.ts'
import { differences, stable } from './validation/comparison.ts'
import { Mutator, PeerSchema } from './validation/mutation.ts'
import { SAMPLES, type Sample } from './validation/objects.ts'

const PEER = process.env['DRYDOCK_PEER_KUBECONFIG'] ?? ''
const ROUNDS = Number(process.env['DRYDOCK_ROUNDS'] ?? 6_000)
const SEED = Number(process.env['DRYDOCK_SEED'] ?? 20)
const ONLY = process.env['DRYDOCK_KIND'] ?? ''
const AT_ONCE = 8
/** Names of one run: what an earlier one left behind is not in the way. */
const RUN = Date.now().toString(36)
const NAMESPACE = `drydock-validation-${RUN}`

interface Finding {
  seed: number
  kind: string
  verb: string
  changes: string[]
  differences: string[]
}

function pathOf({ resource, namespaced }: Sample): string {
  const [version, plural] = [resource.slice(0, resource.lastIndexOf('/')), resource.slice(resource.lastIndexOf('/') + 1)]
  const root = version.includes('/') ? `/apis/${version}` : `/api/${version}`
  return namespaced ? `${root}/namespaces/${NAMESPACE}/${plural}` : `${root}/${plural}`
}

const nameOf = ({ object }: Sample): string => `${String((object['metadata'] as JsonObject)['name'])}-${RUN}`

function inNamespace(sample: Sample): JsonObject {
  const object = structuredClone(sample.object)
  const metadata = object['metadata'] as JsonObject
  metadata['name'] = nameOf(sample)
  if (sample.namespaced) metadata['namespace'] = NAMESPACE
  if (object['kind'] === 'Event')
    for (const field of ['involvedObject', 'regarding']) if (object[field] !== undefined) (object[field] as JsonObject)['namespace'] = NAMESPACE
  return object
}

/** Makes the namespace and every sample, which both servers must take. */
async function prepare(server: Server): Promise<string[]> {
  const refused: string[] = []
  await server.call('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } })
  await server.call('POST', `/api/v1/namespaces/${NAMESPACE}/serviceaccounts`, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } })
  for (const sample of SAMPLES) {
    const { status, body } = await server.call('POST', pathOf(sample), inNamespace(sample))
    if (status !== 201) refused.push(`${sample.resource}: ${JSON.stringify(body).slice(0, 600)}`)
  }
  return refused
}

/** Takes away what was made, without controllers that would let finalizers go. */
async function clean(server: Server): Promise<void> {
  const merge = 'application/merge-patch+json'
  for (const sample of SAMPLES) {
    const path = `${pathOf(sample)}/${nameOf(sample)}`
    await server.call('DELETE', `${path}?gracePeriodSeconds=0&propagationPolicy=Background`)
    await server.call('PATCH', path, { metadata: { finalizers: null } }, merge)
  }
  for (const name of [NAMESPACE, `v-namespaces-${RUN}`]) {
    await server.call('DELETE', `/api/v1/namespaces/${name}`)
    await server.call('PUT', `/api/v1/namespaces/${name}/finalize`, { apiVersion: 'v1', kind: 'Namespace', metadata: { name }, spec: { finalizers: [] } })
  }
}

describe.skipIf(PEER === '')('validation and defaulting against a real kube-apiserver', () => {
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
  })

  afterAll(async () => {
    await clean(theirs)
  })

  it('takes the same objects', async () => {
    expect(await prepare(theirs)).toEqual([])
    expect(await prepare(ours)).toEqual([])
  })

  it(`answers ${String(ROUNDS)} random creates, updates and status updates alike`, async () => {
    const samples = SAMPLES.filter((each) => ONLY === '' || each.resource.includes(ONLY))
    const findings: Finding[] = []
    const counts = { accepted: 0, refused: 0 }
    const round = async (index: number): Promise<void> => {
      const random = new SeededRandom(SEED * 1_000_003 + index)
      const sample = samples[index % samples.length]
      if (sample === undefined) return
      const definition = schema.kind(String(sample.object['apiVersion']), String(sample.object['kind']))
      const object = inNamespace(sample)
      const metadata = object['metadata'] as JsonObject
      const verb = (['create', 'update', 'status'] as const)[Math.floor(index / samples.length) % (sample.status === undefined ? 2 : 3)] ?? 'create'
      const mutator = new Mutator(schema, random)
      const path = pathOf(sample)
      if (verb === 'status') object['status'] = structuredClone(sample.status)
      const changes = mutator.mutate(object, definition, verb === 'status' ? 'status' : undefined)
      const name = String(metadata['name'])
      const answers = await Promise.all(
        [ours, theirs].map((server) => {
          if (verb === 'create') return server.call('POST', `${path}?dryRun=All`, { ...object, metadata: { ...metadata, name: `${name}-new` } })
          return server.call('PUT', `${path}/${name}${verb === 'status' ? '/status' : ''}?dryRun=All`, withVersion(object, server === ours ? 0 : 1, path, name))
        }),
      )
      const [left, right] = answers
      if (left === undefined || right === undefined) return
      if (right.status < 400) counts.accepted += 1
      else counts.refused += 1
      const cut = (each: JsonObject): unknown => schema.cut(each, definition)
      // The peer's own controller, a part of the API server, writes the conditions of flow schemas.
      if (sample.resource.endsWith('/flowschemas')) for (const { body } of answers) if (isObject(body)) Reflect.deleteProperty(body, 'status')
      const found = differences(stable(left, cut), stable(right, cut))
      if (found.length > 0) findings.push({ seed: index, kind: sample.resource, verb, changes, differences: found })
    }
    const versions = new Map<string, string>()
    for (const [at, server] of [ours, theirs].entries())
      for (const sample of samples) {
        const name = nameOf(sample)
        const { body } = await server.call('GET', `${pathOf(sample)}/${name}`)
        versions.set(`${String(at)}${pathOf(sample)}/${name}`, (body as { metadata: { resourceVersion: string } }).metadata.resourceVersion)
      }
    const withVersion = (object: JsonObject, at: number, path: string, name: string): JsonObject => ({
      ...object,
      metadata: { ...(object['metadata'] as JsonObject), resourceVersion: versions.get(`${String(at)}${path}/${name}`) },
    })
    for (let start = 0; start < ROUNDS; start += AT_ONCE)
      await Promise.all(Array.from({ length: Math.min(AT_ONCE, ROUNDS - start) }, (_, offset) => round(start + offset)))
    mkdirSync('test-results', { recursive: true })
    writeFileSync('test-results/validation.json', JSON.stringify({ rounds: ROUNDS, ...counts, findings }, null, 1))
    expect(findings.slice(0, 3), `${String(findings.length)} of ${String(ROUNDS)} answers differ (test-results/validation.json)`).toEqual([])
  })
})
