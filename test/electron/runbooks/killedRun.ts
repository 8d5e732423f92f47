import { appendFileSync } from 'node:fs'
import { SystemClock } from '#shared/base/clock.ts'
import { silentLogger } from '#shared/base/logger.ts'
import { RunbookEngine } from '#electron/runbooks/engine.ts'
import type { Runbook } from '#electron/runbooks/runbook.ts'
import { freeHold, noCluster } from '#test/support/freeHold.ts'

/**
 * A process for the kill test: runs (or resumes) ten steps, each of which adds its line to a file, and prints the step it has
 * reached. Step `s5` waits until it is told on stdin, so the parent can kill it exactly there.
 */
const [directory = '', ledger = '', mode = ''] = process.argv.slice(2)

const runbook: Runbook<{ count: number }> = {
  name: 'ledger',
  title: () => 'Ten lines',
  cluster: () => ({ id: 'embedded', name: 'embedded' }),
  steps: async ({ count }) =>
    Array.from({ length: count }, (_, index) => ({
      id: `s${String(index)}`,
      title: `Line ${String(index)}`,
      description: '',
      commands: [],
      expectedMs: 1,
      action: async () => {
        process.stdout.write(`step ${String(index)}\n`)
        if (index === 5 && mode === 'hang') await new Promise(() => undefined)
        appendFileSync(ledger, `${String(index)}\n`)
      },
    })),
}

const engine = new RunbookEngine({
  directory,
  runbooks: [runbook],
  clock: new SystemClock(),
  logger: silentLogger,
  newId: () => 'run-1',
  hold: freeHold,
  identify: noCluster,
})
engine.open()
if (mode === 'hang') {
  const keepAlive = setInterval(() => undefined, 1000)
  await engine.settled(await engine.start('ledger', { count: 10 }))
  clearInterval(keepAlive)
} else {
  await engine.resume('run-1')
  process.stdout.write(`ended ${(await engine.settled('run-1')).state}\n`)
}
