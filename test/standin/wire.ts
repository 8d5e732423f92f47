// Values as JSON text, for what JSON itself loses. These two functions are also sent to the page as source text, so they use nothing from
// outside themselves.

/** @throws Error for what has no place in a message: functions, symbols */
export function encode(value: unknown): unknown {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0) ? value : { number: Object.is(value, -0) ? '-0' : String(value) }
  if (value === undefined) return { undefined: true }
  if (typeof value === 'bigint') return { bigint: String(value) }
  if (typeof value !== 'object') throw new Error('An object could not be cloned.')
  if (Array.isArray(value)) return value.map((each) => encode(each))
  if (value instanceof Date) return { date: value.getTime() }
  if (value instanceof Map) return { map: [...value].map(([key, each]) => [encode(key), encode(each)]) }
  if (value instanceof Set) return { set: [...value].map((each) => encode(each)) }
  if (value instanceof Error) return { error: { name: value.name, message: value.message } }
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
    const bytes = value instanceof ArrayBuffer ? new Uint8Array(value) : new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    let text = ''
    for (let start = 0; start < bytes.length; start += 0x8000) text += String.fromCharCode(...bytes.subarray(start, start + 0x8000))
    return { bytes: btoa(text), type: value.constructor.name === 'Buffer' ? 'Uint8Array' : value.constructor.name }
  }
  return { object: Object.entries(value).map(([key, each]) => [key, encode(each)]) }
}

export function decode(wire: unknown): unknown {
  if (Array.isArray(wire)) return wire.map((each) => decode(each))
  if (wire === null || typeof wire !== 'object') return wire
  const tagged = wire as Record<string, unknown>
  if ('object' in tagged) return Object.fromEntries((tagged['object'] as [string, unknown][]).map(([key, each]) => [key, decode(each)]))
  if ('undefined' in tagged) return undefined
  if ('number' in tagged) return Number(tagged['number'])
  if ('bigint' in tagged) return BigInt(tagged['bigint'] as string)
  if ('date' in tagged) return new Date(tagged['date'] as number)
  if ('map' in tagged) return new Map((tagged['map'] as [unknown, unknown][]).map(([key, each]) => [decode(key), decode(each)]))
  if ('set' in tagged) return new Set((tagged['set'] as unknown[]).map((each) => decode(each)))
  if ('error' in tagged) {
    const { name, message } = tagged['error'] as { name: string; message: string }
    return Object.assign(new Error(message), { name })
  }
  const binary = atob(tagged['bytes'] as string)
  const bytes = new Uint8Array(binary.length)
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at)
  const type = tagged['type'] as string
  if (type === 'ArrayBuffer') return bytes.buffer
  const types = globalThis as unknown as Record<string, (new (buffer: ArrayBuffer) => unknown) | undefined>
  const View = types[type] ?? Uint8Array
  return new View(bytes.buffer)
}
