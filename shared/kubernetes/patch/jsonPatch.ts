import { deepCopy, deepEqual, isObject, setOwn, type JsonObject } from '../json.ts'

/** A patch that cannot be applied; `code` is the HTTP status upstream answers (400 malformed, 422 not applicable, 500 refused by the merge). */
export class PatchError extends Error {
  override readonly name = 'PatchError'
  readonly code: 400 | 422 | 500

  constructor(code: 400 | 422 | 500, message: string) {
    super(message)
    this.code = code
  }
}

/** Upstream's limit of operations in one patch. */
const MAX_OPERATIONS = 10_000

function pointer(path: unknown): string[] {
  if (typeof path !== 'string' || (path !== '' && !path.startsWith('/'))) throw new PatchError(400, `json patch: invalid path ${JSON.stringify(path)}`)
  return path === ''
    ? []
    : path
        .slice(1)
        .split('/')
        .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function child(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return value[index(name, value.length - 1)] as unknown
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

function index(name: string, last: number): number {
  const at = name === '-' ? last : /^(0|-?[1-9]\d*)$/.test(name) ? Number(name) : Number.NaN
  if (Number.isNaN(at)) throw new PatchError(422, `value was not a proper array index: '${name}'`)
  if (at < 0 || at > last) throw new PatchError(422, `Unable to access invalid index: ${name}: invalid index referenced`)
  return at
}

function find(root: unknown, path: string[], operation: string, text: string): unknown {
  let current = root
  for (const name of path) {
    current = child(current, name)
    if (current === undefined) throw new PatchError(422, `${operation} operation does not apply: doc is missing path: ${text}: missing value`)
  }
  return current
}

function add(root: unknown, path: string[], value: unknown, text: string): unknown {
  if (path.length === 0) return value
  const parent = find(root, path.slice(0, -1), 'add', text)
  const name = path.at(-1) ?? ''
  if (Array.isArray(parent)) parent.splice(index(name, parent.length), 0, value)
  else if (isObject(parent)) setOwn(parent, name, value)
  else throw new PatchError(422, `add operation does not apply: doc is missing path: ${text}: missing value`)
  return root
}

function remove(root: unknown, path: string[], operation: string, text: string): void {
  find(root, path, operation, text)
  const parent = find(root, path.slice(0, -1), operation, text)
  const name = path.at(-1) ?? ''
  if (Array.isArray(parent)) parent.splice(index(name, parent.length - 1), 1)
  else if (isObject(parent)) Reflect.deleteProperty(parent, name)
}

/**
 * Applies an RFC 6902 patch to a copy of the document.
 *
 * @throws PatchError 400 when the patch is malformed, 422 when it does not apply
 */
export function applyJsonPatch(document: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw new PatchError(400, 'error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch')
  if (patch.length > MAX_OPERATIONS)
    throw new PatchError(422, `The allowed maximum operations in a JSON patch is ${String(MAX_OPERATIONS)}, got ${String(patch.length)}`)
  let root = deepCopy(document)
  for (const operation of patch as unknown[]) {
    if (!isObject(operation)) throw new PatchError(400, 'error decoding patch: an operation must be an object')
    root = applyOperation(root, operation)
  }
  return root
}

function applyOperation(root: unknown, operation: JsonObject): unknown {
  const text = String(operation['path'])
  const path = pointer(operation['path'])
  const value = deepCopy(operation['value'] ?? null)
  switch (operation['op']) {
    case 'add':
      return add(root, path, value, text)
    case 'replace': {
      find(root, path, 'replace', text)
      if (path.length === 0) return value
      const parent = find(root, path.slice(0, -1), 'replace', text)
      const name = path.at(-1) ?? ''
      if (Array.isArray(parent)) parent[index(name, parent.length - 1)] = value
      else if (isObject(parent)) setOwn(parent, name, value)
      return root
    }
    case 'remove':
      remove(root, path, 'remove', text)
      return root
    case 'move': {
      const from = pointer(operation['from'])
      const moved = find(root, from, 'move', String(operation['from']))
      remove(root, from, 'move', String(operation['from']))
      return add(root, path, moved, text)
    }
    case 'copy':
      return add(root, path, deepCopy(find(root, pointer(operation['from']), 'copy', String(operation['from']))), text)
    case 'test': {
      let found: unknown = root
      for (const name of path) found = child(found, name)
      if (!deepEqual(found ?? null, value)) throw new PatchError(422, `testing value ${text} failed: test failed`)
      return root
    }
    default:
      throw new PatchError(400, `Unexpected kind: ${String(operation['op'])}`)
  }
}
