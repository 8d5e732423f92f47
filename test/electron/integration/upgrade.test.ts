import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { RunView } from '#shared/contract/runbooks.ts'
import { temporaryDirectory } from '#test/support/peers.ts'

const runner = fileURLToPath(new URL('./applicationRunner.ts', import.meta.url))

/** An application in a process of its own that carries the upgrade; tells the run each time it changes, and the budget's health. */
function startApplication(dataDir: string): { child: ChildProcess; runs: AsyncIterable<{ run: RunView; lowestHealthy: number }> } {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', runner, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })
  return {
    child,
    runs: (async function* () {
      for await (const line of lines) if (line.startsWith('{')) yield JSON.parse(line) as { run: RunView; lowestHealthy: number }
    })(),
  }
}

describe('the guided upgrade of the embedded cluster', () => {
  it('goes on after SIGKILL and ends with every node upgraded and the disruption budget never broken', { timeout: 180_000 }, async () => {
    const dataDir = join(temporaryDirectory('upgrade'), 'data')
    const first = startApplication(dataDir)
    let killedIn = ''
    for await (const { run } of first.runs) {
      const step = run.steps.find(({ state }) => state === 'running')
      if (step?.id !== 'node01/drain') continue
      killedIn = step.id
      const ended = once(first.child, 'exit')
      first.child.kill('SIGKILL')
      await ended
      break
    }
    expect(killedIn).toBe('node01/drain')
    const second = startApplication(dataDir)
    let last: { run: RunView; lowestHealthy: number } | null = null
    for await (const seen of second.runs) last = seen
    expect(last?.run.state).toBe('done')
    expect(last?.run.resumed).toBe(1)
    expect(last?.run.steps.map(({ state }) => state)).toEqual(last?.run.steps.map(() => 'done'))
    // Six replicas, five must be there at all times.
    expect(last?.lowestHealthy).toBeGreaterThanOrEqual(5)
    expect(
      last?.run.steps
        .find(({ id }) => id === 'verify')
        ?.log.map(({ text }) => text)
        .join('\n'),
    ).toMatch(/controlplane Ready v1\.36\.4[\s\S]*node02 Ready v1\.36\.4/)
  })
})
