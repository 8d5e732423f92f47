import { fromBase64 } from '../codec/base64.ts'
import { emptiedPaths } from '../codec/canonical.ts'
import type { JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { forbidden, invalid, required, tooLong, type FieldError } from './fieldError.ts'
import { goObjectError } from './goJson.ts'
import type { Rules } from './kindRules.ts'
import { immutable, metadataErrors, metadataUpdateErrors, sameValue } from './metadata.ts'
import { configKeyErrors, subdomainName } from './names.ts'
import { entries, object, text } from './values.ts'

/** 1 MiB: what a secret or config map may hold in all. */
export const MAX_DATA_BYTES = 1024 * 1024
const FIXED = 'field is immutable when `immutable` is set'

/** Bytes that a base64 text stands for. */
export function encodedLength(value: string): number {
  return Math.floor((value.replace(/=+$/, '').length * 3) / 4)
}

function* dockerConfigErrors(data: JsonObject, key: string): Iterable<FieldError> {
  if (!Object.hasOwn(data, key)) {
    yield required(`data[${key}]`)
    return
  }
  const error = goObjectError(new TextDecoder().decode(fromBase64(text(data[key])) ?? new Uint8Array()))
  if (error !== null) yield invalid(`data[${key}]`, '<secret contents redacted>', error)
}

function* typeErrors(secret: KubeObject, data: JsonObject): Iterable<FieldError> {
  const has = (key: string): boolean => Object.hasOwn(data, key)
  switch (secret['type']) {
    case 'kubernetes.io/service-account-token': {
      const key = 'kubernetes.io/service-account.name'
      if ((secret.metadata.annotations?.[key] ?? '') === '') yield required(`metadata.annotations[${key}]`)
      break
    }
    case 'kubernetes.io/dockercfg':
      yield* dockerConfigErrors(data, '.dockercfg')
      break
    case 'kubernetes.io/dockerconfigjson':
      yield* dockerConfigErrors(data, '.dockerconfigjson')
      break
    case 'kubernetes.io/basic-auth':
      // The paths are upstream's own.
      if (!has('username') && !has('password')) yield* [required('data[%s][username]'), required('data[%s][password]')]
      break
    case 'kubernetes.io/ssh-auth':
      if (text(data['ssh-privatekey']) === '') yield required('data[%s][ssh-privatekey]')
      break
    case 'kubernetes.io/tls':
      for (const key of ['tls.crt', 'tls.key']) if (!has(key)) yield required(`data[${key}]`)
  }
}

function* errors(secret: KubeObject): Iterable<FieldError> {
  yield* metadataErrors(secret, { namespaced: true, name: subdomainName })
  const data = object(secret['data'])
  let bytes = 0
  for (const [key, value] of entries(data)) {
    for (const detail of configKeyErrors(key)) yield invalid(`data[${key}]`, key, detail)
    bytes += encodedLength(value)
  }
  if (bytes > MAX_DATA_BYTES) yield tooLong('data', MAX_DATA_BYTES)
  yield* typeErrors(secret, data)
}

/** Members of an object that was made immutable. */
export function* immutableDataErrors(after: KubeObject, before: KubeObject, members: readonly string[]): Iterable<FieldError> {
  if (before['immutable'] !== true) return
  if (after['immutable'] !== true) yield forbidden('immutable', FIXED)
  // Bytes of no length come as none from an apply configuration, which Go tells from those that are stored.
  const emptied = emptiedPaths(after)
  for (const member of members)
    if (!sameValue(after[member], before[member]) || emptied.some((path) => path === member || path.startsWith(`${member}.`))) yield forbidden(member, FIXED)
}

export const secretRules: Rules = {
  create: errors,
  *update(after, before) {
    yield* metadataUpdateErrors(after, before)
    yield* immutable(after['type'] ?? before['type'], before['type'], 'type')
    yield* immutableDataErrors(after, before, ['data'])
    yield* errors(after)
  },
}
