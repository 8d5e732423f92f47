import { qualifiedNameErrors } from '../validation/names.ts'

const STANDARD = new Set(['orphan', 'foregroundDeletion', 'kubernetes'])

/** What a write is warned of about the finalizers it adds. */
export function finalizerWarnings(before: readonly string[], after: readonly string[]): string[] {
  const added = [...new Set(after)].filter((each) => !before.includes(each)).sort()
  return added.flatMap((finalizer) => {
    const named = `metadata.finalizers: ${JSON.stringify(finalizer)}`
    const warnings = qualifiedNameErrors(finalizer).map((error) => `${named}: ${error}`)
    if (finalizer.includes('/') || STANDARD.has(finalizer)) return warnings
    const path = finalizer.includes('.') ? ' including a path (/)' : ''
    return [...warnings, `${named}: prefer a domain-qualified finalizer name${path} to avoid accidental conflicts with other finalizer writers`]
  })
}
