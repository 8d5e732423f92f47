import type { JsonObject } from '../json.ts'
import { duplicate, forbidden, invalid, notFound, notSupported, required, type FieldError } from './fieldError.ts'
import { ENV_FIELDS, fieldSelectorErrors, resourceSelectorErrors } from './fieldSelectors.ts'
import { configKeyErrors, dnsLabelErrors, envVarNameErrors, httpHeaderNameErrors, portNameErrors, portNumberErrors, subdomainName } from './names.ts'
import { nonNegative, requirementErrors } from './resources.ts'
import { containerSecurityErrors } from './securityContext.ts'
import { has, number, object, objects, pointer, text, texts } from './values.ts'
import { descendingPathErrors } from './volumeSources.ts'

export const PROTOCOLS = ['SCTP', 'TCP', 'UDP']
const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never']

export type Volumes = ReadonlyMap<string, JsonObject>

/** A port by number or name, as probes and services' targets have it. */
export function* portErrors(port: unknown, field: string): Iterable<FieldError> {
  if (typeof port === 'string') for (const detail of portNameErrors(port)) yield invalid(field, port, detail)
  else for (const detail of portNumberErrors(number(port))) yield invalid(field, number(port), detail)
}

export function* protocolErrors(protocol: unknown, field: string): Iterable<FieldError> {
  if (text(protocol) === '') yield required(field)
  else if (!PROTOCOLS.includes(text(protocol))) yield notSupported(field, protocol, PROTOCOLS)
}

function* handlerErrors(handler: JsonObject, field: string, later: string[] = []): Iterable<FieldError> {
  let count = 0
  const more = (kind: string): FieldError => forbidden(`${field}.${kind}`, 'may not specify more than 1 handler type')
  const exec = pointer(handler['exec'])
  if (exec !== null) {
    count += 1
    if (texts(exec['command']).length === 0) yield required(`${field}.exec.command`)
  }
  const http = pointer(handler['httpGet'])
  if (http !== null) {
    if (count > 0) yield more('httpGet')
    else {
      count += 1
      if (text(http['path']) === '') yield required(`${field}.httpGet.path`)
      yield* portErrors(http['port'], `${field}.httpGet.port`)
      const scheme = text(http['scheme'])
      if (scheme !== 'HTTP' && scheme !== 'HTTPS') yield notSupported(`${field}.httpGet.scheme`, scheme, ['HTTP', 'HTTPS'])
      for (const header of objects(http['httpHeaders']))
        for (const detail of httpHeaderNameErrors(text(header['name']))) yield invalid(`${field}.httpGet.httpHeaders`, text(header['name']), detail)
    }
  }
  const tcp = pointer(handler['tcpSocket'])
  if (tcp !== null) {
    if (count > 0) yield more('tcpSocket')
    else {
      count += 1
      yield* portErrors(tcp['port'], `${field}.tcpSocket.port`)
    }
  }
  for (const kind of later) {
    if (pointer(handler[kind]) === null) continue
    if (count > 0) yield more(kind)
    count += 1
  }
  if (count === 0) yield required(field, 'must specify a handler type')
}

const PROBE_NUMBERS = ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold']

function* probeErrors(probe: unknown, field: string): Iterable<FieldError> {
  const given = pointer(probe)
  if (given === null) return
  yield* handlerErrors(given, field, ['grpc'])
  for (const name of PROBE_NUMBERS) yield* nonNegative(number(given[name]), `${field}.${name}`)
}

function* onceErrors(probe: unknown, field: string): Iterable<FieldError> {
  yield* probeErrors(probe, field)
  const given = pointer(probe)
  const threshold = number(given?.['successThreshold'])
  if (given !== null && threshold !== 1) yield invalid(`${field}.successThreshold`, threshold, 'must be 1')
}

function* containerPortErrors(ports: JsonObject[], field: string): Iterable<FieldError> {
  const names = new Set<string>()
  for (const [index, port] of ports.entries()) {
    const at = `${field}[${String(index)}]`
    const name = text(port['name'])
    if (name !== '') {
      const errors = portNameErrors(name)
      for (const detail of errors) yield invalid(`${at}.name`, name, detail)
      if (errors.length === 0 && names.has(name)) yield duplicate(`${at}.name`, name)
      if (errors.length === 0) names.add(name)
    }
    const [containerPort, hostPort] = [number(port['containerPort']), number(port['hostPort'])]
    if (containerPort === 0) yield required(`${at}.containerPort`)
    else for (const detail of portNumberErrors(containerPort)) yield invalid(`${at}.containerPort`, containerPort, detail)
    if (hostPort !== 0) for (const detail of portNumberErrors(hostPort)) yield invalid(`${at}.hostPort`, hostPort, detail)
    yield* protocolErrors(port['protocol'], `${at}.protocol`)
  }
}

function* keyReferenceErrors(reference: JsonObject, field: string): Iterable<FieldError> {
  const [name, key] = [text(reference['name']), text(reference['key'])]
  for (const detail of subdomainName(name, false)) yield invalid(`${field}.name`, name, detail)
  if (key === '') yield required(`${field}.key`)
  else for (const detail of configKeyErrors(key)) yield invalid(`${field}.key`, key, detail)
}

function* envErrors(variables: JsonObject[], field: string): Iterable<FieldError> {
  for (const [index, variable] of variables.entries()) {
    const at = `${field}[${String(index)}]`
    const name = text(variable['name'])
    if (name === '') yield required(`${at}.name`)
    else for (const detail of envVarNameErrors(name)) yield invalid(`${at}.name`, name, detail)
    const from = pointer(variable['valueFrom'])
    if (from === null) continue
    const source = `${at}.valueFrom`
    const [fieldRef, resource, configMap, secret] = ['fieldRef', 'resourceFieldRef', 'configMapKeyRef', 'secretKeyRef'].map((each) => pointer(from[each]))
    const count = [fieldRef, resource, configMap, secret, pointer(from['fileKeyRef'])].filter((each) => has(each)).length
    if (has(fieldRef)) yield* fieldSelectorErrors(object(fieldRef), ENV_FIELDS, `${source}.fieldRef`)
    if (has(resource)) yield* resourceSelectorErrors(object(resource), `${source}.resourceFieldRef`, false)
    if (has(configMap)) yield* keyReferenceErrors(object(configMap), `${source}.configMapKeyRef`)
    if (has(secret)) yield* keyReferenceErrors(object(secret), `${source}.secretKeyRef`)
    if (count === 0) yield invalid(source, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`')
    else if (text(variable['value']) !== '') yield invalid(source, '', 'may not be specified when `value` is not empty')
    else if (count > 1) yield invalid(source, '', 'may not have more than one field specified at a time')
  }
}

/** A name of a reference that may be a prefix, as upstream checks envFrom's. */
function* envFromErrors(list: JsonObject[], field: string): Iterable<FieldError> {
  for (const [index, each] of list.entries()) {
    const at = `${field}[${String(index)}]`
    const prefix = text(each['prefix'])
    if (prefix !== '') for (const detail of envVarNameErrors(prefix)) yield invalid(`${at}.prefix`, prefix, detail)
    let count = 0
    for (const kind of ['configMapRef', 'secretRef']) {
      const reference = pointer(each[kind])
      if (reference === null) continue
      count += 1
      const name = text(reference['name'])
      if (name === '') yield required(`${at}.${kind}.name`)
      else for (const detail of subdomainName(name, true)) yield invalid(`${at}.${kind}.name`, name, detail)
    }
    if (count === 0) yield invalid(field, '', 'must specify one of: `configMapRef` or `secretRef`')
    else if (count > 1) yield invalid(field, '', 'may not have more than one field specified at a time')
  }
}

const PROPAGATIONS = ['Bidirectional', 'HostToContainer', 'None']

function* mountErrors(container: JsonObject, volumes: Volumes, field: string): Iterable<FieldError> {
  const devices = objects(container['volumeDevices'])
  // Of devices with one name the last counts, as in upstream's map.
  const devicePaths = new Map(devices.map((each) => [text(each['name']), text(each['devicePath'])]))
  const paths = new Set<string>()
  for (const [index, mount] of objects(container['volumeMounts']).entries()) {
    const at = `${field}[${String(index)}]`
    const [name, path, subPath, expression] = [mount['name'], mount['mountPath'], mount['subPath'], mount['subPathExpr']].map(text) as [
      string,
      string,
      string,
      string,
    ]
    if (name === '') yield required(`${at}.name`)
    if (!volumes.has(name)) yield notFound(`${at}.name`, name)
    if (path === '') yield required(`${at}.mountPath`)
    if (paths.has(path)) yield invalid(`${at}.mountPath`, path, 'must be unique')
    paths.add(path)
    if (devicePaths.has(name)) yield invalid(`${at}.name`, name, 'must not already exist in volumeDevices')
    if ([...devicePaths.values()].includes(path)) yield invalid(`${at}.mountPath`, path, 'must not already exist as a path in volumeDevices')
    if (subPath !== '') yield* descendingPathErrors(subPath, `${field}.subPath`)
    if (expression !== '') {
      if (subPath !== '') yield invalid(`${at}.subPathExpr`, expression, 'subPathExpr and subPath are mutually exclusive')
      yield* descendingPathErrors(expression, `${field}.subPathExpr`)
    }
    const propagation = mount['mountPropagation']
    if (!has(propagation)) continue
    if (!PROPAGATIONS.includes(text(propagation))) yield notSupported(`${field}.mountPropagation`, propagation, PROPAGATIONS)
    if (propagation === 'Bidirectional' && object(container['securityContext'])['privileged'] !== true)
      yield forbidden(`${field}.mountPropagation`, 'Bidirectional mount propagation is available only to privileged containers')
  }
}

function* deviceErrors(container: JsonObject, volumes: Volumes, field: string): Iterable<FieldError> {
  const mountPaths = new Map(objects(container['volumeMounts']).map((each) => [text(each['name']), text(each['mountPath'])]))
  const [paths, names] = [new Set<string>(), new Set<string>()]
  for (const [index, device] of objects(container['volumeDevices']).entries()) {
    const at = `${field}[${String(index)}]`
    const [name, path] = [text(device['name']), text(device['devicePath'])]
    const volume = volumes.get(name)
    if (name === '') yield required(`${at}.name`)
    if (names.has(name)) yield invalid(`${at}.name`, name, 'must be unique')
    if (volume === undefined) yield notFound(`${at}.name`, name)
    else if (pointer(volume['persistentVolumeClaim']) === null)
      yield invalid(`${at}.name`, name, 'can only use volume source type of PersistentVolumeClaim for block mode')
    if (path === '') yield required(`${at}.devicePath`)
    if (paths.has(path)) yield invalid(`${at}.devicePath`, path, 'must be unique')
    if (path !== '' && path.split('/').includes('..')) yield invalid(`${at}.devicePath`, path, "can not contain backsteps ('..')")
    else paths.add(path)
    if (mountPaths.has(name)) yield invalid(`${at}.name`, name, 'must not already exist in volumeMounts')
    if ([...mountPaths.values()].includes(path)) yield invalid(`${at}.devicePath`, path, 'must not already exist as a path in volumeMounts')
    if (name !== '') names.add(name)
  }
}

const MESSAGE_POLICIES = "must be 'File' or 'FallbackToLogsOnError'"

function* containerErrors(container: JsonObject, volumes: Volumes, field: string): Iterable<FieldError> {
  if (text(container['image']) === '') yield required(`${field}.image`)
  const lifecycle = pointer(container['lifecycle'])
  for (const hook of ['postStart', 'preStop']) {
    const handler = pointer(lifecycle?.[hook])
    if (handler !== null) yield* handlerErrors(handler, `${field}.lifecycle.${hook}`, ['sleep'])
  }
  yield* onceErrors(container['livenessProbe'], `${field}.livenessProbe`)
  yield* onceErrors(container['startupProbe'], `${field}.startupProbe`)
  const policy = text(container['terminationMessagePolicy'])
  if (policy === '') yield required(`${field}.terminationMessagePolicy`, MESSAGE_POLICIES)
  else if (policy !== 'File' && policy !== 'FallbackToLogsOnError') yield invalid(`${field}.terminationMessagePolicy`, policy, MESSAGE_POLICIES)
  yield* probeErrors(container['readinessProbe'], `${field}.readinessProbe`)
  yield* containerPortErrors(objects(container['ports']), `${field}.ports`)
  yield* envErrors(objects(container['env']), `${field}.env`)
  yield* envFromErrors(objects(container['envFrom']), `${field}.envFrom`)
  yield* mountErrors(container, volumes, `${field}.volumeMounts`)
  yield* deviceErrors(container, volumes, `${field}.volumeDevices`)
  const pull = text(container['imagePullPolicy'])
  if (pull === '') yield required(`${field}.imagePullPolicy`)
  else if (!PULL_POLICIES.includes(pull)) yield notSupported(`${field}.imagePullPolicy`, pull, PULL_POLICIES)
  yield* requirementErrors(object(container['resources']), `${field}.resources`)
  yield* containerSecurityErrors(container['securityContext'], `${field}.securityContext`)
}

function* hostPortErrors(containers: readonly (readonly [number, JsonObject])[], field: string): Iterable<FieldError> {
  const taken = new Set<string>()
  for (const [index, container] of containers)
    for (const [at, port] of objects(container['ports']).entries()) {
      const hostPort = number(port['hostPort'])
      if (hostPort === 0) continue
      const id = `${text(port['protocol'])}/${text(port['hostIP'])}/${String(hostPort)}`
      if (taken.has(id)) yield duplicate(`${field}[${String(index)}].ports[${String(at)}].hostPort`, id)
      taken.add(id)
    }
}

/** @param each whether host ports need to differ within each container only, as in init containers, which run one after the other */
export function* containersErrors(containers: JsonObject[], volumes: Volumes, field: string, each = false): Iterable<FieldError> {
  if (containers.length === 0) {
    yield required(field)
    return
  }
  const names = new Set<string>()
  for (const [index, container] of containers.entries()) {
    const at = `${field}[${String(index)}]`
    const name = text(container['name'])
    if (name === '') yield required(`${at}.name`)
    else for (const detail of dnsLabelErrors(name)) yield invalid(`${at}.name`, name, detail)
    if (names.has(name)) yield duplicate(`${at}.name`, name)
    names.add(name)
    yield* containerErrors(container, volumes, at)
  }
  if (each) for (const container of containers) yield* hostPortErrors([[0, container]], field)
  else yield* hostPortErrors([...containers.entries()], field)
}
