import type { JsonObject } from '../json.ts'
import { containersErrors, type Volumes } from './containers.ts'
import { parseAddress } from './addresses.ts'
import { duplicate, forbidden, invalid, notFound, notSupported, required, typed, type FieldError } from './fieldError.ts'
import { annotationErrors, labelErrors, labelsOf } from './metadata.ts'
import { dnsLabelErrors, dnsSubdomainErrors, qualifiedNameErrors, rangeError, subdomainName } from './names.ts'
import { podAnnotationErrors } from './podAnnotations.ts'
import { requirementErrors } from './resources.ts'
import { podSecurityErrors, seccompMatchErrors } from './securityContext.ts'
import { affinityErrors, tolerationErrors } from './selectors.ts'
import { byteLength, has, number, object, objects, pointer, text, texts } from './values.ts'
import { checkVolumes } from './volumes.ts'

export const MAX_INT32 = 2_147_483_647

/** One of some values, where '' is missing. Upstream lists the values in this order. */
export function* oneOf(value: string, values: readonly string[], field: string): Iterable<FieldError> {
  if (value === '') yield required(field)
  else if (!values.includes(value)) yield notSupported(field, value, values)
}

function* labelTextErrors(value: string, field: string): Iterable<FieldError> {
  for (const detail of dnsLabelErrors(value)) yield invalid(field, value, detail)
}

function* subdomainTextErrors(value: string, field: string): Iterable<FieldError> {
  for (const detail of dnsSubdomainErrors(value)) yield invalid(field, value, detail)
}

function* nameTextErrors(value: string, field: string): Iterable<FieldError> {
  for (const detail of subdomainName(value, false)) yield invalid(field, value, detail)
}

/** Fields that only a running container can use; a restartable init container is one. */
const RUNNING_ONLY = [
  ['lifecycle', 'core.v1.Lifecycle'],
  ['livenessProbe', 'core.v1.Probe'],
  ['readinessProbe', 'core.v1.Probe'],
  ['startupProbe', 'core.v1.Probe'],
] as const

function* initContainerErrors(containers: JsonObject[], others: JsonObject[], volumes: Volumes, field: string): Iterable<FieldError> {
  if (containers.length > 0) yield* containersErrors(containers, volumes, field, true)
  const names = new Set(others.map((each) => text(each['name'])))
  for (const [index, container] of containers.entries()) {
    const at = `${field}[${String(index)}]`
    const name = text(container['name'])
    if (names.has(name)) yield duplicate(`${at}.name`, name)
    if (name !== '') names.add(name)
    if (container['restartPolicy'] === 'Always') continue
    for (const [member, type] of RUNNING_ONLY)
      if (has(container[member])) yield invalid(`${at}.${member}`, typed(type, container[member]), 'must not be set for init containers')
  }
}

const EPHEMERAL_FIELDS = new Set([
  'name',
  'image',
  'command',
  'args',
  'workingDir',
  'envFrom',
  'env',
  'volumeMounts',
  'terminationMessagePath',
  'terminationMessagePolicy',
  'imagePullPolicy',
  'securityContext',
  'stdin',
  'stdinOnce',
  'tty',
  'targetContainerName',
])

/** Debug containers of a pod. */
export function* ephemeralContainerErrors(spec: JsonObject, volumes: Volumes, field: string): Iterable<FieldError> {
  const containers = [...objects(spec['containers']), ...objects(spec['initContainers'])]
  const names = new Set(containers.map((each) => text(each['name'])))
  for (const [index, container] of objects(spec['ephemeralContainers']).entries()) {
    const at = `${field}[${String(index)}]`
    const [name, target] = [text(container['name']), text(container['targetContainerName'])]
    if (target !== '' && !names.has(target)) yield notFound(`${at}.targetContainerName`, target)
    if (name === '') {
      yield required(at, 'ephemeralContainer requires a name')
      continue
    }
    yield* containersErrors([container], volumes, at)
    yield* imageErrors([container], at)
    if (names.has(name)) yield duplicate(`${at}.name`, name)
    names.add(name)
    for (const member of Object.keys(container))
      if (!EPHEMERAL_FIELDS.has(member) && !isZero(container[member])) yield forbidden(`${at}.${member}`, 'cannot be set for an Ephemeral Container')
  }
}

function isZero(value: unknown): boolean {
  return !has(value) || value === '' || value === 0 || value === false || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)
}

/** Blanks around images, which templates may have and pods not. */
export function* imageErrors(containers: JsonObject[], field: string): Iterable<FieldError> {
  for (const [index, container] of containers.entries()) {
    const image = text(container['image'])
    if (image.trim() !== image) yield invalid(`${field}[${String(index)}].image`, image, 'must not have leading or trailing whitespace')
  }
}

function* dnsConfigErrors(config: JsonObject | null, policy: string, field: string): Iterable<FieldError> {
  const [servers, searches] = [texts(config?.['nameservers']), texts(config?.['searches'])]
  if (policy === 'None') {
    if (config === null) {
      yield required(field, 'must provide `dnsConfig` when `dnsPolicy` is None')
      return
    }
    if (servers.length === 0) {
      yield required(`${field}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None')
      return
    }
  }
  if (config === null) return
  if (servers.length > 3) yield invalid(`${field}.nameservers`, typed('[]string', servers), 'must not have more than 3 nameservers')
  for (const [index, server] of servers.entries())
    if (parseAddress(server) === null) yield invalid(`${field}.nameservers[${String(index)}]`, server, 'must be valid IP address')
  if (searches.length > 6) yield invalid(`${field}.searches`, typed('[]string', searches), 'must not have more than 6 search paths')
  if (byteLength(searches.join(' ')) > 256)
    yield invalid(`${field}.searches`, typed('[]string', searches), 'must not have more than 256 characters (including spaces) in the search list')
  for (const [index, search] of searches.entries()) yield* subdomainTextErrors(search.replace(/\.$/, ''), `${field}.searches[${String(index)}]`)
  for (const [index, option] of objects(config['options']).entries())
    if (text(option['name']) === '') yield required(`${field}.options[${String(index)}]`, 'must not be empty')
}

function* spreadErrors(constraints: JsonObject[], field: string): Iterable<FieldError> {
  const idOf = (each: JsonObject): string => `{${text(each['topologyKey'])}, ${text(each['whenUnsatisfiable'])}}`
  for (const [index, constraint] of constraints.entries()) {
    const at = `${field}[${String(index)}]`
    if (number(constraint['maxSkew']) <= 0) yield invalid(`${at}.maxSkew`, number(constraint['maxSkew']), 'must be greater than zero')
    if (text(constraint['topologyKey']) === '') yield required(`${at}.topologyKey`, 'can not be empty')
    const action = text(constraint['whenUnsatisfiable'])
    if (action !== 'DoNotSchedule' && action !== 'ScheduleAnyway') yield notSupported(`${at}.whenUnsatisfiable`, action, ['DoNotSchedule', 'ScheduleAnyway'])
    if (constraints.slice(index + 1).some((each) => idOf(each) === idOf(constraint)))
      yield duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, idOf(constraint))
  }
}

/**
 * A pod's spec, in a pod or in a template.
 *
 * @param podName '' in a template
 */
export function* podSpecErrors(spec: JsonObject, field: string, podName: string): Iterable<FieldError> {
  const { byName, errors } = checkVolumes(objects(spec['volumes']), `${field}.volumes`, podName)
  yield* errors
  const containers = objects(spec['containers'])
  yield* containersErrors(containers, byName, `${field}.containers`)
  yield* initContainerErrors(objects(spec['initContainers']), containers, byName, `${field}.initContainers`)
  yield* ephemeralContainerErrors(spec, byName, `${field}.ephemeralContainers`)
  yield* oneOf(text(spec['restartPolicy']), ['Always', 'OnFailure', 'Never'], `${field}.restartPolicy`)
  yield* oneOf(text(spec['dnsPolicy']), ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'], `${field}.dnsPolicy`)
  yield* labelErrors(spec['nodeSelector'], `${field}.nodeSelector`)
  yield* podSecurityErrors(spec, field)
  yield* affinityErrors(spec['affinity'], `${field}.affinity`)
  yield* dnsConfigErrors(pointer(spec['dnsConfig']), text(spec['dnsPolicy']), `${field}.dnsConfig`)
  for (const [index, gate] of objects(spec['readinessGates']).entries())
    for (const detail of qualifiedNameErrors(text(gate['conditionType'])))
      yield invalid(`${field}.readinessGates[${String(index)}].conditionType`, text(gate['conditionType']), detail)
  yield* spreadErrors(objects(spec['topologySpreadConstraints']), `${field}.topologySpreadConstraints`)
  for (const name of ['serviceAccountName', 'nodeName'] as const) if (text(spec[name]) !== '') yield* nameTextErrors(text(spec[name]), `${field}.${name}`)
  const deadline = spec['activeDeadlineSeconds']
  if (has(deadline) && (number(deadline) < 1 || number(deadline) > MAX_INT32))
    yield invalid(`${field}.activeDeadlineSeconds`, deadline, rangeError(1, MAX_INT32))
  for (const name of ['hostname', 'subdomain'] as const) if (text(spec[name]) !== '') yield* labelTextErrors(text(spec[name]), `${field}.${name}`)
  yield* tolerationErrors(objects(spec['tolerations']), `${field}.tolerations`)
  for (const alias of objects(spec['hostAliases'])) {
    if (parseAddress(text(alias['ip'])) === null) yield invalid(`${field}.hostAliases.ip`, text(alias['ip']), 'must be valid IP address')
    for (const name of texts(alias['hostnames'])) yield* subdomainTextErrors(name, `${field}.hostAliases.hostnames`)
  }
  if (text(spec['priorityClassName']) !== '') yield* nameTextErrors(text(spec['priorityClassName']), `${field}.priorityClassName`)
  if (has(spec['runtimeClassName'])) yield* nameTextErrors(text(spec['runtimeClassName']), `${field}.runtimeClassName`)
  if (has(spec['preemptionPolicy'])) yield* oneOf(text(spec['preemptionPolicy']), ['PreemptLowerPriority', 'Never'], `${field}.preemptionPolicy`)
  if (has(spec['overhead'])) yield* requirementErrors({ limits: spec['overhead'] }, `${field}.overhead`)
}

/** A pod template: labels, annotations and spec. */
export function* podTemplateErrors(template: JsonObject, field: string): Iterable<FieldError> {
  const metadata = object(template['metadata'])
  const spec = object(template['spec'])
  yield* labelErrors(metadata['labels'], `${field}.labels`)
  yield* annotationErrors(metadata['annotations'], `${field}.annotations`)
  yield* podAnnotationErrors(object(metadata['annotations']), spec, `${field}.annotations`)
  yield* podSpecErrors(spec, `${field}.spec`, '')
  yield* seccompMatchErrors(object(metadata['annotations']) as Record<string, string>, spec, `${field}.spec`)
  if (objects(spec['ephemeralContainers']).length > 0) yield forbidden(`${field}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template')
}

/** GCE disks of more than one pod can only be read. */
export function* readOnlyDiskErrors(template: JsonObject, field: string): Iterable<FieldError> {
  for (const [index, volume] of objects(object(template['spec'])['volumes']).entries()) {
    const disk = pointer(volume['gcePersistentDisk'])
    if (disk !== null && disk['readOnly'] !== true)
      yield invalid(
        `${field}.spec.volumes[${String(index)}].gcePersistentDisk.readOnly`,
        false,
        'must be true for replicated pods > 1; GCE PD can only be mounted on multiple machines if it is read-only',
      )
  }
}

/** What holds for templates of pods that are replaced when they end. @param what the owner, as the error names it */
export function* alwaysRestartedErrors(template: JsonObject, field: string, what: string): Iterable<FieldError> {
  const spec = object(template['spec'])
  if (text(spec['restartPolicy']) !== 'Always') yield notSupported(`${field}.spec.restartPolicy`, text(spec['restartPolicy']), ['Always'])
  if (has(spec['activeDeadlineSeconds'])) yield forbidden(`${field}.spec.activeDeadlineSeconds`, `activeDeadlineSeconds in ${what} is not Supported`)
}

export function unmatchedTemplate(template: JsonObject, field: string): FieldError {
  const labels = object(template['metadata'])['labels']
  return invalid(
    `${field}.metadata.labels`,
    typed('map[string]string', has(labels) ? labelsOf(template) : undefined),
    '`selector` does not match template `labels`',
  )
}
