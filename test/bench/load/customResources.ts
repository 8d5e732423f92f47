import { Http1Connection, http1Request } from './http1Connection.ts'
import { alternately, type Side } from './measures.ts'
import type { Done, Requests } from './work.ts'

const OBJECTS = 2_000
const ROUND = 300
const JSON_BODY = { 'content-type': 'application/json' }
const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const PATH = '/apis/example.org/v1/namespaces/default/shops'

const DEFINITION = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'shops.example.org' },
  spec: {
    group: 'example.org',
    scope: 'Namespaced',
    names: { plural: 'shops', singular: 'shop', kind: 'Shop', listKind: 'ShopList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                properties: {
                  owner: { type: 'string' },
                  size: { type: 'integer', default: 3 },
                  articles: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' }, price: { type: 'number' } } } },
                },
              },
            },
          },
        },
      },
    ],
  },
}

type Work = Omit<Requests, 'type' | 'target'>

export interface CustomResourceRun {
  rounds: number
  requests(side: Side, work: Work): Promise<Done>
  latency(side: Side, measure: string, work: Work): Promise<void>
  throughput(side: Side, measure: string, work: Work): Promise<void>
}

/** Custom resources of about 1 kB, where structural schemas are checked and defaulted. */
export async function customResources(run: CustomResourceRun, sides: Side[]): Promise<void> {
  for (const { served } of sides) {
    const connection = await Http1Connection.open(served.api)
    await connection.request(http1Request('POST', DEFINITIONS, { headers: JSON_BODY, body: JSON.stringify(DEFINITION) }))
    while ((await connection.request(http1Request('GET', PATH))).status !== 200) await new Promise((resolve) => setTimeout(resolve, 50))
    connection.close()
  }
  const articles = Array.from({ length: 12 }, (_, index) => ({ name: `article ${String(index)} of the spring catalogue`, price: index + 0.5 }))
  const shop = JSON.stringify({ apiVersion: 'example.org/v1', kind: 'Shop', metadata: { name: 'shop-{i}' }, spec: { owner: 'nobody in particular', articles } })
  const create = { method: 'POST', path: PATH, headers: JSON_BODY, body: shop, expect: 201, connections: 32 }
  const each = (work: (side: Side, round: number) => Promise<void>): Promise<void> => alternately(sides, run.rounds, work)
  const filled = OBJECTS - run.rounds * ROUND
  // Neither side is measured cold.
  for (const side of sides) await run.requests(side, { ...create, count: filled })
  await each((side, round) => run.throughput(side, 'custom: create, 32 clients', { ...create, from: filled + round * ROUND, count: ROUND }))
  await each((side) => run.throughput(side, 'custom: GET, 32 clients', { method: 'GET', path: `${PATH}/shop-7`, expect: 200, connections: 32, count: 2000 }))
  await each((side) => run.latency(side, `custom: LIST of ${String(OBJECTS)}`, { method: 'GET', path: PATH, expect: 200, connections: 1, count: 5 }))
}
