import type { SeededRandom } from '#shared/base/random.ts'
import type { JsonObject } from '#shared/kubernetes/json.ts'

const NAMES = ['alpha', 'beta', 'gamma', 'delta', 'port', 'name', 'mode', 'in', 'a-b', 'x.y']

function pick<T>(random: SeededRandom, values: readonly T[]): T {
  const value = values[random.below(values.length)]
  if (value === undefined) throw new Error('nothing to pick from')
  return value
}

const chance = (random: SeededRandom, percent: number): boolean => random.below(100) < percent

function scalar(random: SeededRandom, rules: boolean): JsonObject {
  switch (random.below(9)) {
    case 0:
      return {
        type: 'integer',
        ...(chance(random, 40) ? { minimum: 0, maximum: 5, ...(chance(random, 30) ? { exclusiveMaximum: true } : {}) } : {}),
        ...(chance(random, 20) ? { multipleOf: 2 } : {}),
        ...(chance(random, 20) ? { format: 'int32' } : {}),
        ...ruleOf(random, rules, ['self < 4', 'self >= oldSelf', 'self != 3']),
      }
    case 1:
      return { type: 'number', ...(chance(random, 40) ? { minimum: 0.5 } : {}), ...ruleOf(random, rules, ['self < 4.5', 'self <= oldSelf']) }
    case 2:
      return { type: 'boolean', ...ruleOf(random, rules, ['self', 'self == oldSelf']) }
    case 3:
      return { 'x-kubernetes-int-or-string': true, ...ruleOf(random, rules, ["type(self) == int ? self < 4 : self.endsWith('%')"]) }
    case 4:
      return { type: 'string', maxLength: 20, format: pick(random, ['date-time', 'uuid', 'ipv4', 'email', 'byte', 'date', 'duration', 'unknown-format']) }
    case 5:
      return { type: 'string', enum: ['one', 'two', 'three'] }
    default:
      return {
        type: 'string',
        ...(chance(random, 60) ? { maxLength: 3 + random.below(8) } : { maxLength: 40 }),
        ...(chance(random, 20) ? { minLength: 2 } : {}),
        ...(chance(random, 25) ? { pattern: '^[a-z]*$' } : {}),
        ...ruleOf(random, rules, [
          "self != 'bad'",
          "!self.startsWith('x')",
          'self == oldSelf',
          "self.matches('^[a-z0-9]*$')",
          'self.size() < 6',
          'self.lowerAscii() == self',
        ]),
      }
  }
}

function ruleOf(random: SeededRandom, rules: boolean, texts: readonly string[]): JsonObject {
  if (!rules || !chance(random, 40)) return {}
  const rule = pick(random, texts)
  const optional = rule.includes('oldSelf') && chance(random, 25)
  return {
    'x-kubernetes-validations': [
      {
        rule: optional ? `!oldSelf.hasValue() || (${rule.replaceAll('oldSelf', 'oldSelf.value()')})` : rule,
        ...(optional ? { optionalOldSelf: true } : {}),
        ...(chance(random, 50) ? { message: `must keep ${rule}` } : {}),
        ...(chance(random, 20) ? { messageExpression: "'broken: ' + 'rule'" } : {}),
        ...(chance(random, 30) ? { reason: pick(random, ['FieldValueInvalid', 'FieldValueForbidden', 'FieldValueRequired', 'FieldValueDuplicate']) } : {}),
      },
    ],
  }
}

/** A default that its own schema takes. */
function defaultOf(random: SeededRandom, schema: JsonObject): unknown {
  if (schema['x-kubernetes-validations'] !== undefined || schema['pattern'] !== undefined || schema['format'] !== undefined) return undefined
  switch (schema['type']) {
    case 'integer':
      return 2
    case 'number':
      return 1.5
    case 'boolean':
      return chance(random, 50)
    case 'string':
      return Array.isArray(schema['enum']) ? 'one' : 'abc'
    default:
      return undefined
  }
}

/** A random structural schema of one field. */
function node(random: SeededRandom, depth: number, rules: boolean): JsonObject {
  const kind = depth <= 0 ? 0 : random.below(12)
  if (kind < 6) {
    const schema = scalar(random, rules)
    if (chance(random, 25)) {
      const value = defaultOf(random, schema)
      if (value !== undefined) schema['default'] = value
    }
    if (chance(random, 12)) schema['nullable'] = true
    return schema
  }
  switch (kind) {
    case 6:
      return { type: 'array', maxItems: 5, items: node(random, depth - 1, rules) }
    case 7:
      return {
        type: 'array',
        maxItems: 6,
        'x-kubernetes-list-type': 'set',
        items: chance(random, 70) ? { type: 'string', maxLength: 10 } : { type: 'integer' },
        ...ruleOf(random, rules, ['self.size() < 4', 'oldSelf.all(x, x in self)']),
      }
    case 8:
      return mapList(random, depth, rules)
    case 9:
      return {
        type: 'object',
        maxProperties: 6,
        additionalProperties: node(random, depth - 1, rules),
        ...ruleOf(random, rules, ['self.all(k, k.size() < 8)', 'self.size() < 4']),
      }
    case 10:
      return chance(random, 50)
        ? { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, ...(chance(random, 50) ? { properties: properties(random, depth - 1, rules) } : {}) }
        : { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true }
    default:
      return object(random, depth - 1, rules)
  }
}

function mapList(random: SeededRandom, depth: number, rules: boolean): JsonObject {
  const two = chance(random, 40)
  return {
    type: 'array',
    maxItems: 6,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': two ? ['key', 'proto'] : ['key'],
    items: {
      type: 'object',
      required: ['key'],
      properties: {
        key: chance(random, 50) ? { type: 'string', maxLength: 10 } : { type: 'integer' },
        ...(two ? { proto: { type: 'string', maxLength: 10, default: 'TCP' } } : {}),
        value: node(random, depth - 1, rules),
        note: { type: 'string', maxLength: 10 },
      },
      ...ruleOf(random, rules, ["!has(self.note) || self.note != 'bad'", '!has(oldSelf.note) || has(self.note)']),
    },
    ...ruleOf(random, rules, ['self.all(x, !has(x.note) || x.note.size() < 6)', "self.exists_one(x, has(x.note) && x.note == 'one') || self.size() > 0"]),
  }
}

function properties(random: SeededRandom, depth: number, rules: boolean): JsonObject {
  const result: JsonObject = {}
  for (let count = 1 + random.below(4); count > 0; count--) result[pick(random, NAMES)] = node(random, depth, rules)
  return result
}

function object(random: SeededRandom, depth: number, rules: boolean): JsonObject {
  const fields = properties(random, depth, rules)
  const names = Object.keys(fields)
  const required = names.filter((name) => chance(random, 20) && (fields[name] as JsonObject)['default'] === undefined)
  return {
    type: 'object',
    properties: fields,
    ...(required.length === 0 ? {} : { required }),
    ...(chance(random, 10) ? { minProperties: 1 } : {}),
    ...(chance(random, 8) ? { 'x-kubernetes-map-type': 'atomic' } : {}),
  }
}

export interface RandomKind {
  group: string
  plural: string
  kind: string
  namespaced: boolean
  status: boolean
  scale: boolean
  schema: JsonObject
  definition: JsonObject
}

/** A kind with a random structural schema, and the definition that adds it. */
export function randomKind(random: SeededRandom, index: number): RandomKind {
  const group = 'random.drydock.test'
  const plural = `things${String(index)}`
  const kind = `Thing${String(index)}`
  const [namespaced, status, scale] = [chance(random, 80), chance(random, 70), chance(random, 30)]
  const spec = object(random, 3, true)
  delete spec['x-kubernetes-map-type']
  const specProperties = spec['properties'] as JsonObject
  specProperties['replicas'] = { type: 'integer', ...(chance(random, 30) ? { default: 1 } : {}) }
  specProperties['choice'] = { type: 'string', maxLength: 10 }
  specProperties['list'] = mapList(random, 2, true)
  specProperties['set'] = { type: 'array', maxItems: 6, 'x-kubernetes-list-type': 'set', items: { type: 'string', maxLength: 10 } }
  if (chance(random, 25))
    spec['anyOf'] = [{ required: ['choice'] }, { required: ['replicas'] }, ...(chance(random, 50) ? [{ properties: { choice: { minLength: 3 } } }] : [])]
  if (chance(random, 20)) spec['x-kubernetes-validations'] = [{ rule: '!has(self.replicas) || self.replicas < 8', fieldPath: '.replicas', message: 'too many' }]
  const schema: JsonObject = {
    type: 'object',
    properties: {
      spec,
      status: {
        type: 'object',
        properties: { ready: { type: 'boolean' }, replicas: { type: 'integer' }, selector: { type: 'string', maxLength: 40 }, note: scalar(random, true) },
      },
    },
    ...(chance(random, 20) ? { 'x-kubernetes-validations': [{ rule: "self.metadata.name != 'n3' || !has(self.spec)", message: 'n3 has no spec' }] } : {}),
    ...(chance(random, 15) ? { required: ['spec'] } : {}),
  }
  return {
    group,
    plural,
    kind,
    namespaced,
    status,
    scale,
    schema,
    definition: {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `${plural}.${group}` },
      spec: {
        group,
        scope: namespaced ? 'Namespaced' : 'Cluster',
        names: { plural, singular: `thing${String(index)}`, kind, listKind: `${kind}List` },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: schema },
            subresources: {
              ...(status ? { status: {} } : {}),
              ...(scale
                ? { scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', labelSelectorPath: '.status.selector' } }
                : {}),
            },
            selectableFields: [{ jsonPath: '.spec.choice' }],
            additionalPrinterColumns: [
              { name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas' },
              { name: 'Choice', type: 'string', jsonPath: '.spec.choice' },
              { name: 'Keys', type: 'string', jsonPath: '.spec.list[*].key' },
              { name: 'Ready', type: 'boolean', jsonPath: '.status.ready' },
              { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
            ],
          },
        ],
      },
    },
  }
}
