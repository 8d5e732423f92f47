import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { ParsedObjects, StoredEntry, storedJson } from '#electron/controlplane/apiserver/storage/entry.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'

const MEGABYTE = 1024 * 1024

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function entry(name: string, parsed: ParsedObjects, bytes = 0): StoredEntry {
  const object: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, resourceVersion: '7' }, data: { ключ: 'x'.repeat(bytes) } }
  return new StoredEntry(`/registry/configmaps/default/${name}`, { object, unknown: null }, { create: 7, mod: 7 }, parsed)
}

describe('StoredEntry', () => {
  it('keeps the object as JSON bytes and tells them by the object', () => {
    const stored = entry('a', new ParsedObjects())
    expect(JSON.parse(Buffer.from(stored.json).toString('utf8'))).toEqual(stored.object)
    expect(storedJson(stored.object)).toBe(stored.json)
    expect(storedJson({ ...stored.object })).toBeUndefined()
  })

  it('gives up objects that were not used for a while and reads them again when asked', async () => {
    const parsed = new ParsedObjects()
    const stored = entry('a', parsed)
    const first = new WeakRef(stored.object)
    for (let index = 0; index < 40; index++) entry(`filler-${String(index)}`, parsed, MEGABYTE)
    // What a WeakRef was asked for, or made of, lives until the job ends.
    await setImmediate()
    collectGarbage()
    expect(first.deref()).toBeUndefined()
    const again = stored.object
    expect(again.metadata.name).toBe('a')
    expect(storedJson(again)).toBe(stored.json)
  })

  it('does not read an object a second time that somebody still has', () => {
    const parsed = new ParsedObjects()
    const stored = entry('a', parsed)
    const held = stored.object
    for (let index = 0; index < 40; index++) entry(`filler-${String(index)}`, parsed, MEGABYTE)
    expect(stored.object).toBe(held)
  })

  it('keeps objects that are used again and again', () => {
    const parsed = new ParsedObjects()
    const stored = entry('a', parsed)
    const first = stored.object
    for (let index = 0; index < 40; index++) {
      entry(`filler-${String(index)}`, parsed, MEGABYTE)
      expect(stored.object).toBe(first)
    }
  })
})
