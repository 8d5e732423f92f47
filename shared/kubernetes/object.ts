/** metav1.ObjectMeta as JSON. Times are RFC 3339 text; resourceVersion is opaque. */
export interface ObjectMeta {
  name?: string
  generateName?: string
  namespace?: string
  uid?: string
  resourceVersion?: string
  generation?: number
  creationTimestamp?: string | null
  deletionTimestamp?: string
  deletionGracePeriodSeconds?: number
  labels?: Record<string, string>
  annotations?: Record<string, string>
  ownerReferences?: OwnerReference[]
  finalizers?: string[]
  managedFields?: ManagedFieldsEntry[]
  selfLink?: string
}

export interface OwnerReference {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean
  blockOwnerDeletion?: boolean
}

export interface ManagedFieldsEntry {
  manager?: string
  operation?: 'Apply' | 'Update'
  apiVersion?: string
  time?: string
  fieldsType?: string
  fieldsV1?: Record<string, unknown>
  subresource?: string
}

/** Any Kubernetes object as JSON. */
export interface KubeObject {
  apiVersion?: string
  kind?: string
  metadata: ObjectMeta
  [field: string]: unknown
}

export interface KubeList<T = KubeObject> {
  apiVersion: string
  kind: string
  metadata: { resourceVersion?: string; continue?: string; remainingItemCount?: number }
  items: T[]
}

/** Group, version and plural resource name; the core group is ''. */
export interface GroupVersionResource {
  group: string
  version: string
  resource: string
}

export interface GroupVersionKind {
  group: string
  version: string
  kind: string
}

/** `apps/v1`, or `v1` for the core group. */
export function groupVersion({ group, version }: { group: string; version: string }): string {
  return group === '' ? version : `${group}/${version}`
}

/** Splits `apps/v1` or `v1`. */
export function parseGroupVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf('/')
  return slash < 0 ? { group: '', version: apiVersion } : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) }
}

/** REST path of a collection or object, e.g. `/apis/apps/v1/namespaces/default/deployments/web/scale`. */
export function resourcePath(
  gvr: GroupVersionResource,
  target: { namespace?: string | undefined; name?: string | undefined; subresource?: string | undefined } = {},
): string {
  const root = gvr.group === '' ? `/api/${gvr.version}` : `/apis/${gvr.group}/${gvr.version}`
  const scope = target.namespace === undefined || target.namespace === '' ? '' : `/namespaces/${encodeURIComponent(target.namespace)}`
  const name = target.name === undefined ? '' : `/${encodeURIComponent(target.name)}`
  const subresource = target.subresource === undefined ? '' : `/${target.subresource}`
  return `${root}${scope}/${gvr.resource}${name}${subresource}`
}
