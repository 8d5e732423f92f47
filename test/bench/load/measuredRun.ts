import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** How often the high-water mark of memory is read: it only grows, so the last reading counts. */
const SAMPLE_MS = 15

export interface MeasuredRun {
  elapsedMs: number
  /** Largest resident memory. */
  peakBytes: number
  stdout: string
}

/** Runs a program to its end. @throws with its message when it fails */
export function measuredRun(program: string, args: readonly string[], env: Record<string, string> = {}): Promise<MeasuredRun> {
  return new Promise((resolve, reject) => {
    const started = performance.now()
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
    let [stdout, stderr, peakBytes] = ['', '', 0]
    child.stdout.on('data', (bytes: Buffer) => {
      stdout += bytes.toString()
    })
    child.stderr.on('data', (bytes: Buffer) => {
      stderr += bytes.toString()
    })
    const timer = setInterval(() => {
      try {
        peakBytes = Math.max(peakBytes, Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${String(child.pid)}/status`, 'utf8'))?.[1] ?? 0) * 1024)
      } catch {
        // It has ended between two readings.
      }
    }, SAMPLE_MS)
    child.on('error', reject)
    child.on('close', (code) => {
      clearInterval(timer)
      const elapsedMs = performance.now() - started
      // 1 is how a comparison says that there are differences.
      if (code === 0 || (code === 1 && stderr === '')) resolve({ elapsedMs, peakBytes, stdout })
      else reject(new Error(`${program} ${args.join(' ')}: ${stderr}`))
    })
  })
}

/** Lets the system forget what it keeps of a file in memory, as after a restart. */
export async function forgetCached(path: string): Promise<void> {
  await measuredRun('sync', [path])
  await measuredRun('dd', [`if=${path}`, 'iflag=nocache', 'count=0', 'status=none'])
}
