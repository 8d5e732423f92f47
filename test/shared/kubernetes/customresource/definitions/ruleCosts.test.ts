import { describe, expect, it } from 'vitest'
import { createCelEnvironment } from '#shared/kubernetes/cel/environment.ts'
import { celTypeOf } from '#shared/kubernetes/customresource/ruleTypes.ts'
import { sizeAt, sizedTypeOf } from '#shared/kubernetes/customresource/sizedTypes.ts'
import type { JsonObject } from '#shared/kubernetes/json.ts'
import { invariant } from '#shared/base/invariant.ts'

/** The estimate of a rule on values of a schema. */
function estimate(schema: JsonObject, rule: string): number {
  const [type, sized] = [celTypeOf(schema, false), sizedTypeOf(schema, false)]
  invariant(type !== null && sized !== null, 'the schema has a type')
  const { program, error } = createCelEnvironment({ variables: { self: type, oldSelf: type } }).compile(rule)
  invariant(program !== undefined, error ?? '')
  return program.maxCost((path) => sizeAt(sized, path))
}

const text = (maxLength: number): JsonObject => ({ type: 'string', maxLength })
const list = (items: JsonObject, maxItems: number): JsonObject => ({ type: 'array', items, maxItems })

describe('estimates of what rules cost', () => {
  it.each<[rule: string, schema: JsonObject, cost: number]>([
    ['true', text(10), 0],
    // One for the variable; 4 bytes a character, a tenth of the constant's three characters, rounded up.
    ["self == 'abc'", text(10), 2],
    ['self == oldSelf', text(10), 6],
    ["self.startsWith('abc')", text(10), 2],
    // (40 + 1) / 10, rounded up, times (8 / 4).
    ["self.matches('[a-z0-9]')", text(10), 11],
    ['self.size() < 6', text(10), 3],
    // Numbers have no size of their own.
    ['self == oldSelf', { type: 'integer' }, 2],
    // The list, then of each item: the step's three, the variable, the comparison; the result.
    ['self.all(x, x > 1)', list({ type: 'integer' }, 7), 1 + 1 + 7 * 5],
    ['self.exists(x, x > 1)', list({ type: 'integer' }, 7), 1 + 1 + 7 * 6],
    ['self.map(x, x + 1).size() < 3', list({ type: 'integer' }, 7), 1 + 11 + 7 * 14 + 1 + 1],
    ['self.filter(x, x > 1).all(x, x > 2)', list({ type: 'integer' }, 7), 1 + 11 + 7 * 15 + 1 + 7 * 5],
    ['has(self.a) ? self.a == oldSelf.a : true', { type: 'object', properties: { a: text(25) } }, 1 + 4 + 10],
    ["self.all(k, k != 'x')", { type: 'object', additionalProperties: text(3), maxProperties: 9 }, 1 + 1 + 9 * 4],
  ])('of %s', (rule, schema, cost) => {
    expect(estimate(schema, rule)).toBe(cost)
  })
})
