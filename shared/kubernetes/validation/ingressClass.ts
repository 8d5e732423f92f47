import type { KubeObject } from '../object.ts'
import { invalid, required, tooLong, type FieldError } from './fieldError.ts'
import { localReferenceErrors } from './ingress.ts'
import type { Rules } from './kindRules.ts'
import { immutable, metadataErrors, metadataUpdateErrors } from './metadata.ts'
import { dnsSubdomainErrors, rule, subdomainName } from './names.ts'
import { byteLength, object, pointer, text } from './values.ts'

const MAX_CONTROLLER = 250
const PATH = `[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+`

function* domainPathErrors(value: string, field: string): Iterable<FieldError> {
  if (value === '') {
    yield required(field)
    return
  }
  const slash = value.indexOf('/')
  const [host, path] = [value.slice(0, slash), value.slice(slash + 1)]
  if (slash <= 0 || path === '') {
    yield invalid(field, value, 'must be a domain-prefixed path (such as "acme.io/foo")')
    return
  }
  for (const detail of dnsSubdomainErrors(host)) yield invalid(field, host, detail)
  if (!new RegExp(`^${PATH}$`).test(path)) yield invalid(field, path, rule('Invalid path', '', PATH))
}

function* errors(ingressClass: KubeObject): Iterable<FieldError> {
  const spec = object(ingressClass['spec'])
  const controller = text(spec['controller'])
  yield* metadataErrors(ingressClass, { namespaced: false, name: subdomainName })
  if (byteLength(controller) > MAX_CONTROLLER) yield tooLong('spec.controller', MAX_CONTROLLER)
  yield* domainPathErrors(controller, 'spec.controller')
  yield* localReferenceErrors(pointer(spec['parameters']), 'spec.parameters')
}

export const ingressClassRules: Rules = {
  create: errors,
  *update(after, before) {
    yield* metadataUpdateErrors(after, before)
    yield* immutable(text(object(after['spec'])['controller']), text(object(before['spec'])['controller']), 'spec.controller')
    yield* errors(after)
  },
}
