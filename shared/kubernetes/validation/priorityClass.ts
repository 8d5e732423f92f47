import type { KubeObject } from '../object.ts'
import { forbidden, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { immutable, metadataErrors, metadataUpdateErrors } from './metadata.ts'
import { subdomainName } from './names.ts'
import { oneOf } from './podSpec.ts'
import { has, number, text } from './values.ts'

const HIGHEST = 1_000_000_000
const SYSTEM: Readonly<Record<string, number>> = { 'system-node-critical': 2_000_001_000, 'system-cluster-critical': 2_000_000_000 }

/** Why a class cannot have a name of the system's; null when it is that very class. */
function systemError(name: string, value: number, globalDefault: boolean): string | null {
  const known = SYSTEM[name]
  if (known === undefined) return `${name} is not a known system priority class`
  if (known !== value) return `value of ${name} PriorityClass must be ${String(known)}`
  return globalDefault ? `globalDefault of ${name} PriorityClass must be false` : null
}

function* errors(priorityClass: KubeObject): Iterable<FieldError> {
  yield* metadataErrors(priorityClass, { namespaced: false, name: subdomainName })
  const [name, value] = [text(priorityClass.metadata.name), number(priorityClass['value'])]
  if (name.startsWith('system-')) {
    const error = systemError(name, value, priorityClass['globalDefault'] === true)
    if (error !== null) yield forbidden('metadata.name', `priority class names with 'system-' prefix are reserved for system use only. error: ${error}`)
  } else if (value > HIGHEST) yield forbidden('value', `maximum allowed value of a user defined priority is ${String(HIGHEST)}`)
  if (has(priorityClass['preemptionPolicy'])) yield* oneOf(text(priorityClass['preemptionPolicy']), ['PreemptLowerPriority', 'Never'], 'preemptionPolicy')
}

export const priorityClassRules: Rules = {
  create: errors,
  *update(after, before) {
    yield* metadataUpdateErrors(after, before)
    // The capital letter is upstream's own until 1.23.
    if (number(after['value']) !== number(before['value'])) yield forbidden('Value', 'may not be changed in an update.')
    yield* immutable(after['preemptionPolicy'], before['preemptionPolicy'], 'preemptionPolicy')
  },
}
