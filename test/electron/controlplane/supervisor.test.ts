import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { FakeClock } from '#shared/base/clock.ts'
import { silentLogger } from '#shared/base/logger.ts'
import { superviseProcess, Supervisor, type PartFailure } from '#electron/controlplane/supervisor.ts'

/** A supervisor, what it told of, and a process whose unhandled errors are emitted by the test. */
function fixture(): { supervisor: Supervisor; clock: FakeClock; told: PartFailure[]; others: unknown[]; unhandled: EventEmitter; end: AbortController } {
  const clock = new FakeClock()
  const supervisor = new Supervisor({ clock, logger: silentLogger })
  const told: PartFailure[] = []
  supervisor.onFailure((failure) => told.push(failure))
  const others: unknown[] = []
  const unhandled = new EventEmitter()
  superviseProcess(unhandled, supervisor, (error) => others.push(error))
  return { supervisor, clock, told, others, unhandled, end: new AbortController() }
}

const aborted = (signal: AbortSignal): Promise<void> => new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))

describe('Supervisor', () => {
  it('starts a part again that throws, later and later, and leaves the others alone', async () => {
    const { supervisor, clock, told, end } = fixture()
    const starts: number[] = []
    const others: AbortSignal[] = []
    const failing = supervisor.run('kube-scheduler', end.signal, () => {
      starts.push(clock.now())
      return Promise.reject(new Error('out of luck'))
    })
    const calm = supervisor.run('coredns', end.signal, (signal) => {
      others.push(signal)
      return aborted(signal)
    })
    await clock.advance(0)
    await clock.advance(7_000)
    expect(starts.map((atMs) => atMs - (starts[0] ?? 0))).toEqual([0, 1_000, 3_000, 7_000])
    expect(told.slice(0, 2)).toEqual([
      { part: 'kube-scheduler', error: 'out of luck', restartInMs: 1_000 },
      { part: 'kube-scheduler', error: 'out of luck', restartInMs: 2_000 },
    ])
    expect(others.map((signal) => signal.aborted)).toEqual([false])
    expect(supervisor.states()).toMatchObject([
      { part: 'kube-scheduler', state: 'waiting', restarts: 3, lastFailure: { error: 'out of luck', at: '2026-01-01T00:00:07.000Z' } },
      { part: 'coredns', state: 'running', restarts: 0, lastFailure: null },
    ])
    end.abort()
    await Promise.all([failing, calm])
    expect(supervisor.states().map(({ state }) => state)).toEqual(['ended', 'ended'])
  })

  it('never waits more than a minute, and begins anew with a part that ran for ten', async () => {
    const { supervisor, clock, told, end } = fixture()
    let livesMs = 0
    const running = supervisor.run('kubelet node01', end.signal, async (signal) => {
      await clock.sleep(livesMs, { signal })
      throw new Error('gone')
    })
    await clock.advance(0)
    await clock.advance(600_000)
    expect(told.slice(0, 8).map(({ restartInMs }) => restartInMs / 1000)).toEqual([1, 2, 4, 8, 16, 32, 60, 60])
    livesMs = 600_000
    await clock.advance(700_000)
    expect(told.at(-1)?.restartInMs).toBe(1_000)
    end.abort()
    await running
  })

  it('tells a part of what it never awaited, once, and ends it before it starts it again', async () => {
    const { supervisor, clock, told, others, unhandled, end } = fixture()
    const signals: AbortSignal[] = []
    const running = supervisor.run('kubelet node02', end.signal, async (signal) => {
      // As Node does, in the context in which the promise was made.
      if (signals.push(signal) === 1)
        queueMicrotask(() => {
          unhandled.emit('unhandledRejection', new Error('nobody cared'))
          unhandled.emit('uncaughtException', new Error('and again'))
        })
      await aborted(signal)
    })
    await clock.advance(0)
    expect(told).toEqual([{ part: 'kubelet node02', error: 'nobody cared', restartInMs: 1_000 }])
    expect(signals.map(({ aborted: over }) => over)).toEqual([true])
    await clock.advance(1_000)
    expect(signals.map(({ aborted: over }) => over)).toEqual([true, false])
    expect(others).toEqual([])
    unhandled.emit('uncaughtException', new Error('from elsewhere'))
    expect(others).toEqual([new Error('from elsewhere')])
    end.abort()
    await running
  })

  it('does not take an error of the server that a part asks for the part’s own', async () => {
    const { supervisor, told, others, unhandled, end } = fixture()
    const served = supervisor.through({
      request: () => {
        queueMicrotask(() => unhandled.emit('unhandledRejection', new Error('the disk is full')))
        return Promise.resolve({ status: 200, headers: {}, body: new Uint8Array(0) })
      },
      stream: () => Promise.reject(new Error('not asked for')),
    })
    const running = supervisor.run('kube-scheduler', end.signal, async (signal) => {
      await served.request({ method: 'GET', path: '/', signal })
      await aborted(signal)
    })
    await Promise.resolve()
    await Promise.resolve()
    end.abort()
    await running
    expect(told).toEqual([])
    expect(others).toEqual([new Error('the disk is full')])
  })

  it('starts a part again that does not end when it should', async () => {
    const { supervisor, clock, unhandled, end } = fixture()
    let starts = 0
    const running = supervisor.run('kube-controller-manager', end.signal, async (signal) => {
      if (++starts > 1) return aborted(signal)
      queueMicrotask(() => unhandled.emit('unhandledRejection', new Error('stuck')))
      await clock.sleep(3_600_000, { signal: new AbortController().signal })
    })
    await clock.advance(0)
    await clock.advance(5_000)
    await clock.advance(1_000)
    expect(starts).toBe(2)
    end.abort()
    await running
  })
})
