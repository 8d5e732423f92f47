import type { UnknownFields } from '#shared/kubernetes/codec/unknownFields.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'

/** One stored object, in its storage version, with `metadata.resourceVersion` set. */
export interface Entry {
  /** The etcd key, e.g. `/registry/pods/default/web`. */
  readonly key: string
  readonly createRevision: number
  readonly modRevision: number
  /** In which it was written; an older release's until it is written again. */
  readonly apiVersion: string
  /** Shared by all readers: never changed in place. Read again from `json` when it was not used for a while. */
  readonly object: KubeObject
  /** The object's JSON in UTF-8, encoded once. */
  readonly json: Uint8Array
  /** Of a pod, the node it is bound to, as far as that is known without reading it; '' for none and for other objects. */
  readonly node?: string
  /** What a newer release stored in it that the table does not know; null when nothing. */
  readonly unknown: UnknownFields | null
}

const PODS = '/registry/pods/'

function nodeOf(key: string, object: KubeObject): string {
  const spec = key.startsWith(PODS) ? (object['spec'] as { nodeName?: unknown } | undefined) : undefined
  return typeof spec?.nodeName === 'string' ? spec.nodeName : ''
}

/** Bytes of JSON whose parsed objects are kept: young and old ones each. A parsed object takes some three times its JSON. */
const GENERATION_BYTES = 8 * 1024 * 1024

const jsonByObject = new WeakMap<KubeObject, Uint8Array>()

/** The bytes of an object that is stored exactly so; undefined for any other, copies included. */
export function storedJson(object: object): Uint8Array | undefined {
  return jsonByObject.get(object as KubeObject)
}

/**
 * Which entries hold their parsed objects: those used lately, in two generations. When the young one is full, the old one's
 * objects go unless they were used again, and the young one becomes the old.
 */
export class ParsedObjects {
  #young: StoredEntry[] = []
  #youngBytes = 0
  #old: StoredEntry[] = []

  add(entry: StoredEntry): void {
    this.#young.push(entry)
    this.#youngBytes += entry.json.length
    if (this.#youngBytes < GENERATION_BYTES) return
    const old = this.#old
    this.#old = this.#young
    this.#young = []
    this.#youngBytes = 0
    for (const each of old) {
      if (!each.release()) continue
      this.#young.push(each)
      this.#youngBytes += each.json.length
    }
  }
}

/** What is stored under a key. */
export interface StoredValue {
  object: KubeObject
  unknown: UnknownFields | null
}

/** An entry that keeps JSON bytes and, while it is in use, the object. */
export class StoredEntry implements Entry {
  readonly key: string
  readonly createRevision: number
  readonly modRevision: number
  readonly apiVersion: string
  readonly json: Uint8Array
  readonly node: string
  readonly unknown: UnknownFields | null
  readonly #parsed: ParsedObjects
  #object: KubeObject | null
  /** Given up here, while somebody else may still have it: then it is not read a second time. */
  #shared: WeakRef<KubeObject> | null = null
  /** Used since `release` was last asked for. */
  #used = false

  constructor(key: string, { object, unknown }: StoredValue, revisions: { create: number; mod: number }, parsed: ParsedObjects) {
    this.key = key
    this.unknown = unknown
    this.node = nodeOf(key, object)
    this.createRevision = revisions.create
    this.modRevision = revisions.mod
    this.apiVersion = object.apiVersion ?? ''
    this.json = Buffer.from(JSON.stringify(object))
    this.#parsed = parsed
    this.#object = object
    jsonByObject.set(object, this.json)
    parsed.add(this)
  }

  get object(): KubeObject {
    this.#used = true
    if (this.#object !== null) return this.#object
    const shared = this.#shared?.deref()
    if (shared !== undefined) return shared
    const object = JSON.parse(Buffer.from(this.json.buffer, this.json.byteOffset, this.json.byteLength).toString('utf8')) as KubeObject
    this.#object = object
    jsonByObject.set(object, this.json)
    this.#parsed.add(this)
    return object
  }

  /** Gives the parsed object up. @returns false when done; true when it was used since the last time and is kept once more */
  release(): boolean {
    const used = this.#used
    this.#used = false
    if (used) return true
    if (this.#object !== null) this.#shared = new WeakRef(this.#object)
    this.#object = null
    return false
  }
}
