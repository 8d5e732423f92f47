import type { JsonObject } from '../json.ts'
import { duplicate, forbidden, invalid, notSupported, required, typed, type FieldError } from './fieldError.ts'
import { dnsSubdomainErrors, idErrors } from './names.ts'
import { byteLength, has, number, object, objects, pointer, text, texts } from './values.ts'
import { descendingPathErrors } from './volumeSources.ts'

const SYSCTL_SEGMENT = '[a-z0-9]([-_a-z0-9]*[a-z0-9])?'
const SYSCTL = `(${SYSCTL_SEGMENT}\\.)*${SYSCTL_SEGMENT}`
const SYSCTL_MAX = 253

function* idFieldErrors(context: JsonObject, names: readonly string[], field: string): Iterable<FieldError> {
  for (const name of names) {
    const id = context[name]
    if (has(id)) for (const detail of idErrors(number(id))) yield invalid(`${field}.${name}`, id, detail)
  }
}

const SECCOMP_TYPES = ['Localhost', 'RuntimeDefault', 'Unconfined']

function* seccompProfileErrors(profile: unknown, field: string): Iterable<FieldError> {
  const given = pointer(profile)
  if (given === null) return
  const type = text(given['type'])
  if (type === '') yield required(`${field}.type`, 'type is required when seccompProfile is set')
  else if (!SECCOMP_TYPES.includes(type)) yield notSupported(`${field}.type`, type, SECCOMP_TYPES)
  const path = given['localhostProfile']
  if (type === 'Localhost') {
    if (!has(path)) yield required(`${field}.localhostProfile`, 'must be set when seccomp type is Localhost')
    else yield* descendingPathErrors(text(path), `${field}.localhostProfile`)
  } else if (has(path)) yield invalid(`${field}.localhostProfile`, typed('core.v1.SeccompProfile', given), 'can only be set when seccomp type is Localhost')
}

const MAX_GMSA_KIB = 64
const NET_BIOS = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/
const DNS_LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?'
const DOMAIN = new RegExp(`^${DNS_LABEL}(?:\\.${DNS_LABEL})*$`)

function* windowsErrors(options: unknown, field: string): Iterable<FieldError> {
  const given = pointer(options)
  if (given === null) return
  const name = given['gmsaCredentialSpecName']
  if (has(name)) for (const detail of dnsSubdomainErrors(text(name))) yield invalid(`${field}.gmsaCredentialSpecName`, name, detail)
  const spec = given['gmsaCredentialSpec']
  if (has(spec)) {
    if (text(spec) === '') yield invalid(`${field}.gmsaCredentialSpec`, spec, 'gmsaCredentialSpec cannot be an empty string')
    else if (byteLength(text(spec)) > MAX_GMSA_KIB * 1024)
      yield invalid(`${field}.gmsaCredentialSpec`, spec, `gmsaCredentialSpec size must be under ${String(MAX_GMSA_KIB)} KiB`)
  }
  if (has(given['runAsUserName']))
    for (const detail of userNameErrors(text(given['runAsUserName']))) yield invalid(`${field}.runAsUserName`, given['runAsUserName'], detail)
}

function* userNameErrors(name: string): Iterable<string> {
  const parts = name.split('\\')
  if (name === '') yield 'runAsUserName cannot be an empty string'
  else if (/[\x00-\x1f\x7f]/.test(name)) yield 'runAsUserName cannot contain control characters'
  else if (parts.length > 2) yield 'runAsUserName cannot contain more than one backslash'
  else {
    const domain = parts.length === 2 ? (parts[0] ?? '') : null
    const user = parts.at(-1) ?? ''
    if (byteLength(domain ?? '') >= 256) yield "runAsUserName's Domain length must be under 256 characters"
    if (domain !== null && !NET_BIOS.test(domain) && !DOMAIN.test(domain)) yield "runAsUserName's Domain doesn't match the NetBios nor the DNS format"
    if (user === '') yield "runAsUserName's User cannot be empty"
    else if (byteLength(user) > 104) yield "runAsUserName's User length must not be longer than 104 characters"
    if (/^[. ]+$/.test(user)) yield "runAsUserName's User cannot contain only periods or spaces"
    if (/["/\\:;|=,+*?<>@[\]]/.test(user)) yield `runAsUserName's User cannot contain the following characters: "/\\:;|=,+*?<>@[]`
  }
}

function* sysctlErrors(sysctls: JsonObject[], field: string): Iterable<FieldError> {
  const names = new Set<string>()
  for (const [index, sysctl] of sysctls.entries()) {
    const name = text(sysctl['name'])
    const at = `${field}[${String(index)}].name`
    if (name === '') yield required(at)
    else if (byteLength(name) > SYSCTL_MAX || !new RegExp(`^${SYSCTL}$`).test(name))
      yield invalid(at, name, `must have at most ${String(SYSCTL_MAX)} characters and match regex ${SYSCTL}`)
    else if (names.has(name)) yield duplicate(at, name)
    names.add(name)
  }
}

/** A pod's securityContext; @param spec the pod's spec, where host namespaces stand */
export function* podSecurityErrors(spec: JsonObject, specField: string): Iterable<FieldError> {
  const context = pointer(spec['securityContext'])
  if (context === null) return
  const field = `${specField}.securityContext`
  if (spec['hostNetwork'] === true)
    for (const [index, container] of objects(spec['containers']).entries())
      for (const [at, port] of objects(container['ports']).entries())
        if (number(port['hostPort']) !== number(port['containerPort']))
          yield invalid(
            `${specField}.containers[${String(index)}].ports[${String(at)}].containerPort`,
            number(port['containerPort']),
            'must match `hostPort` when `hostNetwork` is true',
          )
  yield* idFieldErrors(context, ['fsGroup', 'runAsUser', 'runAsGroup'], field)
  for (const [index, group] of (Array.isArray(context['supplementalGroups']) ? (context['supplementalGroups'] as unknown[]) : []).entries())
    for (const detail of idErrors(number(group))) yield invalid(`${field}.supplementalGroups[${String(index)}]`, group, detail)
  if (spec['shareProcessNamespace'] === true && spec['hostPID'] === true)
    yield invalid(`${field}.shareProcessNamespace`, true, 'ShareProcessNamespace and HostPID cannot both be enabled')
  yield* sysctlErrors(objects(context['sysctls']), `${field}.sysctls`)
  const policy = context['fsGroupChangePolicy']
  if (has(policy) && policy !== 'Always' && policy !== 'OnRootMismatch')
    yield notSupported(`${field}.fsGroupChangePolicy`, policy, ['Always', 'OnRootMismatch'])
  yield* seccompProfileErrors(context['seccompProfile'], `${field}.seccompProfile`)
  yield* windowsErrors(context['windowsOptions'], `${field}.windowsOptions`)
}

/** A container's securityContext. */
export function* containerSecurityErrors(given: unknown, field: string): Iterable<FieldError> {
  const context = pointer(given)
  if (context === null) return
  yield* idFieldErrors(context, ['runAsUser', 'runAsGroup'], field)
  const procMount = context['procMount']
  if (has(procMount) && procMount !== 'Default' && procMount !== 'Unmasked') yield notSupported(`${field}.procMount`, procMount, ['Default', 'Unmasked'])
  yield* seccompProfileErrors(context['seccompProfile'], `${field}.seccompProfile`)
  if (context['allowPrivilegeEscalation'] === false) {
    const shown = typed('core.v1.SecurityContext', context)
    if (context['privileged'] === true) yield invalid(field, shown, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true')
    for (const capability of texts(object(context['capabilities'])['add']))
      if (capability === 'CAP_SYS_ADMIN') yield invalid(field, shown, 'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN')
  }
  yield* windowsErrors(context['windowsOptions'], `${field}.windowsOptions`)
}

export function isForbiddenSeccomp(profile: JsonObject, annotation: string): 'type' | 'localhostProfile' | null {
  switch (profile['type']) {
    case 'Unconfined':
      return annotation === 'unconfined' ? null : 'type'
    case 'RuntimeDefault':
      return annotation === 'runtime/default' || annotation === 'docker/default' ? null : 'type'
    case 'Localhost':
      if (!annotation.startsWith('localhost/')) return 'type'
      return annotation.slice('localhost/'.length) === profile['localhostProfile'] ? null : 'localhostProfile'
    default:
      return null
  }
}

const SECCOMP_ANNOTATION = 'seccomp.security.alpha.kubernetes.io/'

/** What seccomp annotations of releases before 1.27 say must agree with the fields. */
export function* seccompMatchErrors(annotations: Readonly<Record<string, string>>, spec: JsonObject, specField: string): Iterable<FieldError> {
  if (!Object.keys(annotations).some((key) => key.includes(SECCOMP_ANNOTATION))) return
  const check = function* (context: unknown, key: string, field: string): Iterable<FieldError> {
    const profile = pointer(object(context)['seccompProfile'])
    const annotation = annotations[key]
    if (profile === null || annotation === undefined) return
    const wrong = isForbiddenSeccomp(profile, annotation)
    if (wrong === null) return
    const what = wrong === 'type' ? 'type' : 'profile'
    yield forbidden(`${field}.securityContext.seccompProfile.${wrong}`, `seccomp ${what} in annotation and field must match`)
  }
  yield* check(spec['securityContext'], 'seccomp.security.alpha.kubernetes.io/pod', specField)
  for (const list of ['initContainers', 'containers'])
    for (const [index, container] of objects(spec[list]).entries())
      yield* check(
        container['securityContext'],
        `container.seccomp.security.alpha.kubernetes.io/${text(container['name'])}`,
        `${specField}.${list}[${String(index)}]`,
      )
}
