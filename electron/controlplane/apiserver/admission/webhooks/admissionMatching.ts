import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import { matchesLabelSelector } from '#shared/kubernetes/labelSelector.ts'
import type { ApiResource, ApiResources } from '../../registry/apiResources.ts'
import type { Store } from '../../storage/store.ts'
import type { AdmissionRequest } from '../admission.ts'

const objects = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [])

/** The resource a hook sees a request as: the request's own, or another version of it. */
export interface Match {
  resource: ApiResource
}

const isNamespace = ({ group, plural }: ApiResource): boolean => group === '' && plural === 'namespaces'

function ruleMatches(rule: JsonObject, resource: ApiResource, { operation, namespace, name, object, context }: AdmissionRequest): boolean {
  const has = (values: unknown, wanted: string): boolean => texts(values).some((each) => each === '*' || each === wanted)
  const scoped = namespace !== '' && !isNamespace(resource)
  if (rule['scope'] === 'Namespaced' && !scoped) return false
  if (rule['scope'] === 'Cluster' && scoped) return false
  const names = texts(rule['resourceNames'])
  if (names.length > 0 && !names.includes(name === '' ? (object.metadata.name ?? '') : name)) return false
  return (
    has(rule['operations'], operation) &&
    has(rule['apiGroups'], resource.group) &&
    has(rule['apiVersions'], resource.version) &&
    texts(rule['resources']).some((each) => {
      const [plural = '', subresource = ''] = each.split('/', 2)
      return (plural === '*' || plural === resource.plural) && (subresource === '*' || subresource === context.subresource)
    })
  )
}

/**
 * Whether a webhook's or policy's rules and selectors take a request, and as which version. Nothing is ever asked about the
 * objects that configure admission itself: a mistake in them could not be put right.
 *
 * @param constraints with `namespaceSelector`, `objectSelector`, `matchPolicy`
 */
export function matchAdmission(
  constraints: JsonObject,
  { rules, excludeRules = [] }: { rules: unknown; excludeRules?: unknown },
  request: AdmissionRequest,
  { store, resources }: { store: Store; resources: ApiResources },
): Match | null {
  const { resource } = request
  if (resource.group === 'admissionregistration.k8s.io') return null
  if (!namespaceMatches(constraints['namespaceSelector'], request, store) || !objectMatches(constraints['objectSelector'], request)) return null
  const find = (list: unknown): ApiResource | undefined => {
    if (objects(list).some((rule) => ruleMatches(rule, resource, request))) return resource
    if (constraints['matchPolicy'] === 'Exact') return undefined
    // Other versions of the same objects, and other groups that store them.
    const equivalent = resources.list.filter((each) => each !== resource && each.plural === resource.plural && each.storagePrefix === resource.storagePrefix)
    for (const rule of objects(list)) {
      const other = equivalent.find((each) => ruleMatches(rule, each, request))
      if (other !== undefined) return other
    }
    return undefined
  }
  const found = find(rules)
  return found === undefined || find(excludeRules) !== undefined ? null : { resource: found }
}

function namespaceMatches(selector: unknown, { resource, namespace, operation, object, name }: AdmissionRequest, store: Store): boolean {
  if (selector === undefined || (namespace === '' && !isNamespace(resource))) return true
  if (isNamespace(resource) && (operation === 'CREATE' || operation === 'UPDATE')) return matchesLabelSelector(selector, object.metadata.labels ?? {})
  const found = store.collection('namespaces').get(`/registry/namespaces/${namespace === '' ? name : namespace}`)
  return matchesLabelSelector(selector, found?.object.metadata.labels ?? {})
}

/** Either state of the object may match: a label taken away must not let a change slip by. */
function objectMatches(selector: unknown, { object, old }: AdmissionRequest): boolean {
  if (selector === undefined) return true
  return matchesLabelSelector(selector, object.metadata.labels ?? {}) || (old !== null && matchesLabelSelector(selector, old.metadata.labels ?? {}))
}
