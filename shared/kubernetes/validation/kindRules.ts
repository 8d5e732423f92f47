import type { KubeObject } from '../object.ts'
import type { FieldError } from './fieldError.ts'

/** What a request says beside the object. */
export interface Target {
  group: string
  version: string
  kind: string
  namespaced: boolean
  /** '' for the main resource. */
  subresource: string
  /** Minor of the Kubernetes release whose rules count. */
  minor: number
}

/** What upstream's strategy of a kind checks; metadata that every kind has in common is checked beside it. */
export interface Rules {
  create: (created: KubeObject, target: Target) => Iterable<FieldError>
  update: (after: KubeObject, before: KubeObject, target: Target) => Iterable<FieldError>
  /** Writes of `/status`; without it they follow `update`. */
  status?: (after: KubeObject, before: KubeObject, target: Target) => Iterable<FieldError>
  /** Writes of other subresources that have rules of their own, by name. */
  subresources?: Readonly<Record<string, (after: KubeObject, before: KubeObject, target: Target) => Iterable<FieldError>>>
}
