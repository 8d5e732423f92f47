import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { AdmissionRequest } from '../admission.ts'
import type { Match } from '../webhooks/admissionMatching.ts'
import type { AdmissionExpressions } from './admissionExpressions.ts'

/** `matchConditions` of webhooks and policies: all must hold. */
export class MatchConditions {
  readonly #expressions: AdmissionExpressions

  constructor(expressions: AdmissionExpressions) {
    this.#expressions = expressions
  }

  /** @returns whether the request is meant, or why that cannot be told: no condition is false and one failed */
  evaluate(conditions: unknown, request: AdmissionRequest, match: Match, params: unknown = null): boolean | { error: string } {
    const list: JsonObject[] = Array.isArray(conditions) ? conditions.filter(isObject) : []
    if (list.length === 0) return true
    const variables = this.#expressions.variables(request, match, params)
    const errors: string[] = []
    for (const { name, expression } of list) {
      const { value, error } = this.#expressions.evaluate(String(expression), variables)
      if (error !== undefined) errors.push(`matchCondition ${JSON.stringify(name)} resulted in error: ${error}`)
      else if (value !== true) return false
    }
    return errors.length === 0 ? true : { error: errors.join(', ') }
  }
}
