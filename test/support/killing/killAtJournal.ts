// Loaded before the `drydock` command of a proof (`node --import`): ends the process by SIGKILL right before or right after it
// writes a line to a run's journal. Each place is killed at once only, and is noted in the file that DRYDOCK_TEST_KILLS names.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const notes = process.env['DRYDOCK_TEST_KILLS'] ?? ''
/** Kinds of records to be killed at, comma-separated; all without it. */
const kinds = process.env['DRYDOCK_TEST_KILL_KINDS']?.split(',')
/** Lines of a step's log to be killed at: the first is said before a command goes out, the second when it has. */
const LOG_LINES = 2
const known = new Set(fs.existsSync(notes) ? fs.readFileSync(notes, 'utf8').split('\n') : [])
const logged = new Map<string, number>()

function placeOf(line: string): string | null {
  const record = JSON.parse(line) as { type: string; step?: string }
  if (kinds?.includes(record.type) === false || record.type === 'created') return null
  const place = `${record.type} ${record.step ?? ''}`.trim()
  if (record.type !== 'stepLog') return place
  const count = (logged.get(place) ?? 0) + 1
  logged.set(place, count)
  return count > LOG_LINES ? null : `${place} ${String(count)}`
}

function killAt(place: string): void {
  if (known.has(place)) return
  fs.appendFileSync(notes, `${place}\n`)
  process.kill(process.pid, 'SIGKILL')
  // The signal may take its time; nothing must happen meanwhile.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000)
}

const writeSync = fs.writeSync.bind(fs) as (...args: unknown[]) => number
function killingWriteSync(...args: unknown[]): number {
  const [, text] = args
  const place = typeof text === 'string' && text.startsWith('{"type":"') ? placeOf(text) : null
  if (place !== null) killAt(`before ${place}`)
  const written = writeSync(...args)
  if (place !== null) killAt(`after ${place}`)
  return written
}
fs.writeSync = killingWriteSync as typeof fs.writeSync
syncBuiltinESMExports()
