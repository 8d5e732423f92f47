import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { FakeClock } from '#shared/base/clock.ts'
import { ClusterApi } from '#electron/runbooks/clusterApi.ts'
import { holdCluster, type Hold } from '#electron/runbooks/clusterHold.ts'
import { startEmbeddedApi, type EmbeddedApi } from '#test/support/embeddedApi.ts'
import { temporaryDirectory } from '#test/support/peers.ts'

const LEASE = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/drydock-runbook'
const { signal } = new AbortController()

/** Two operators at two machines, each with a Drydock of their own. */
describe('the hold of a run on its cluster', () => {
  let served: EmbeddedApi
  let clock: FakeClock
  const holds: Hold[] = []

  beforeAll(async () => {
    served = await startEmbeddedApi(join(temporaryDirectory('hold'), 'data'), 'v1.36.4')
    await served.call('POST', '/api/v1/namespaces', { metadata: { name: 'kube-system' } })
  })
  afterEach(async () => {
    for (const hold of holds.splice(0)) await hold.release()
    await served.call('DELETE', LEASE)
  })
  afterAll(() => served.close())

  const take = async (operator: string, runId: string, at = clock): Promise<Hold> => {
    const hold = await holdCluster({ api: new ClusterApi(served.transport), clock: at, operator }, { runId, title: `Upgrade by ${operator}`, signal })
    holds.push(hold)
    return hold
  }
  const spec = async (): Promise<Record<string, unknown>> => ((await served.call('GET', LEASE)).body as { spec: Record<string, unknown> }).spec
  /** Timers of a fake clock fire at once, answers of the server take a while. */
  const passes = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 5_000) {
      await clock.advance(Math.min(5_000, left))
      await served.call('GET', LEASE)
      await served.call('GET', LEASE)
    }
  }

  it('is written as a Lease that names the operator, and given back', async () => {
    clock = new FakeClock()
    const hold = await take('ann@desk', 'run-1')
    expect(await spec()).toMatchObject({ holderIdentity: 'ann@desk/run-1', leaseDurationSeconds: 120 })
    await hold.release()
    expect((await spec())['holderIdentity']).toBeUndefined()
    await take('bob@bastion', 'run-2')
    expect((await spec())['holderIdentity']).toBe('bob@bastion/run-2')
  })

  it('refuses the second operator with the name of the first and what runs', async () => {
    clock = new FakeClock()
    await take('ann@desk', 'run-1')
    await expect(take('bob@bastion', 'run-2')).rejects.toMatchObject({
      code: 409,
      message: expect.stringContaining('ann@desk is running "Upgrade by ann@desk"') as string,
    })
    expect((await spec())['holderIdentity']).toBe('ann@desk/run-1')
  })

  it('lets one of two who try at once have it', async () => {
    clock = new FakeClock()
    const tries = await Promise.allSettled([take('ann@desk', 'run-1'), take('bob@bastion', 'run-2')])
    expect(tries.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  it('is renewed for as long as the run goes', async () => {
    clock = new FakeClock()
    await take('ann@desk', 'run-1')
    const { acquireTime } = await spec()
    await passes(300_000)
    const { renewTime, acquireTime: still } = await spec()
    expect(still).toBe(acquireTime)
    expect(clock.now() - Date.parse(String(renewTime))).toBeLessThan(60_000)
    await expect(take('bob@bastion', 'run-2')).rejects.toMatchObject({ code: 409 })
  })

  it('comes back at once to the run that had it', async () => {
    clock = new FakeClock()
    // Its process was killed: nothing is renewed, nothing was given back.
    await take('ann@desk', 'run-1', new FakeClock())
    await take('ann@desk', 'run-1')
    expect((await spec())['holderIdentity']).toBe('ann@desk/run-1')
  })

  it('is taken over from a holder that is gone, once it has expired and was watched for a while', async () => {
    clock = new FakeClock()
    await take('ann@desk', 'run-1', new FakeClock())
    await clock.advance(121_000)
    const taken = take('bob@bastion', 'run-2')
    await served.call('GET', LEASE)
    await passes(25_000)
    await taken
    expect((await spec())['holderIdentity']).toBe('bob@bastion/run-2')
  })

  it('is not taken from a holder whose clock is behind but who renews', async () => {
    clock = new FakeClock()
    await take('ann@desk', 'run-1')
    const ahead = new FakeClock(clock.now() + 600_000)
    const taken = expect(take('bob@bastion', 'run-2', ahead)).rejects.toMatchObject({ code: 409 })
    await served.call('GET', LEASE)
    await passes(20_000)
    await ahead.advance(20_000)
    await taken
  })

  it('tells the run that lost it who has it now', async () => {
    clock = new FakeClock()
    const hold = await take('ann@desk', 'run-1')
    const lease = (await served.call('GET', LEASE)).body as { spec: object }
    await served.call('PUT', LEASE, { ...lease, spec: { ...lease.spec, holderIdentity: 'bob@bastion/run-2' } })
    await passes(20_000)
    expect(hold.lost.aborted).toBe(true)
    expect((hold.lost.reason as Error).message).toContain('bob@bastion is running')
    await hold.release()
    expect((await spec())['holderIdentity']).toBe('bob@bastion/run-2')
  })
})
