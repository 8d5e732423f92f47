import { deepEqual, isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import { groupVersion, type KubeObject } from '#shared/kubernetes/object.ts'
import type { ApiResource } from '../registry/apiResources.ts'
import { mergeContext } from '../registry/mergeContext.ts'

/** metav1.MicroTime as it is stored. */
const MICRO_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$/

/**
 * The Lease that an update makes which only renews it: it sends what is stored, but for a later time that its writer, who is the only one, owns already.
 * What is stored has its form, defaults and owners, so none of them is worked out again. Thousands of nodes do nothing else at rest.
 *
 * @param sent as it came, without duplicate fields
 * @param live what is stored
 * @returns null for any other update
 */
export function renewedLease(
  sent: unknown,
  live: KubeObject | undefined,
  resource: ApiResource,
  { manager, now }: { manager: string; now: string },
): KubeObject | null {
  if (resource.group !== 'coordination.k8s.io' || resource.plural !== 'leases' || live === undefined || !isObject(sent)) return null
  const { spec: sentSpec, ...sentRest } = sent
  const { spec, ...rest } = live
  if (live.apiVersion !== groupVersion(resource) || !isObject(sentSpec) || !isObject(spec)) return null
  const { renewTime, ...sentKept } = sentSpec
  const { renewTime: before, ...kept } = spec
  if (typeof before !== 'string' || typeof renewTime !== 'string' || renewTime <= before) return null
  if (!MICRO_TIME.test(renewTime) || Number.isNaN(Date.parse(renewTime)) || !deepEqual(sentKept, kept) || !deepEqual(sentRest, rest)) return null
  const [own, ...others] = live.metadata.managedFields ?? []
  if (own === undefined || others.length > 0) return null
  if (own.manager !== manager || own.operation !== 'Update' || own.apiVersion !== live.apiVersion || (own.subresource ?? '') !== '') return null
  if (at(at(own.fieldsV1)['f:spec'])['f:renewTime'] === undefined) return null
  // As the tracking of owners has it: earlier releases leave the time of who owns what it owned before.
  const managedFields = [mergeContext(resource, '').version4 === true ? own : { ...own, time: now }]
  return { ...live, metadata: { ...live.metadata, managedFields }, spec: { ...spec, renewTime } }
}

const at = (value: unknown): JsonObject => (isObject(value) ? value : {})
