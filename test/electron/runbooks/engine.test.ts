import { spawn } from 'node:child_process'
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FakeClock } from '#shared/base/clock.ts'
import { silentLogger } from '#shared/base/logger.ts'
import { workedMs } from '#shared/planning/workedTime.ts'
import { RunbookEngine } from '#electron/runbooks/engine.ts'
import { reportMarkdown } from '#electron/runbooks/report.ts'
import type { Runbook, Step } from '#electron/runbooks/runbook.ts'
import { runProgram, temporaryDirectory } from '#test/support/peers.ts'
import { freeHold, noCluster } from '#test/support/freeHold.ts'

const root = temporaryDirectory('runbooks')
let sequence = 0

function step(id: string, changes: Partial<Step> = {}): Step {
  return { id, title: `Step ${id}`, description: `does ${id}`, commands: [`kubectl ${id}`], expectedMs: 1000, action: async () => undefined, ...changes }
}

function engineWith(steps: Step[], directory = join(root, String(++sequence)), clock = new FakeClock()): RunbookEngine {
  const runbook: Runbook<object> = { name: 'test', title: () => 'Test run', cluster: () => ({ id: 'c1', name: 'cluster one' }), steps: async () => steps }
  const engine = new RunbookEngine({
    directory,
    runbooks: [runbook],
    clock,
    logger: silentLogger,
    newId: () => `run-${String(++sequence)}`,
    hold: freeHold,
    identify: noCluster,
  })
  engine.open()
  return engine
}

/** Moves time on once the engine has come to where it waits. */
async function pass(clock: FakeClock, byMs: number): Promise<void> {
  await clock.advance(0)
  await clock.advance(0)
  await clock.advance(byMs)
}

describe('RunbookEngine', () => {
  it('runs the steps in order and ends done', async () => {
    const order: string[] = []
    const engine = engineWith(['a', 'b', 'c'].map((id) => step(id, { action: async ({ log }) => (log(`in ${id}`), void order.push(id)) })))
    const view = await engine.settled(await engine.start('test', {}))
    expect(order).toEqual(['a', 'b', 'c'])
    expect(view.state).toBe('done')
    expect(view.steps.map(({ state }) => state)).toEqual(['done', 'done', 'done'])
    expect(view.steps[1]?.log[0]?.text).toBe('in b')
  })

  it('does not run the action of a step that is done already', async () => {
    let ran = false
    const engine = engineWith([step('a', { isDone: async () => true, action: async () => void (ran = true) })])
    const view = await engine.settled(await engine.start('test', {}))
    expect(view.state).toBe('done')
    expect(ran).toBe(false)
  })

  it('stops at the first failure and goes on from there when resumed', async () => {
    const order: string[] = []
    let broken = true
    const steps = [
      step('a', { action: async () => void order.push('a') }),
      step('b', {
        action: async () => {
          order.push('b')
          if (broken) throw new Error('disk full')
        },
      }),
      step('c', { action: async () => void order.push('c') }),
    ]
    const engine = engineWith(steps)
    const id = await engine.start('test', {})
    const failed = await engine.settled(id)
    expect(failed.state).toBe('failed')
    expect(failed.steps.map(({ state }) => state)).toEqual(['done', 'failed', 'pending'])
    expect(failed.steps[1]?.error).toBe('disk full')
    broken = false
    await engine.resume(id)
    const done = await engine.settled(id)
    expect(order).toEqual(['a', 'b', 'b', 'c'])
    expect(done).toMatchObject({ state: 'done', resumed: 1 })
  })

  it('fails a step whose postcheck does not hold', async () => {
    const engine = engineWith([step('a', { postcheck: async () => Promise.reject(new Error('node w1 is not ready')) })])
    const view = await engine.settled(await engine.start('test', {}))
    expect(view.steps[0]).toMatchObject({ state: 'failed', error: 'node w1 is not ready' })
  })

  it('undoes what can be undone, last first, when aborted', async () => {
    const undone: string[] = []
    let reach = (): void => undefined
    const reached = new Promise<void>((resolve) => (reach = resolve))
    const engine = engineWith([
      step('a', { undo: async () => void undone.push('a') }),
      step('b', { undo: async () => void undone.push('b') }),
      step('c', {
        action: ({ signal }) => {
          reach()
          return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }))
        },
      }),
    ])
    const id = await engine.start('test', {})
    await reached
    await engine.abort(id)
    expect(undone).toEqual(['b', 'a'])
    expect(engine.get(id)).toMatchObject({ state: 'aborted', steps: [{ state: 'undone' }, { state: 'undone' }, { state: 'failed' }] })
  })

  it('refuses a second run on a cluster where one has not ended', async () => {
    const engine = engineWith([
      step('a', { action: ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })) }),
    ])
    await engine.start('test', {})
    await expect(engine.start('test', {})).rejects.toMatchObject({ reason: 'Conflict' })
    await engine.close()
  })

  it('runs lanes side by side, each in its order, and begins nothing more when one fails', async () => {
    const lane = (name: string): { group: string; name: string; parallel: number } => ({ group: 'workers', name, parallel: 2 })
    const order: string[] = []
    let [running, most] = [0, 0]
    let broken = true
    const work = (id: string, name: string, then: () => void = () => undefined): Step =>
      step(id, {
        lane: lane(name),
        action: async () => {
          running += 1
          most = Math.max(most, running)
          order.push(id)
          for (let turn = 0; turn < 5; turn++) await Promise.resolve()
          running -= 1
          then()
        },
      })
    const fails = (): void => {
      if (broken) throw new Error('w2 is gone')
    }
    const engine = engineWith([
      step('first', { action: async () => void order.push('first') }),
      work('w1/a', 'w1'),
      work('w1/b', 'w1'),
      work('w2/a', 'w2', fails),
      work('w2/b', 'w2'),
      work('w3/a', 'w3'),
      step('last', { action: async () => void order.push('last') }),
    ])
    const id = await engine.start('test', {})
    const failed = await engine.settled(id)
    expect(failed.state).toBe('failed')
    expect(most).toBe(2)
    expect(order).toEqual(['first', 'w1/a', 'w2/a'])
    expect(failed.steps.map(({ state }) => state)).toEqual(['done', 'done', 'pending', 'failed', 'pending', 'pending', 'pending'])
    broken = false
    await engine.resume(id)
    expect((await engine.settled(id)).state).toBe('done')
    expect(order.slice(3).toSorted()).toEqual(['last', 'w1/b', 'w2/a', 'w2/b', 'w3/a'])
    expect(order.at(-1)).toBe('last')
    expect(most).toBe(2)
  })

  it('reads a journal whose last line was cut short', async () => {
    const directory = join(root, 'torn')
    const first = engineWith([step('a')], directory)
    const id = await first.start('test', {})
    await first.settled(id)
    await first.close()
    appendFileSync(join(directory, `${id}.jsonl`), '{"type":"stepSta')
    const second = engineWith([step('a')], directory)
    expect(second.get(id).state).toBe('done')
    await second.close()
  })

  it('counts the time in which a run was worked on, not what it stood still', async () => {
    const clock = new FakeClock()
    const directory = join(root, 'standstill')
    let work: 'hangs' | 'fails' | 'works' = 'hangs'
    const waits = step('b', {
      action: async ({ signal }) => {
        await clock.sleep(work === 'hangs' ? 600_000 : 20_000, { signal })
        if (work === 'fails') throw new Error('disk full')
      },
    })
    const steps = [step('a', { action: async ({ signal }) => clock.sleep(5_000, { signal }) }), waits, step('c')]
    const first = engineWith(steps, directory, clock)
    const id = await first.start('test', {})
    await pass(clock, 5_000)
    await pass(clock, 61_000)
    // What a kill leaves is the journal as it is at that moment.
    const killed = readFileSync(join(directory, `${id}.jsonl`))
    await first.close()
    writeFileSync(join(directory, `${id}.jsonl`), killed)
    await pass(clock, 3_600_000)

    const second = engineWith(steps, directory, clock)
    // Its last sign of life was given a minute after the beginning, 55 s into the step.
    expect(second.get(id)).toMatchObject({ state: 'interrupted', spells: [{ toMs: second.get(id).lastRecordAtMs }] })
    expect(workedMs(second.get(id).steps[1]?.spells ?? [], clock.now())).toBe(55_000)
    work = 'fails'
    await second.resume(id)
    await pass(clock, 20_000)
    const failed = await second.settled(id)
    expect(failed.state).toBe('failed')
    await pass(clock, 7_200_000)
    work = 'hangs'
    await second.resume(id)
    await pass(clock, 4_000)
    await second.pause(id)
    await pass(clock, 1_800_000)
    work = 'works'
    await second.resume(id)
    await pass(clock, 20_000)
    const view = await second.settled(id)
    expect(view.state).toBe('done')
    expect(view.steps.map(({ spells }) => workedMs(spells, clock.now()))).toEqual([5_000, 99_000, 0])
    expect(workedMs(view.spells, clock.now())).toBe(104_000)
    const report = reportMarkdown(view)
    expect(report).toContain('- Outcome: **done** in 104.0 s')
    expect(report).toContain('- Stood still: 12606.0 s, which no time below counts')
    expect(report).toContain('| Step b | done | 99.0 s | 1.0 s |')
    await second.close()

    const third = engineWith(steps, directory, clock)
    expect(third.get(id)).toEqual(view)
    await third.close()
  })

  it('counts no standstill before an abort', async () => {
    const clock = new FakeClock()
    const directory = join(root, 'aborted-late')
    const undone = step('a', { action: ({ signal }) => clock.sleep(600_000, { signal }), undo: ({ signal }) => clock.sleep(3_000, { signal }) })
    const first = engineWith([undone], directory, clock)
    const id = await first.start('test', {})
    await pass(clock, 30_000)
    const killed = readFileSync(join(directory, `${id}.jsonl`))
    await first.close()
    writeFileSync(join(directory, `${id}.jsonl`), killed)
    await pass(clock, 3_600_000)
    const second = engineWith([undone], directory, clock)
    const aborted = second.abort(id)
    await pass(clock, 3_000)
    await aborted
    await second.close()
    const third = engineWith([undone], directory, clock)
    const { state, spells, steps } = third.get(id)
    expect(state).toBe('aborted')
    expect(workedMs(spells, clock.now())).toBe(33_000)
    expect(workedMs(steps[0]?.spells ?? [], clock.now())).toBe(30_000)
    await third.close()
  })

  it('goes on where it was after SIGKILL, entering no finished step again', async () => {
    const directory = join(root, 'killed')
    const ledger = join(root, 'ledger.txt')
    const script = join(import.meta.dirname, 'killedRun.ts')
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, directory, ledger, 'hang'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await new Promise<void>((resolve) => {
      let text = ''
      child.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString()
        if (text.includes('step 5')) resolve()
      })
    })
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
    const resumed = await runProgram(process.execPath, ['--disable-warning=ExperimentalWarning', script, directory, ledger, 'resume'])
    expect(resumed.stdout).toBe('step 5\nstep 6\nstep 7\nstep 8\nstep 9\nended done\n')
    expect(readFileSync(ledger, 'utf8').trim().split('\n').map(Number)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })
})

describe('reportMarkdown', () => {
  it('tells outcome, steps and commands', async () => {
    const engine = engineWith([step('a', { action: async ({ log }) => log('node w1 drained') })])
    const report = reportMarkdown(await engine.settled(await engine.start('test', {})))
    expect(report).toContain('Outcome: **done**')
    expect(report).toContain('| Step a | done | 0.0 s | 1.0 s |')
    expect(report).toContain('kubectl a')
    expect(report).toContain('node w1 drained')
  })
})
