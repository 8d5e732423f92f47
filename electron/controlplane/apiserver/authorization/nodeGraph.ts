import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { Collection } from '../storage/collection.ts'
import type { Store } from '../storage/store.ts'

/** What a pod lets its node read, all in the pod's namespace. */
interface PodReferences {
  node: string
  namespace: string
  secrets: Set<string>
  configMaps: Set<string>
  claims: Set<string>
  account: string
}

type ReferenceKind = 'secrets' | 'configmaps' | 'persistentvolumeclaims' | 'serviceaccounts'

const objects = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])
const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const at = (value: unknown, field: string): unknown => (isObject(value) ? value[field] : undefined)

const MIRROR = 'kubernetes.io/config.mirror'

/**
 * Which objects each node's pods refer to, kept from the stored pods; volumes and attachments are few and are looked up.
 * Changes are only noted when they come and read when a node asks.
 *
 * @see kubernetes plugin/pkg/auth/authorizer/node/graph.go
 */
export class NodeGraph {
  readonly #store: Store
  readonly #pods: Collection
  readonly #references = new Map<string, PodReferences>()
  readonly #byNode = new Map<string, Set<string>>()
  #changed: Set<string> | null = null

  constructor(store: Store) {
    this.#store = store
    this.#pods = store.collection('pods')
    this.#pods.onEvent(({ entry }) => this.#changed?.add(entry.key))
  }

  /** Whether a pod of the node refers to the object. */
  refers(node: string, kind: ReferenceKind, namespace: string, name: string): boolean {
    this.#refresh()
    for (const key of this.#byNode.get(node) ?? []) {
      const pod = this.#references.get(key)
      if (pod?.namespace !== namespace) continue
      switch (kind) {
        case 'secrets':
          if (pod.secrets.has(name)) return true
          break
        case 'configmaps':
          if (pod.configMaps.has(name)) return true
          break
        case 'persistentvolumeclaims':
          if (pod.claims.has(name)) return true
          break
        default:
          if (pod.account === name) return true
      }
    }
    return kind === 'secrets' && this.#volumeRefers(node, namespace, name)
  }

  /** Whether the volume is bound to a claim of a pod of the node. */
  hasVolume(node: string, name: string): boolean {
    const volume = this.#store.collection('persistentvolumes').get(`/registry/persistentvolumes/${name}`)
    return volume !== undefined && this.#claimedBy(node, volume.object)
  }

  hasAttachment(node: string, name: string): boolean {
    const attachment = this.#store.collection('volumeattachments').get(`/registry/volumeattachments/${name}`)
    return text(at(attachment?.object['spec'], 'nodeName')) === node
  }

  #claimedBy(node: string, volume: KubeObject): boolean {
    const claim = at(volume['spec'], 'claimRef')
    return isObject(claim) && this.refers(node, 'persistentvolumeclaims', text(claim['namespace']), text(claim['name']))
  }

  /** Secrets that mounting a bound volume takes. */
  #volumeRefers(node: string, namespace: string, name: string): boolean {
    for (const { object } of this.#store.collection('persistentvolumes').values()) {
      if (volumeSecrets(object).some((each) => each.name === name && each.namespace === namespace) && this.#claimedBy(node, object)) return true
    }
    return false
  }

  #refresh(): void {
    if (this.#changed === null) {
      this.#changed = new Set()
      for (const { key, object } of this.#pods.values()) this.#put(key, object)
      return
    }
    for (const key of this.#changed) this.#put(key, this.#pods.get(key)?.object)
    this.#changed.clear()
  }

  #put(key: string, pod: KubeObject | undefined): void {
    const before = this.#references.get(key)
    if (before !== undefined) {
      this.#references.delete(key)
      this.#byNode.get(before.node)?.delete(key)
    }
    const references = pod === undefined ? null : referencesOf(pod)
    if (references === null) return
    this.#references.set(key, references)
    const keys = this.#byNode.get(references.node)
    if (keys === undefined) this.#byNode.set(references.node, new Set([key]))
    else keys.add(key)
  }
}

/** Null for pods that run nowhere; a mirror pod is made by its node and must not give it rights. */
function referencesOf({ metadata, ...pod }: KubeObject): PodReferences | null {
  const spec = isObject(pod['spec']) ? pod['spec'] : {}
  const node = text(spec['nodeName'])
  if (node === '' || metadata.annotations?.[MIRROR] !== undefined) return null
  const references: PodReferences = {
    node,
    namespace: metadata.namespace ?? '',
    secrets: new Set(objects(spec['imagePullSecrets']).map((each) => text(each['name']))),
    configMaps: new Set(),
    claims: new Set(),
    account: text(spec['serviceAccountName']),
  }
  for (const container of [...objects(spec['initContainers']), ...objects(spec['containers']), ...objects(spec['ephemeralContainers'])])
    containerReferences(container, references)
  for (const volume of objects(spec['volumes'])) volumeReferences(volume, references, metadata.name ?? '')
  return references
}

function containerReferences(container: JsonObject, { secrets, configMaps }: PodReferences): void {
  for (const source of objects(container['envFrom'])) {
    if (isObject(source['secretRef'])) secrets.add(text(source['secretRef']['name']))
    if (isObject(source['configMapRef'])) configMaps.add(text(source['configMapRef']['name']))
  }
  for (const variable of objects(container['env'])) {
    const from = variable['valueFrom']
    if (!isObject(from)) continue
    if (isObject(from['secretKeyRef'])) secrets.add(text(from['secretKeyRef']['name']))
    if (isObject(from['configMapKeyRef'])) configMaps.add(text(from['configMapKeyRef']['name']))
  }
}

/** Volume sources that name a secret in `secretRef`. */
const WITH_SECRET_REF = ['cephfs', 'cinder', 'flexVolume', 'rbd', 'scaleIO', 'iscsi', 'storageos']

function volumeReferences(volume: JsonObject, { secrets, configMaps, claims }: PodReferences, pod: string): void {
  const source = (name: string): JsonObject => (isObject(volume[name]) ? volume[name] : {})
  const add = (set: Set<string>, name: unknown): void => {
    if (typeof name === 'string' && name !== '') set.add(name)
  }
  add(secrets, source('secret')['secretName'])
  add(secrets, source('azureFile')['secretName'])
  add(secrets, at(source('csi')['nodePublishSecretRef'], 'name'))
  for (const name of WITH_SECRET_REF) add(secrets, at(source(name)['secretRef'], 'name'))
  add(configMaps, source('configMap')['name'])
  for (const each of objects(source('projected')['sources'])) {
    add(secrets, at(each['secret'], 'name'))
    add(configMaps, at(each['configMap'], 'name'))
  }
  add(claims, source('persistentVolumeClaim')['claimName'])
  if (isObject(volume['ephemeral'])) claims.add(`${pod}-${text(volume['name'])}`)
}

/** Secrets of a persistent volume that the kubelet itself reads. */
function volumeSecrets(volume: KubeObject): { namespace: string; name: string }[] {
  const spec = isObject(volume['spec']) ? volume['spec'] : {}
  const claimNamespace = text(at(spec['claimRef'], 'namespace'))
  const refs: unknown[] = WITH_SECRET_REF.map((name) => at(spec[name], 'secretRef'))
  for (const name of ['nodePublishSecretRef', 'nodeStageSecretRef', 'nodeExpandSecretRef']) refs.push(at(spec['csi'], name))
  const azure = spec['azureFile']
  if (isObject(azure)) refs.push({ name: azure['secretName'], namespace: azure['secretNamespace'] })
  return refs.filter(isObject).map((ref) => ({ namespace: text(ref['namespace']) === '' ? claimNamespace : text(ref['namespace']), name: text(ref['name']) }))
}
