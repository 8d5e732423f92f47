import { setInterval, clearInterval } from 'node:timers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isConflict, isNotFound } from '#shared/kubernetes/status.ts'
import { LEASES, NODES } from '#electron/client/resources.ts'
import { temporaryDirectory } from '#test/support/peers.ts'
import { startCluster, type RunningCluster } from '#test/support/runningCluster.ts'
import { play, scenarios } from './scenario/scenario.ts'
import { Side } from './scenario/side.ts'

// The same steps on an embedded cluster and on a real one of the same release; afterwards both must hold the same objects and
// have told the same events. DRYDOCK_SCENARIOS names some of them by parts of their file names, comma-separated.
const peer = process.env['DRYDOCK_PEER_KUBECONFIG'] ?? ''
const only = (process.env['DRYDOCK_SCENARIOS'] ?? '').split(',').filter((text) => text !== '')
const list = peer === '' ? [] : scenarios(only)
const run = Date.now().toString(36).slice(-5)
const STAND_IN = 'zz-control-plane'

/** The embedded cluster's first node takes no ordinary pods; the peer gets one like it, so that messages count as many nodes. */
async function standIn(side: Side): Promise<() => Promise<void>> {
  const now = (): string => new Date().toISOString().replace('Z', '000Z')
  const at = `${now().slice(0, 19)}Z`
  const node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: STAND_IN },
    spec: { taints: [{ key: 'node-role.kubernetes.io/master', effect: 'NoSchedule' }] },
    status: {
      allocatable: { cpu: '1', memory: '3840Mi', pods: '110' },
      capacity: { cpu: '1', memory: '3840Mi', pods: '110' },
      conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', lastHeartbeatTime: at, lastTransitionTime: at }],
    },
  }
  const remove = async (): Promise<void> => {
    try {
      await side.client.delete(NODES, { name: STAND_IN }, {}, side.signal)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
  await remove()
  await side.client.create(NODES, {}, node, side.signal)
  const lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: STAND_IN },
    spec: { holderIdentity: STAND_IN, leaseDurationSeconds: 40, renewTime: now() },
  }
  const target = { namespace: 'kube-node-lease', name: STAND_IN }
  const beat = async (): Promise<void> => {
    try {
      await side.client.patch(LEASES, target, { spec: { renewTime: now() } }, { type: 'merge' }, side.signal)
    } catch (error) {
      if (isNotFound(error)) await side.client.create(LEASES, { namespace: target.namespace }, lease, side.signal)
      else if (!isConflict(error)) throw error
    }
  }
  await beat()
  const timer = setInterval(() => {
    beat().catch(() => undefined)
  }, 8_000)
  return async () => {
    clearInterval(timer)
    await remove()
  }
}

describe.skipIf(peer === '')('scenarios on an embedded cluster and on a real one', () => {
  let cluster: RunningCluster | undefined
  let ours: Side | undefined
  const theirs = peer === '' ? undefined : new Side('peer', peer)
  let leave: (() => Promise<void>) | undefined

  const dataDir = temporaryDirectory('scenarios')
  beforeAll(async () => {
    // The peer has no metrics-server.
    cluster = await startCluster(dataDir, ['--kubernetes-version', 'v1.20.2', '--nodes', '5', '--runtime-config', 'metrics.k8s.io/v1beta1=false'])
    ours = new Side('drydock', cluster.kubeconfig)
    if (theirs !== undefined) {
      await theirs.open()
      leave = await standIn(theirs)
    }
    await ours.open()
  })
  afterAll(async () => {
    await leave?.()
    ours?.close()
    theirs?.close()
    await cluster?.end()
  })

  const compare = async (scenario: (typeof list)[number], index: number): Promise<void> => {
    if (ours === undefined || theirs === undefined) throw new Error('the clusters are not there')
    const namespace = `${scenario.name.slice(0, 40)}-${run}${String(index)}`
    const [here, there] = await Promise.allSettled([play(scenario, ours, namespace), play(scenario, theirs, namespace)])
    if (there.status === 'rejected') throw there.reason
    if (here.status === 'rejected') throw here.reason
    expect(here.value).toEqual(there.value)
  }

  describe.concurrent('side by side', () => {
    it.each(list.filter(({ alone }) => alone !== true).map((scenario, index) => [scenario.name, scenario.describe, scenario, index] as const))(
      '%s: %s',
      (_name, _text, scenario, index) => compare(scenario, index),
    )
  })

  describe('one after the other', () => {
    it.each(list.filter(({ alone }) => alone === true).map((scenario, index) => [scenario.name, scenario.describe, scenario, index + 200] as const))(
      '%s: %s',
      (_name, _text, scenario, index) => compare(scenario, index),
    )
  })
})
