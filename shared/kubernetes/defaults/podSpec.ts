import { isObject, type JsonObject } from '../json.ts'
import { roundUpResources } from './resourceLists.ts'

/** Sets a field that is absent. Defaulting works on the object itself: it runs on a fresh copy of what was sent. */
export function setDefault(object: JsonObject, name: string, value: unknown): void {
  if (object[name] === undefined || object[name] === null) object[name] = value
}

/** A string field for which '' is as good as absent. */
export function setDefaultText(object: JsonObject, name: string, value: string): void {
  if (object[name] === undefined || object[name] === null || object[name] === '') object[name] = value
}

/** A number field for which 0 is as good as absent. */
export function setDefaultNumber(object: JsonObject, name: string, value: number): void {
  if (object[name] === undefined || object[name] === null || object[name] === 0) object[name] = value
}

/** The object in a field, made when it is absent. */
export function ensureObject(object: JsonObject, name: string): JsonObject {
  const found = object[name]
  if (isObject(found)) return found
  const made: JsonObject = {}
  object[name] = made
  return made
}

export function objectsIn(value: unknown): JsonObject[] {
  return Array.isArray(value) ? (value as unknown[]).filter(isObject) : []
}

const COMPONENT = '[a-z0-9]+(?:(?:\\.|__?|-+)[a-z0-9]+)*'
/** A registry, when the first part looks like a host; the path of the image; its tag. What has a digest or is no reference has none. */
const IMAGE = new RegExp(`^(?:(?=[^/]*[.:]|localhost/)[A-Za-z0-9.-]+(?::[0-9]+)?/)?${COMPONENT}(?:/${COMPONENT})*(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?$`)

/** `latest` when an image names neither tag nor digest. */
function imageTag(image: string): string {
  const match = IMAGE.exec(image)
  return match === null ? '' : (match[1] ?? 'latest')
}

function defaultProbe(probe: unknown): void {
  if (!isObject(probe)) return
  setDefaultNumber(probe, 'timeoutSeconds', 1)
  setDefaultNumber(probe, 'periodSeconds', 10)
  setDefaultNumber(probe, 'successThreshold', 1)
  setDefaultNumber(probe, 'failureThreshold', 3)
  defaultHandler(probe)
}

function defaultHandler(handler: unknown): void {
  if (!isObject(handler)) return
  const http = handler['httpGet']
  if (isObject(http)) {
    setDefaultText(http, 'path', '/')
    setDefaultText(http, 'scheme', 'HTTP')
  }
  const grpc = handler['grpc']
  if (isObject(grpc)) setDefault(grpc, 'service', '')
}

function defaultContainer(container: JsonObject): void {
  const image = typeof container['image'] === 'string' ? container['image'] : ''
  setDefaultText(container, 'imagePullPolicy', imageTag(image) === 'latest' ? 'Always' : 'IfNotPresent')
  setDefaultText(container, 'terminationMessagePath', '/dev/termination-log')
  setDefaultText(container, 'terminationMessagePolicy', 'File')
  for (const port of objectsIn(container['ports'])) setDefaultText(port, 'protocol', 'TCP')
  for (const env of objectsIn(container['env'])) {
    const from = env['valueFrom']
    if (isObject(from) && isObject(from['fieldRef'])) setDefaultText(from['fieldRef'], 'apiVersion', 'v1')
  }
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe']) defaultProbe(container[probe])
  const lifecycle = container['lifecycle']
  if (isObject(lifecycle)) for (const hook of ['postStart', 'preStop']) defaultHandler(lifecycle[hook])
  roundUpResources(container['resources'])
}

function defaultVolume(volume: JsonObject): void {
  const sources = Object.keys(volume).filter((name) => name !== 'name')
  if (sources.length === 0) volume['emptyDir'] = {}
  for (const name of ['secret', 'configMap', 'downwardAPI', 'projected']) if (isObject(volume[name])) setDefault(volume[name], 'defaultMode', 420)
  defaultVolumeSources(volume)
  const items = (source: unknown): JsonObject[] => (isObject(source) ? objectsIn(source['items']) : [])
  const fieldItems = [...items(volume['downwardAPI'])]
  const projected = volume['projected']
  for (const source of isObject(projected) ? objectsIn(projected['sources']) : []) {
    fieldItems.push(...items(source['downwardAPI']))
    const token = source['serviceAccountToken']
    if (isObject(token)) setDefault(token, 'expirationSeconds', 3600)
  }
  for (const item of fieldItems) if (isObject(item['fieldRef'])) setDefaultText(item['fieldRef'], 'apiVersion', 'v1')
  const ephemeral = volume['ephemeral']
  if (isObject(ephemeral) && isObject(ephemeral['volumeClaimTemplate']) && isObject(ephemeral['volumeClaimTemplate']['spec']))
    setDefault(ephemeral['volumeClaimTemplate']['spec'], 'volumeMode', 'Filesystem')
}

/** Defaults of sources that pods and persistent volumes have alike. */
export function defaultVolumeSources(holder: JsonObject): void {
  const { hostPath, iscsi, rbd, azureDisk, scaleIO } = holder
  if (isObject(hostPath)) setDefault(hostPath, 'type', '')
  if (isObject(iscsi)) setDefaultText(iscsi, 'iscsiInterface', 'default')
  if (isObject(rbd)) {
    setDefaultText(rbd, 'pool', 'rbd')
    setDefaultText(rbd, 'user', 'admin')
    setDefaultText(rbd, 'keyring', '/etc/ceph/keyring')
  }
  if (isObject(azureDisk)) {
    setDefault(azureDisk, 'cachingMode', 'ReadWrite')
    setDefault(azureDisk, 'kind', 'Shared')
    setDefault(azureDisk, 'fsType', 'ext4')
    setDefault(azureDisk, 'readOnly', false)
  }
  if (isObject(scaleIO)) {
    setDefaultText(scaleIO, 'storageMode', 'ThinProvisioned')
    setDefaultText(scaleIO, 'fsType', 'xfs')
  }
}

/** Defaults of a pod's spec, wherever it stands: in a pod or in a template. */
export function defaultPodSpec(spec: JsonObject): void {
  setDefaultText(spec, 'dnsPolicy', 'ClusterFirst')
  setDefaultText(spec, 'restartPolicy', 'Always')
  setDefault(spec, 'securityContext', {})
  setDefault(spec, 'terminationGracePeriodSeconds', 30)
  setDefaultText(spec, 'schedulerName', 'default-scheduler')
  if (typeof spec['serviceAccountName'] === 'string' && spec['serviceAccountName'] !== '') setDefaultText(spec, 'serviceAccount', spec['serviceAccountName'])
  else if (typeof spec['serviceAccount'] === 'string' && spec['serviceAccount'] !== '') spec['serviceAccountName'] = spec['serviceAccount']
  for (const volume of objectsIn(spec['volumes'])) defaultVolume(volume)
  for (const list of ['initContainers', 'containers', 'ephemeralContainers']) for (const container of objectsIn(spec[list])) defaultContainer(container)
  if (spec['hostNetwork'] === true) {
    for (const list of ['initContainers', 'containers'])
      for (const container of objectsIn(spec[list]))
        for (const port of objectsIn(container['ports'])) setDefaultNumber(port, 'hostPort', Number(port['containerPort'] ?? 0))
  }
}

/** Defaults that only pods have, not templates. */
export function defaultPod(pod: JsonObject): void {
  const spec = ensureObject(pod, 'spec')
  defaultPodSpec(spec)
  setDefault(spec, 'enableServiceLinks', true)
  for (const list of ['containers', 'initContainers'])
    for (const { resources } of objectsIn(spec[list])) {
      if (!isObject(resources) || !isObject(resources['limits'])) continue
      const requests = ensureObject(resources, 'requests')
      for (const [name, limit] of Object.entries(resources['limits'])) setDefault(requests, name, limit)
    }
}

/** Defaults of the template in an object's spec. */
export function defaultTemplate(owner: unknown): void {
  if (!isObject(owner)) return
  const template = owner['template']
  if (!isObject(template)) return
  const spec = template['spec']
  if (isObject(spec)) defaultPodSpec(spec)
}
