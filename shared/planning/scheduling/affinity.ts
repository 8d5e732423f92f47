import { isObject, objectAt, type JsonObject } from '../../kubernetes/json.ts'
import { matchesLabelSelector, matchesRequirements, selectorRequirements } from '../../kubernetes/labelSelector.ts'
import type { KubeObject } from '../../kubernetes/object.ts'
import { objectsAt, specOf, textAt } from './pod.ts'

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

/** nodeSelector and required node affinity, read once for many nodes; null when every node will do. */
export function nodeSelection(pod: KubeObject): ((node: KubeObject) => boolean) | null {
  const spec = specOf(pod)
  const labels = Object.entries(objectAt(spec['nodeSelector']))
  const required = objectAt(objectAt(spec['affinity'])['nodeAffinity'])['requiredDuringSchedulingIgnoredDuringExecution']
  const terms = isObject(required) ? objectsAt(required['nodeSelectorTerms']) : null
  if (labels.length === 0 && terms === null) return null
  return (node) => {
    for (const [key, value] of labels) if (node.metadata.labels?.[key] !== value) return false
    return terms === null || terms.some((term) => termMatchesNode(term, node))
  }
}

/** The same of one node. */
export const matchesNodeSelection = (pod: KubeObject, node: KubeObject): boolean => nodeSelection(pod)?.(node) ?? true

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
  /** Equal for terms that select the same pods; null when that depends on the labels of namespaces, which change. */
  key: string | null
}

export interface PodAffinity {
  required: readonly PodTerm[]
  preferred: readonly PodTerm[]
}

export type NamespaceLabels = (namespace: string) => Record<string, string>

function podTerm(term: JsonObject, owner: KubeObject, { weight, namespaceLabels }: { weight: number; namespaceLabels: NamespaceLabels }): PodTerm {
  const named = strings(term['namespaces'])
  const own = owner.metadata.namespace ?? ''
  const selector = isObject(term['namespaceSelector']) ? term['namespaceSelector'] : null
  const namespaces = named.length === 0 && selector === null ? [own] : named
  const requirements = selectorRequirements(term['labelSelector'])
  const inNamespace = (namespace: string): boolean =>
    namespaces.includes(namespace) || (selector !== null && matchesLabelSelector(selector, namespaceLabels(namespace)))
  return {
    topologyKey: textAt(term['topologyKey']),
    weight,
    matches: (pod) => requirements !== null && inNamespace(pod.metadata.namespace ?? '') && matchesRequirements(requirements, pod.metadata.labels ?? {}),
    key: selector === null ? JSON.stringify([namespaces, requirements]) : null,
  }
}

const NONE: PodAffinity = { required: [], preferred: [] }

/** Affinity or anti-affinity between pods. */
export function podAffinity(pod: KubeObject, kind: 'podAffinity' | 'podAntiAffinity', namespaceLabels: NamespaceLabels): PodAffinity {
  const affinity = objectAt(specOf(pod)['affinity'])[kind]
  if (!isObject(affinity)) return NONE
  return {
    required: objectsAt(affinity['requiredDuringSchedulingIgnoredDuringExecution']).map((term) => podTerm(term, pod, { weight: 0, namespaceLabels })),
    preferred: objectsAt(affinity['preferredDuringSchedulingIgnoredDuringExecution']).map((each) =>
      podTerm(objectAt(each['podAffinityTerm']), pod, { weight: Number(each['weight'] ?? 0), namespaceLabels }),
    ),
  }
}

/** Rules of pods that are remembered: replicas share theirs. */
const MAX_KNOWN = 4_096

export interface PodTerms {
  affinity: PodAffinity
  antiAffinity: PodAffinity
}

/** The terms of pods that run: each is asked for every pod that is scheduled. Pods that ask for the same share theirs, and a term that two of them have is one. */
export class AffinityTerms {
  readonly #namespaceLabels: NamespaceLabels
  readonly #byPod = new WeakMap<KubeObject, PodTerms>()
  readonly #byText = new Map<string, PodTerms>()

  constructor(namespaceLabels: NamespaceLabels) {
    this.#namespaceLabels = namespaceLabels
  }

  of(pod: KubeObject): PodTerms {
    let terms = this.#byPod.get(pod)
    if (terms === undefined) {
      terms = this.#shared(pod)
      this.#byPod.set(pod, terms)
    }
    return terms
  }

  #shared(pod: KubeObject): PodTerms {
    const { podAffinity: together, podAntiAffinity: apart } = objectAt(specOf(pod)['affinity'])
    const text = JSON.stringify([pod.metadata.namespace, together, apart])
    const known = this.#byText.get(text)
    if (known !== undefined) return known
    const terms = { affinity: podAffinity(pod, 'podAffinity', this.#namespaceLabels), antiAffinity: podAffinity(pod, 'podAntiAffinity', this.#namespaceLabels) }
    if (this.#byText.size >= MAX_KNOWN) this.#byText.clear()
    this.#byText.set(text, terms)
    return terms
  }
}
