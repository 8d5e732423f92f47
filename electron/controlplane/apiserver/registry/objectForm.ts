import { canonicalize, emptiedPaths } from '#shared/kubernetes/codec/canonical.ts'
import { applyDefaults } from '#shared/kubernetes/defaults/defaults.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { ApiResource } from './apiResources.ts'

/** Defaults the object itself. */
export function complete(object: KubeObject, resource: ApiResource): KubeObject {
  if (resource.custom === undefined) applyDefaults(object, resource.kubernetesMinor)
  else resource.custom.applyDefaults(object)
  return object
}

/** Upstream defaults again when it reads what it has written, and what was written empty is not there then. */
export function asRead(object: KubeObject, resource: ApiResource): KubeObject {
  const { custom, group, version, storage } = resource
  if (custom !== undefined || group !== storage.group || version !== storage.version || emptiedPaths(object).length === 0) return object
  // A copy does not know what was written empty.
  return complete({ ...object }, resource)
}

/** What Go's types make of an object; a custom resource has none, and was pruned when it was read. */
export function inForm(object: KubeObject, resource: ApiResource): KubeObject {
  return resource.custom === undefined ? canonicalize(object, resource.struct).object : object
}
