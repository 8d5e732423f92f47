import type { FieldError } from '../../validation/fieldError.ts'
import { forbiddenValue } from '../shown.ts'

/** The most that one expression of a definition may cost by its estimate, and all of a schema together. */
const EXPRESSION_LIMIT = 10_000_000
const SCHEMA_LIMIT = 100_000_000
/** How many of the costliest are told of when all together are too costly; none below a hundredth of the limit. */
const TOLD = 4

const ADVICE = '(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)'

function exceeded(name: string, cost: number, limit: number): string {
  const factor = cost / limit
  const shown = factor > 100 ? 'more than 100' : factor.toFixed(factor < 1.5 ? 6 : 1)
  return `${name} exceeds budget by factor of ${shown}x ${ADVICE}`
}

/**
 * What the rules of one schema may cost all together, by their estimates.
 *
 * @see k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation TotalCost
 */
export class RuleCosts {
  readonly #unchanged: boolean
  #total = 0
  #costliest: { field: string; cost: number }[] = []

  /** @param unchanged whether what single expressions cost is let pass */
  constructor({ unchanged }: { unchanged: boolean }) {
    this.#unchanged = unchanged
  }

  /** Counts an expression, and tells when it alone is too costly. */
  *observe(field: string, name: string, cost: number): Iterable<FieldError> {
    this.#total += cost
    if (cost >= SCHEMA_LIMIT / 100) this.#costliest = [...this.#costliest, { field, cost }].sort((a, b) => b.cost - a.cost).slice(0, TOLD)
    if (!this.#unchanged && cost > EXPRESSION_LIMIT) yield forbiddenValue(field, exceeded(name, cost, EXPRESSION_LIMIT))
  }

  /** @param path of the schema */
  totalErrors(path: string): FieldError[] {
    if (this.#total <= SCHEMA_LIMIT) return []
    return [
      ...this.#costliest.map(({ field }) => forbiddenValue(field, 'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema')),
      forbiddenValue(path, exceeded('x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema', this.#total, SCHEMA_LIMIT)),
    ]
  }
}
