import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { runProgram } from './peers.ts'

export type SpecOutcome = 'passed' | 'failed' | 'timed out' | 'did not run'

export interface SpecResult {
  name: string
  outcome: SpecOutcome
  seconds: number
  /** The log of its process, below the run's folder. */
  log: string
}

export interface SpecRun {
  /** Upstream's `e2e.test`. */
  program: string
  kubectl: string
  kubeconfig: string
  /** Where logs go. */
  folder: string
  limitSeconds: number
  parallel: number
  onResult?(result: SpecResult): void
}

/** How long a process that was told to end may take. */
const KILL_AFTER_MS = 5_000

/** The names of all specs that match, as the program itself lists them. */
export async function listSpecs(program: string, focus: string): Promise<string[]> {
  const { stdout } = await runProgram(
    program,
    ['--ginkgo.dryRun', '--ginkgo.noColor', `--ginkgo.focus=${focus}`, '--provider=skeleton', '--kubeconfig=/dev/null'],
    { timeoutMs: 120_000 },
  )
  const names = [...stdout.matchAll(/\{"msg":"PASSED .*\}/g)].map(([line]) => (JSON.parse(line) as { msg: string }).msg.slice('PASSED '.length))
  return [...new Set(names)].sort()
}

/** Runs each spec in a process of its own, some at a time; those that need the cluster for themselves last, one after the other. */
export async function runSpecs(names: readonly string[], run: SpecRun): Promise<SpecResult[]> {
  const results: SpecResult[] = []
  const isAlone = (name: string): boolean => /\[Serial\]|\[Disruptive\]/.test(name)
  const lane = async (queue: { name: string; index: number }[]): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const result = await runSpec(next.name, join(run.folder, `${String(next.index + 1).padStart(3, '0')}.log`), run)
      results.push(result)
      run.onResult?.(result)
    }
  }
  const all = names.map((name, index) => ({ name, index }))
  const together = all.filter(({ name }) => !isAlone(name))
  await Promise.all(Array.from({ length: run.parallel }, () => lane(together)))
  await lane(all.filter(({ name }) => isAlone(name)))
  return results.sort((a, b) => (a.name < b.name ? -1 : 1))
}

async function runSpec(name: string, log: string, run: SpecRun): Promise<SpecResult> {
  const escaped = name.replace(/[[\]\\.^$*+?(){}|/]/g, '\\$&')
  const startedMs = performance.now()
  const output = createWriteStream(log)
  const child = spawn(
    run.program,
    [
      `--ginkgo.focus=${escaped}$`,
      '--ginkgo.noColor',
      '--provider=skeleton',
      `--kubectl-path=${run.kubectl}`,
      `--kubeconfig=${run.kubeconfig}`,
      // Only stops the suite from counting nodes.
      '--num-nodes=1',
      '--allowed-not-ready-nodes=0',
      '--minStartupPods=0',
      '--dump-logs-on-failure=false',
      '--disable-log-dump=true',
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], cwd: run.folder },
  )
  let text = ''
  const take = (bytes: Buffer): void => {
    output.write(bytes)
    text = `${text}${bytes.toString()}`.slice(-20_000)
  }
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  let late = false
  const limit = setTimeout(() => {
    late = true
    child.kill('SIGTERM')
    setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS).unref()
  }, run.limitSeconds * 1000)
  const code = await new Promise<number>((resolve) => {
    child.on('close', (exit) => {
      resolve(exit ?? 1)
    })
  })
  clearTimeout(limit)
  output.end()
  const ran = /"completed":1,"skipped":\d+,"failed":0\}/.test(text)
  const outcome = late ? 'timed out' : code !== 0 ? 'failed' : ran ? 'passed' : 'did not run'
  return { name, outcome, seconds: Math.round((performance.now() - startedMs) / 100) / 10, log }
}
