import type { KubeObject } from '../../kubernetes/object.ts'
import { objectsAt, specOf, textAt } from './pod.ts'

export interface Taint {
  key: string
  value: string
  effect: string
}

export interface Toleration {
  key: string
  operator: string
  value: string
  effect: string
  /** Only of NoExecute; absent = for ever. */
  tolerationSeconds?: number
}

export function taintsOf(node: KubeObject): Taint[] {
  return objectsAt(specOf(node)['taints']).map((taint) => ({ key: textAt(taint['key']), value: textAt(taint['value']), effect: textAt(taint['effect']) }))
}

export function tolerationsOf(pod: KubeObject): Toleration[] {
  return objectsAt(specOf(pod)['tolerations']).map((each) => ({
    key: textAt(each['key']),
    operator: textAt(each['operator']) || 'Equal',
    value: textAt(each['value']),
    effect: textAt(each['effect']),
    ...(typeof each['tolerationSeconds'] === 'number' ? { tolerationSeconds: each['tolerationSeconds'] } : {}),
  }))
}

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect !== '' && toleration.effect !== taint.effect) return false
  if (toleration.key !== '' && toleration.key !== taint.key) return false
  return toleration.operator === 'Exists' || toleration.value === taint.value
}

/** The first taint of the given effects that no toleration covers. */
export function untolerated(taints: readonly Taint[], tolerations: readonly Toleration[], effects: readonly string[]): Taint | null {
  return taints.find((taint) => effects.includes(taint.effect) && !tolerations.some((each) => tolerates(each, taint))) ?? null
}
