import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ApiConnection, type ApiAnswer } from '#test/support/apiConnection.ts'
import { temporaryDirectory } from '#test/support/peers.ts'
import { startCluster, type RunningCluster } from '#test/support/runningCluster.ts'
import { admissionCases, authenticationCases, authorizationCases, prepare, type Case } from './access/cases.ts'

const PEER = process.env['DRYDOCK_PEER_KUBECONFIG'] ?? ''
const NAMESPACE = `drydock-access-${Date.now().toString(36)}`

/** Differs from server to server, or from one second to the next. */
const VARYING = new Set(['uid', 'resourceVersion', 'creationTimestamp', 'managedFields', 'selfLink'])

/** Cases that differ, and why that is right; docs/conformance.md says more. */
const EXPLAINED: Readonly<Record<string, string>> = {
  'anonymous /version': 'commit, build date, compiler and platform are those of the program',
}

function comparable({ status, json, text }: ApiAnswer): unknown {
  // What stands in an object that was let in is compared elsewhere (validation.test.ts).
  if (status < 300 && json !== null && json['kind'] !== 'Status' && !String(json['kind']).endsWith('Review')) return { status, kind: json['kind'] }
  return { status, body: json === null ? text : (JSON.parse(JSON.stringify(json, (key, value: unknown) => (VARYING.has(key) ? undefined : value))) as unknown) }
}

describe.skipIf(PEER === '')('access, as the real API server of 1.20 answers', () => {
  const directory = temporaryDirectory('access')
  let cluster: RunningCluster
  let servers: { peer: ApiConnection; ours: ApiConnection }

  beforeAll(async () => {
    cluster = await startCluster(join(directory, 'cluster'), ['--kubernetes-version', 'v1.20.2', '--nodes', '1'])
    servers = { peer: ApiConnection.of(PEER), ours: ApiConnection.of(cluster.kubeconfig) }
    await Promise.all([prepare(servers.peer, NAMESPACE), prepare(servers.ours, NAMESPACE)])
  })
  afterAll(async () => {
    for (const plural of ['clusterroles', 'clusterrolebindings'])
      for (const role of ['roles', 'escalate', 'missing'])
        await servers.peer.call({ method: 'DELETE', path: `/apis/rbac.authorization.k8s.io/v1/${plural}/${NAMESPACE}-${role}` })
    for (const node of ['n1', 'n2']) await servers.peer.call({ method: 'DELETE', path: `/api/v1/nodes/${NAMESPACE}-${node}` })
    await servers.peer.call({ method: 'DELETE', path: `/apis/scheduling.k8s.io/v1/priorityclasses/${NAMESPACE}-high` })
    await servers.peer.call({ method: 'DELETE', path: `/api/v1/namespaces/${NAMESPACE}` })
    servers.peer.close()
    servers.ours.close()
    await cluster.end()
  })

  const compare = async (cases: readonly Case[]): Promise<void> => {
    const different: object[] = []
    for (const each of cases) {
      const [peer, ours] = await Promise.all([servers.peer.call(each), servers.ours.call(each)])
      const [wanted, got] = [comparable(peer), comparable(ours)]
      if (JSON.stringify(sorted(wanted)) !== JSON.stringify(sorted(got)) && EXPLAINED[each.name] === undefined) different.push({ case: each.name, wanted, got })
    }
    expect(different).toEqual([])
  }

  it('who is asking', () => compare(authenticationCases(NAMESPACE)))
  it('what they may do', () => compare(authorizationCases(NAMESPACE)))
  it('what is let in', () => compare(admissionCases(NAMESPACE)))
})

/** Fields in one order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, each]) => [key, sorted(each)]),
  )
}
