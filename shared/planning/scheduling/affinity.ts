import { isObject, type JsonObject } from '../../kubernetes/json.ts'
import { matchesLabelSelector } from '../../kubernetes/labelSelector.ts'
import type { KubeObject } from '../../kubernetes/object.ts'
import { objectAt, objectsAt, specOf, textAt } from './pod.ts'

const strings = (value: unknown): string[] => (Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [])

function requirementMatches({ key: keyValue, operator, values }: JsonObject, labels: Readonly<Record<string, string>>): boolean {
  const value = labels[textAt(keyValue)]
  const listed = strings(values)
  switch (operator) {
    case 'In':
      return value !== undefined && listed.includes(value)
    case 'NotIn':
      return value === undefined || !listed.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
      return value !== undefined && /^-?\d+$/.test(value) && Number(value) > Number(listed[0])
    case 'Lt':
      return value !== undefined && /^-?\d+$/.test(value) && Number(value) < Number(listed[0])
    default:
      return false
  }
}

/** One NodeSelectorTerm; an empty one matches nothing. */
export function termMatchesNode(term: JsonObject, node: KubeObject): boolean {
  const expressions = objectsAt(term['matchExpressions'])
  const fields = objectsAt(term['matchFields'])
  if (expressions.length === 0 && fields.length === 0) return false
  return (
    expressions.every((each) => requirementMatches(each, node.metadata.labels ?? {})) &&
    fields.every((each) => requirementMatches(each, { 'metadata.name': node.metadata.name ?? '' }))
  )
}

/** nodeSelector and required node affinity. */
export function matchesNodeSelection(pod: KubeObject, node: KubeObject): boolean {
  const spec = specOf(pod)
  const labels = node.metadata.labels ?? {}
  for (const [key, value] of Object.entries(objectAt(spec['nodeSelector']))) if (labels[key] !== value) return false
  const required = objectAt(objectAt(spec['affinity'])['nodeAffinity'])['requiredDuringSchedulingIgnoredDuringExecution']
  if (!isObject(required)) return true
  return objectsAt(required['nodeSelectorTerms']).some((term) => termMatchesNode(term, node))
}

/** The sum of the weights of preferred node affinity terms that match. */
export function nodePreference(pod: KubeObject, node: KubeObject): number {
  const preferred = objectsAt(objectAt(objectAt(specOf(pod)['affinity'])['nodeAffinity'])['preferredDuringSchedulingIgnoredDuringExecution'])
  return preferred.reduce((sum, { weight, preference }) => sum + (isObject(preference) && termMatchesNode(preference, node) ? Number(weight) : 0), 0)
}

/** A PodAffinityTerm with its namespaces resolved. */
export interface PodTerm {
  topologyKey: string
  weight: number
  matches(pod: KubeObject): boolean
}

export interface PodAffinity {
  required: PodTerm[]
  preferred: PodTerm[]
}

function podTerm(term: JsonObject, owner: KubeObject, weight: number, namespaceLabels: (namespace: string) => Record<string, string>): PodTerm {
  const named = strings(term['namespaces'])
  const selector = term['namespaceSelector']
  const own = owner.metadata.namespace ?? ''
  const inNamespace = (namespace: string): boolean =>
    named.includes(namespace) || (isObject(selector) ? matchesLabelSelector(selector, namespaceLabels(namespace)) : named.length === 0 && namespace === own)
  return {
    topologyKey: textAt(term['topologyKey']),
    weight,
    matches: (pod) => inNamespace(pod.metadata.namespace ?? '') && matchesLabelSelector(term['labelSelector'], pod.metadata.labels ?? {}),
  }
}

/** Affinity or anti-affinity between pods. */
export function podAffinity(
  pod: KubeObject,
  kind: 'podAffinity' | 'podAntiAffinity',
  namespaceLabels: (namespace: string) => Record<string, string>,
): PodAffinity {
  const affinity = objectAt(objectAt(specOf(pod)['affinity'])[kind])
  return {
    required: objectsAt(affinity['requiredDuringSchedulingIgnoredDuringExecution']).map((term) => podTerm(term, pod, 0, namespaceLabels)),
    preferred: objectsAt(affinity['preferredDuringSchedulingIgnoredDuringExecution']).map((each) =>
      podTerm(objectAt(each['podAffinityTerm']), pod, Number(each['weight'] ?? 0), namespaceLabels),
    ),
  }
}
