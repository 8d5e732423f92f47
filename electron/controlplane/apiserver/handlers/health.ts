import { textResponse, type ApiResponse } from '../request/apiRequest.ts'

/** One thing that must be well; `run` rejects when it is not. */
export interface HealthCheck {
  name: string
  /** Which of the three asks it: everybody, or readiness alone. */
  readyzOnly?: boolean
  run(signal: AbortSignal): Promise<void> | void
}

const ROOT = /^\/(healthz|livez|readyz)(?:\/(.*))?$/

/**
 * `/healthz`, `/livez`, `/readyz` and one check of each below them, with `verbose` and `exclude`.
 *
 * @returns null for other paths and checks that do not exist
 * @see kubernetes staging/src/k8s.io/apiserver/pkg/server/healthz/healthz.go
 */
export async function health(path: string, query: URLSearchParams, checks: readonly HealthCheck[], signal: AbortSignal): Promise<ApiResponse | null> {
  const [, root = '', only] = ROOT.exec(path) ?? []
  if (root === '') return null
  const asked = checks.filter(({ readyzOnly }) => readyzOnly !== true || root === 'readyz')
  if (only !== undefined) {
    const check = asked.find(({ name }) => name === only)
    if (check === undefined) return null
    const why = await failureOf(check, signal)
    return why === null ? textResponse(200, 'ok') : textResponse(500, `internal server error: ${why}\n`)
  }
  const excluded = new Set(query.getAll('exclude').filter((each) => each !== ''))
  const lines: string[] = []
  let failed = false
  for (const check of asked) {
    if (excluded.delete(check.name)) {
      lines.push(`[+]${check.name} excluded: ok`)
      continue
    }
    const why = await failureOf(check, signal)
    failed ||= why !== null
    // Why is for the log: whoever may ask for health need not see more.
    lines.push(why === null ? `[+]${check.name} ok` : `[-]${check.name} failed: reason withheld`)
  }
  if (excluded.size > 0)
    lines.push(`warn: some health checks cannot be excluded: no matches for ${[...excluded].map((each) => JSON.stringify(each)).join(', ')}`)
  if (failed) return textResponse(500, `${lines.join('\n')}\n${root} check failed\n`)
  return textResponse(200, query.has('verbose') ? `${lines.join('\n')}\n${root} check passed\n` : 'ok')
}

/** The paths of single checks. */
export function healthPaths(checks: readonly HealthCheck[]): string[] {
  return ['healthz', 'livez', 'readyz'].flatMap((root) => [
    `/${root}`,
    ...checks.filter(({ readyzOnly }) => readyzOnly !== true || root === 'readyz').map(({ name }) => `/${root}/${name}`),
  ])
}

async function failureOf(check: HealthCheck, signal: AbortSignal): Promise<string | null> {
  try {
    await check.run(signal)
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
