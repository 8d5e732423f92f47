import { applyDefaults } from '#shared/kubernetes/defaults/defaults.ts'
import { canonicalize } from '#shared/kubernetes/codec/canonical.ts'
import { encodeProtobuf } from '#shared/kubernetes/codec/codec.ts'
import { deepCopy } from '#shared/kubernetes/json.ts'
import { groupVersion, parseGroupVersion, type KubeObject } from '#shared/kubernetes/object.ts'
import { builtinSchema } from '#shared/kubernetes/schema/schema.ts'
import type { Entry } from '../storage/entry.ts'
import type { ApiResource } from './apiResources.ts'
import { convertAutoscaler } from './autoscalerConversion.ts'
import { convertIngress } from './ingressConversion.ts'

/** Names of an event's fields: core/v1 on the left, events.k8s.io/v1 on the right. */
const EVENT_FIELDS = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
] as const

function renamed(object: KubeObject, from: 0 | 1): KubeObject {
  const result: KubeObject = { ...object }
  for (const pair of EVENT_FIELDS) {
    const value = result[pair[from]]
    if (from === 0 ? pair[0] in result : pair[1] in result) {
      // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- renaming a field of a fresh copy
      delete result[pair[from]]
      result[pair[1 - from] as string] = value
    }
  }
  return result
}

/** An object of the request's version in the version that is stored. */
export function toStorage(object: KubeObject, resource: ApiResource): KubeObject {
  if (resource.custom !== undefined) return resource.custom.toStorage(object)
  return convert(object, resource, { group: resource.group, version: resource.version }, resource.storage)
}

/** The same, by the webhook where one converts. @throws StatusError 500 when it fails */
export async function toStored(object: KubeObject, resource: ApiResource, signal: AbortSignal): Promise<KubeObject> {
  return resource.custom === undefined ? toStorage(object, resource) : resource.custom.toStored(object, signal)
}

/** Must come before `fromStorage` of custom resources that a webhook converts. @throws StatusError 500 when it fails */
export async function prepareToRead(stored: readonly KubeObject[], resource: ApiResource, signal: AbortSignal): Promise<void> {
  if (resource.custom?.isConvertedByWebhook === true) await resource.custom.prepare(stored, signal)
}

/** A stored object in the request's version. */
export function fromStorage(object: KubeObject, resource: ApiResource): KubeObject {
  if (resource.custom !== undefined) return resource.custom.read(object)
  return convert(object, resource, resource.storage, { group: resource.group, version: resource.version })
}

/** What a dry run would have written and read. */
export function asIfStored(object: KubeObject, resource: ApiResource): KubeObject {
  return resource.custom === undefined ? fromStorage(toStorage(object, resource), resource) : object
}

/** What an object says of itself: before an update, older ones are still in the version that their release stored. */
const versionOf = ({ apiVersion }: KubeObject, { version }: GroupVersion): string => parseGroupVersion(apiVersion ?? '').version || version

type GroupVersion = { group: string; version: string }

function convert(object: KubeObject, { kind, kubernetesMinor }: ApiResource, from: GroupVersion, to: GroupVersion): KubeObject {
  const apiVersion = groupVersion(to)
  const autoscaler = kind === 'HorizontalPodAutoscaler' && (from.version === 'v1' || to.version === 'v1' || from.version !== to.version)
  if (object.apiVersion === apiVersion && !autoscaler) return object
  let converted: KubeObject = object
  if (kind === 'Event' && from.group !== to.group) converted = renamed(object, from.group === '' ? 0 : 1)
  // Also from v1 to v1: what came in annotations is written there anew.
  if (autoscaler) converted = convertAutoscaler(object, versionOf(object, from), to.version)
  // Another API server on the same etcd may have stored it in a version of its own choice.
  if (kind === 'Ingress' && (object.apiVersion === 'networking.k8s.io/v1') !== (to.version === 'v1'))
    converted = convertIngress(object, to.version === 'v1' ? 'v1' : 'v1beta1')
  converted = { ...converted, apiVersion, kind }
  const struct = builtinSchema.typeOf(apiVersion, kind)
  if (struct === null) return converted
  // What the other version does not have is dropped, what it defaults is set: as upstream's conversion through JSON of that version.
  const copy = deepCopy(converted)
  applyDefaults(copy, kubernetesMinor)
  return canonicalize(copy, struct).object
}

const encoder = new TextEncoder()

/**
 * The bytes that go to etcd: upstream's encoding, without the resource version, which is etcd's own.
 *
 * @param previous what is written over; its unknown fields stay as long as it is stored in the same version
 */
export function storedBytes(object: KubeObject, resource: ApiResource, previous: Entry | null): Uint8Array {
  const { resourceVersion: _, selfLink: __, ...metadata } = object.metadata
  const stored: KubeObject = { ...object, metadata }
  const kept = previous?.apiVersion === object.apiVersion ? (previous?.unknown ?? null) : null
  if (resource.storageEncoding === 'json') return encoder.encode(`${JSON.stringify(stored)}\n`)
  return encodeProtobuf(stored, kept, resource.kubernetesMinor)
}
