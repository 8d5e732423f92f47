/** An object that says what it lacks: reading a member that is neither here nor in JavaScript's own protocols throws. */
export function guarded<T extends object>(name: string, target: T): T {
  const silent = new Set([
    'then',
    'toJSON',
    'constructor',
    'prototype',
    'inspect',
    '__esModule',
    'default',
    'nodeType',
    '$$typeof',
    'asymmetricMatch',
    'toStringTag',
    'domain',
  ])
  return new Proxy(target, {
    get(object, member) {
      if (typeof member === 'symbol' || member in object || silent.has(member) || member.startsWith('_')) {
        const value: unknown = Reflect.get(object, member, object)
        // Private fields belong to the object, not to this proxy.
        return typeof value === 'function' && !/^class\b/.test(Function.prototype.toString.call(value)) ? bound(object, member, value as never) : value
      }
      throw new Error(`the stand-in for Electron has no ${name}.${member}`)
    },
  })
}

const bindings = new WeakMap<object, Map<PropertyKey, { of: unknown; bound: unknown }>>()

/** The same function each time, so that a test which puts another in its place can compare and put it back. */
function bound(object: object, member: PropertyKey, value: (...args: unknown[]) => unknown): unknown {
  const known = bindings.get(object) ?? new Map<PropertyKey, { of: unknown; bound: unknown }>()
  bindings.set(object, known)
  const cached = known.get(member)
  if (cached?.of === value) return cached.bound
  const made = value.bind(object)
  known.set(member, { of: value, bound: made })
  return made
}
