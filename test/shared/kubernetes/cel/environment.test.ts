import { describe, expect, it } from 'vitest'
import { createCelEnvironment } from '#shared/kubernetes/cel/environment.ts'
import type { CelType } from '#shared/kubernetes/cel/interface.ts'
import { celToJson, LazyObject } from '#shared/kubernetes/cel/values.ts'

const item: CelType = { kind: 'object', fields: { name: { kind: 'string' }, port: { kind: 'int' } } }
const spec: CelType = {
  kind: 'object',
  fields: {
    replicas: { kind: 'int' },
    ratio: { kind: 'double' },
    name: { kind: 'string' },
    'a-b': { kind: 'string' },
    in: { kind: 'string' },
    items: { kind: 'list', element: item, listType: 'map', keys: ['name'] },
    tags: { kind: 'list', element: { kind: 'string' }, listType: 'set' },
    limits: { kind: 'map', value: { kind: 'int' } },
    any: { kind: 'dyn' },
    when: { kind: 'timestamp' },
    every: { kind: 'duration' },
    data: { kind: 'bytes' },
  },
}
const self: CelType = { kind: 'object', fields: { spec } }
const environment = createCelEnvironment({ variables: { self, oldSelf: self } })

const object = {
  spec: {
    replicas: 3,
    ratio: 2,
    name: 'h🙂llo',
    'a-b': 'x',
    in: 'y',
    items: [
      { name: 'a', port: 1 },
      { name: 'b', port: 2 },
    ],
    tags: ['a', 'b'],
    limits: { x: 1, y: 2 },
    any: '10%',
    when: '2024-01-01T00:00:00Z',
    every: '90m',
    data: 'aGk=',
  },
}
const old = { spec: { ...object.spec, tags: ['b', 'a'], items: [...object.spec.items].reverse() } }

function run(expression: string, costLimit = 1_000_000): unknown {
  const { program, error } = environment.compile(expression)
  if (program === undefined) return error
  const result = program.evaluate({ self: object, oldSelf: old }, { costLimit })
  return result.error ?? celToJson(result.value)
}

describe('a CEL expression', () => {
  it.each([
    ['self.spec.replicas > 2', true],
    ['self.spec.ratio == 2.0', true],
    ['self.spec.replicas < 3.5', true],
    ['self.spec.a__dash__b + self.spec.__in__', 'xy'],
    ['self.spec.items.all(i, i.port < 3)', true],
    ['self.spec.items.exists(i, i.name == "b" && has(i.port))', true],
    ['has(self.spec.items[0].port)', true],
    ['self.spec.limits.all(k, self.spec.limits[k] > 0)', true],
    ['type(self.spec.any) == string && self.spec.any.matches("^[0-9]+%$")', true],
    ['self.spec.?nothing.hasValue()', false],
    ['self.spec.?name.orValue("z").startsWith("h")', true],
    ['self.spec.?items[?7].?name.orValue("none")', 'none'],
    ['optional.of(self.spec.name).optMap(n, n.size()).orValue(0)', 5],
    ['cel.bind(x, self.spec.replicas, x + x)', 6],
    ['self.spec.items.all(i, x, x.port > i)', true],
    ['self.spec.limits.transformList(k, v, v > 1, k)', ['y']],
    ['self.spec.when < timestamp("2025-01-01T00:00:00Z") && self.spec.every == duration("1h30m")', true],
    ['self.spec.when.getFullYear()', 2024],
    ['string(self.spec.data)', 'hi'],
    ['self.spec.limits == {"x": 1, "y": 2}', true],
    ['self.spec.replicas in [1, 3]', true],
    ['[3, 1, 2].sort() == [1, 2, 3] && [[1], [2]].flatten() == [1, 2] && [1, 1].distinct().size() == 1', true],
  ])('%s gives its value', (expression, expected) => {
    expect(run(expression)).toEqual(expected)
  })

  it('compares sets without order and lists of type map by their keys', () => {
    expect(run('self.spec.tags == oldSelf.spec.tags && self.spec.items == oldSelf.spec.items')).toBe(true)
    expect(run('self.spec.tags + ["b", "c"] == ["a", "b", "c"]')).toBe(true)
  })

  it('counts characters, not UTF-16 units', () => {
    expect(run('[self.spec.name.size(), self.spec.name.indexOf("l"), self.spec.name.charAt(1) == "🙂" ? 1 : 0]')).toEqual([5, 2, 1])
  })

  it.each([
    ['quantity("1Gi").isGreaterThan(quantity("1Mi")) && quantity("1500m").add(1).compareTo(quantity("2.5")) == 0', true],
    ['ip("10.0.0.1").family() == 4 && ip("fe80::1").isLinkLocalUnicast() && !isIP("010.0.0.1") && ip.isCanonical("::1")', true],
    ['cidr("10.0.0.0/8").containsIP("10.1.2.3") && !cidr("10.0.0.0/8").containsCIDR("11.0.0.0/16")', true],
    ['url("https://a.b:80/c?d=e").getPort() == "80" && url("https://a.b/?d=e&d=f").getQuery() == {"d": ["e", "f"]} && !isURL("a b")', true],
    ['format.dns1123Label().validate("A").value().size() == 1 && !format.named("nope").hasValue()', true],
    ['"abc 123".find("[0-9]+") == "123" && "1 2 3".findAll("[0-9]", 2) == ["1", "2"]', true],
    ['semver("v1.2", true).major() == 1 && semver("1.2.3-rc.1").isLessThan(semver("1.2.3"))', true],
    ['sets.contains([1, 2], [1]) && sets.intersects([1], [2, 1]) && sets.equivalent([1, 1], [1])', true],
    ['[1, 2].sum() == 3 && ["b", "a"].max() == "b" && [1, 2, 1].lastIndexOf(1) == 2 && !["b", "a"].isSorted()', true],
    ['"%s %d %.2f".format(["a", 5, 1.5])', 'a 5 1.50'],
    ['"a,b".split(",").join("-").replace("-", "+").upperAscii()', 'A+B'],
  ])("knows Kubernetes' functions: %s", (expression, expected) => {
    expect(run(expression)).toEqual(expected)
  })

  it.each([
    ['nope', "ERROR: <input>:1:1: undeclared reference to 'nope' (in container '')\n | nope\n | ^"],
    ['self.spec.nope', "ERROR: <input>:1:10: undefined field 'nope'\n | self.spec.nope\n | .........^"],
    [
      'self.spec.replicas + "x"',
      "ERROR: <input>:1:20: found no matching overload for '_+_' applied to '(int, string)'\n | self.spec.replicas + \"x\"\n | ...................^",
    ],
    ['foo(1)', "ERROR: <input>:1:4: undeclared reference to 'foo' (in container '')\n | foo(1)\n | ...^"],
    ['b"a".hex()', "ERROR: <input>:1:9: undeclared reference to 'hex' (in container '')\n | b\"a\".hex()\n | ........^"],
    ['[1, "a"]', "ERROR: <input>:1:5: expected type 'int' but found 'string'\n | [1, \"a\"]\n | ....^"],
    ['"a".matches("(")', 'ERROR: <input>:1:13: invalid matches argument\n | "a".matches("(")\n | ............^'],
  ])('is refused with the place of the error: %s', (expression, error) => {
    expect(run(expression)).toBe(error)
  })

  it.each([
    ['self.spec.items[5].name == ""', 'index out of bounds: 5'],
    ['self.spec.limits["z"] == 1', 'no such key: z'],
    ['1 / (self.spec.replicas - 3) == 1', 'division by zero'],
    ['self.spec.any > 5', 'no such overload'],
    ['quantity(self.spec.name).isInteger()', "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"],
  ])('says why it has no value: %s', (expression, error) => {
    expect(run(expression)).toBe(error)
  })

  it('ends when it would cost more than it may', () => {
    const big = Array.from({ length: 400 }, (_, index) => String(index)).join(',')
    expect(run(`[${big}].all(a, [${big}].all(b, a + b >= 0))`)).toBe('operation cancelled: actual cost limit exceeded')
    expect(run('self.spec.items.all(i, i.port < 3) || true', 5)).toBe('operation cancelled: actual cost limit exceeded')
  })

  it('matches patterns in time linear in the text', () => {
    const [before, text] = [performance.now(), 'a'.repeat(5_000)]
    expect(run(`"${text}!".matches("^(a+)+$")`)).toBe(false)
    expect(performance.now() - before).toBeLessThan(5_000)
  })

  it('refuses what is nested deeper than upstream parses', () => {
    expect(run(`${'('.repeat(400)}1${')'.repeat(400)}`)).toMatch(/^ERROR: <input>:1:\d+: Syntax error/)
  })

  it('tells which variables it uses', () => {
    expect([...(environment.compile('self.spec.items.all(i, i.port > 0)').program?.uses ?? [])]).toEqual(['self'])
    expect([...(environment.compile('self == oldSelf').program?.uses ?? [])]).toEqual(['self', 'oldSelf'])
  })

  it('reads lazy objects and opaque types with functions of their own', () => {
    class Authorizer {
      may(verb: string): boolean {
        return verb === 'get'
      }
    }
    const policies = createCelEnvironment({
      variables: { variables: { kind: 'dyn' }, authorizer: { kind: 'opaque', name: 'kubernetes.authorization.Authorizer' } },
      opaqueTypes: { 'kubernetes.authorization.Authorizer': Authorizer },
      functions: [{ signature: 'kubernetes.authorization.Authorizer.may(string): bool', call: (authorizer: Authorizer, verb: string) => authorizer.may(verb) }],
    })
    const { program } = policies.compile('authorizer.may(variables.verb) && !authorizer.may("put")')
    const variables = new LazyObject((field) => (field === 'verb' ? 'get' : undefined))
    expect(program?.evaluate({ authorizer: new Authorizer(), variables }, { costLimit: 100 })).toMatchObject({ value: true })
  })
})
