import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SystemClock } from '#shared/base/clock.ts'
import { runOnNode } from '#electron/runbooks/nodeShell/nodeCommand.ts'
import type { NodeShell } from '#electron/runbooks/nodeShell/nodeShell.ts'
import type { StepContext } from '#electron/runbooks/runbook.ts'
import { failureText } from '#electron/runbooks/stepFailure.ts'
import { temporaryDirectory } from '#test/support/peers.ts'
import { writePrograms } from '#test/support/realNode/programs.ts'
import { canMount, mountSmallDisk, type SmallDisk } from '#test/support/smallDisk.ts'

const MOUNTED = '/var/lib'
const PAGE_BYTES = 4096

/** Commands of this machine's own shell, where /var/lib is a small disk of their own. */
describe.skipIf(!(await canMount()))('commands on a node whose disk is full', () => {
  const directory = temporaryDirectory('node-command')
  const unitLog = join(directory, 'units.log')
  let disk: SmallDisk
  beforeAll(async () => {
    writePrograms(join(directory, 'bin'), { units: join(directory, 'units'), unitLog, containers: '' })
    disk = await mountSmallDisk(MOUNTED, 1)
  })
  afterAll(() => disk.close())

  const shell: NodeShell = {
    run: async (command) => {
      const [program = '', ...rest] = [...disk.within, 'sh', '-c', command]
      const child = spawn(program, rest, { env: { ...process.env, PATH: `${join(directory, 'bin')}:${process.env['PATH'] ?? ''}` } })
      let [stdout, stderr] = ['', '']
      child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()))
      child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()))
      child.stdin.end()
      const [exitCode] = (await once(child, 'close')) as [number | null]
      return { exitCode: exitCode ?? 1, stdout, stderr }
    },
    forward: () => Promise.reject(new Error('nothing listens here')),
    close: () => undefined,
  }
  const logs: string[] = []
  const context = (stepId: string): StepContext => ({
    signal: new AbortController().signal,
    clock: new SystemClock(),
    runId: 'run',
    stepId,
    startedAtMs: 0,
    log: (text) => logs.push(text),
    waitFor: () => undefined,
  })
  const run = (stepId: string, ...commands: string[]): Promise<void> => runOnNode(() => Promise.resolve(shell), 'node01', commands, context(stepId))
  const failed = async (running: Promise<void>): Promise<string> => {
    const error: unknown = await running.then(
      () => null,
      (reason: unknown) => reason,
    )
    expect(error).not.toBeNull()
    return failureText(error)
  }
  const units = (): string[] => (existsSync(unitLog) ? readFileSync(unitLog, 'utf8').trim().split('\n') : [])

  it('are not begun, say so with what can be done, and run once there is room', { timeout: 60_000 }, async () => {
    const marker = join(directory, 'ran')
    disk.fill(0)
    expect(await failed(run('full', `echo ran >> ${marker}`))).toMatch(
      /^the disk of \/var\/lib\/drydock\/runs on node01 is full \(.*No space left on device\), .*«echo ran >> .*» was not run; what ran before stands\. A disk is full: make room on the one that is named, then retry$/,
    )
    expect(existsSync(marker)).toBe(false)
    // Enough for a folder, and not for what a command says.
    disk.makeRoom()
    disk.fill(2 * PAGE_BYTES)
    expect(await failed(run('full', `echo ran >> ${marker}`))).toContain('was not run')
    expect(units()).toEqual([])

    disk.makeRoom()
    await run('full', `echo ran >> ${marker}`)
    expect(readFileSync(marker, 'utf8')).toBe('ran\n')
    expect(units()).toEqual(['drydock-run_full-1'])
  })

  it('that fill it themselves end with their own exit code, and say that their output may be cut short', { timeout: 60_000 }, async () => {
    const said = await failed(run('filling', `echo begins; cat /dev/zero > ${MOUNTED}/filler; code=$?; echo and ends; exit $code`))
    expect(said).toMatch(/^«echo begins; .* on node01 ended with exit code 1: begins \/ cat: .*No space left on device/)
    // What it had filled is there still, but for the room that was kept for its end.
    disk.fill(0)
    const unknown = await failed(run('filling', 'true'))
    expect(unknown).toContain('was not run')
    await shell.run(`rm ${MOUNTED}/filler`, context('filling'))
    disk.makeRoom()
    logs.length = 0
    await run('filling', 'echo again')
    expect(logs).toEqual(['node01# echo again', 'again'])
  })

  it('tell of a progress that is written over its last state alone', { timeout: 60_000 }, async () => {
    logs.length = 0
    await run('progress', String.raw`printf '(Reading ... 5%%\r(Reading ... 100%%\r(Reading ... done\nnext\r\n'`)
    expect(logs.slice(1)).toEqual(['(Reading ... done', 'next'])
  })

  it('whose end could not be written down are told as ended, not as running', { timeout: 60_000 }, async () => {
    // The room that is kept for the end is taken by others in the moment it is given back.
    const steal = `rm ${MOUNTED}/drydock/runs/run/stolen-1/room; cat /dev/zero > ${MOUNTED}/filler 2> /dev/null`
    expect(await failed(run('stolen', steal))).toMatch(/on node01 has ended, and how is not known, as it could not be written down\. The disk of .* is full/)
    await shell.run(`rm ${MOUNTED}/filler`, context('stolen'))
  })
})
