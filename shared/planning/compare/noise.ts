import { embeddedMetadata } from '#shared/kubernetes/embeddedMetadata.ts'
import { deepCopy } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'

/** Kinds whose objects come and go by themselves, by plural. */
const RESTLESS = new Set(['events', 'leases', 'endpoints', 'endpointslices'])
/** Annotations that controllers keep up to date. */
const RESTLESS_ANNOTATIONS = ['control-plane.alpha.kubernetes.io/leader', 'deployment.kubernetes.io/revision']

/** Whether differences of a kind say nothing about what people made. */
export function isRestless(resource: string): boolean {
  return RESTLESS.has(resource)
}

/**
 * What two states of an object are compared by: without what the server writes with every change, and, unless asked for,
 * without status.
 */
export function comparable(object: KubeObject, { status = false }: { status?: boolean } = {}): KubeObject {
  const { resourceVersion: _r, managedFields: _m, generation: _g, selfLink: _s, annotations, ...metadata } = object.metadata
  const kept = Object.fromEntries(Object.entries(annotations ?? {}).filter(([name]) => !RESTLESS_ANNOTATIONS.includes(name)))
  const result: KubeObject = { ...object, metadata: { ...metadata, ...(Object.keys(kept).length === 0 ? {} : { annotations: kept }) } }
  if (!status) delete result['status']
  return withoutEmptyTimes(result)
}

/** Some releases write a template's creation time, which is never set, as null, others not at all. */
function withoutEmptyTimes(object: KubeObject): KubeObject {
  const isEmpty = ({ creationTimestamp }: Record<string, unknown>): boolean => creationTimestamp === null
  if (!embeddedMetadata(object).some(isEmpty)) return object
  const copy = deepCopy(object)
  for (const metadata of embeddedMetadata(copy)) if (isEmpty(metadata)) delete metadata['creationTimestamp']
  return copy
}
