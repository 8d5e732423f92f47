import { BASELINE_CHECKS } from './baselineChecks.ts'
import type { Violation } from './checks.ts'
import type { PodView } from './podView.ts'
import { RESTRICTED_CHECKS } from './restrictedChecks.ts'

export const LEVELS = ['privileged', 'baseline', 'restricted'] as const
export type Level = (typeof LEVELS)[number]

/** A level of the standards at one release. */
export interface Standard {
  level: Level
  /** Infinity is the latest. */
  minor: number
}

export const PRIVILEGED: Standard = { level: 'privileged', minor: Number.POSITIVE_INFINITY }

/** `restricted:latest`, `baseline:v1.24`. */
export const standardText = ({ level, minor }: Standard): string => `${level}:${Number.isFinite(minor) ? `v1.${String(minor)}` : 'latest'}`

/** What of a standard a pod does not meet, baseline first; empty when it meets all. */
export function evaluatePodSecurity(pod: PodView, { level, minor }: Standard): Violation[] {
  if (level === 'privileged') return []
  const restricted = level === 'restricted' ? RESTRICTED_CHECKS.filter(({ since = 0 }) => minor >= since) : []
  const overridden = new Set(restricted.flatMap(({ overrides = [] }) => overrides))
  return [...BASELINE_CHECKS.filter(({ id }) => !overridden.has(id)), ...restricted].flatMap((check) => check.run(pod, minor) ?? [])
}

/** `reason (detail), reason (detail)`. */
export const violationText = (violations: readonly Violation[]): string => violations.map(({ reason, detail }) => `${reason} (${detail})`).join(', ')

const PREFIX = 'pod-security.kubernetes.io/'
export type Mode = 'enforce' | 'audit' | 'warn'

/** A label that cannot be read. */
export interface LabelFault {
  label: string
  value: string
  detail: string
}

/**
 * What a namespace's labels ask for. A level that cannot be read enforces the strictest and neither audits nor warns, as upstream
 * has it.
 */
export function standardsOf(labels: Readonly<Record<string, string>>): { standards: Record<Mode, Standard>; faults: LabelFault[] } {
  const faults: LabelFault[] = []
  const read = (mode: Mode): Standard => {
    const [label, versionLabel] = [`${PREFIX}${mode}`, `${PREFIX}${mode}-version`]
    const [value, version] = [labels[label], labels[versionLabel]]
    const level = LEVELS.find((each) => each === value)
    if (value !== undefined && level === undefined) faults.push({ label, value, detail: `must be one of ${LEVELS.join(', ')}` })
    const minor = version === undefined || version === 'latest' ? Number.POSITIVE_INFINITY : Number(/^v1\.(0|[1-9]\d*)$/.exec(version)?.[1] ?? Number.NaN)
    if (Number.isNaN(minor)) faults.push({ label: versionLabel, value: version ?? '', detail: 'must be "latest" or "v1.x"' })
    const fallback = value === undefined || mode !== 'enforce' ? 'privileged' : 'restricted'
    return { level: level ?? fallback, minor: Number.isNaN(minor) ? Number.POSITIVE_INFINITY : minor }
  }
  const enforce = read('enforce')
  return { standards: { enforce, audit: read('audit'), warn: read('warn') }, faults }
}
