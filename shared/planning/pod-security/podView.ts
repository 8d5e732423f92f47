import { isObject, objectAt, type JsonObject } from '../../kubernetes/json.ts'

export const objectsAt = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])
export const textAt = (value: unknown): string => (typeof value === 'string' ? value : '')
export const textsAt = (value: unknown): string[] => (Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [])

/** What checks look at: a pod's, or a template's, metadata and spec. */
export interface PodView {
  annotations: JsonObject
  spec: JsonObject
}

export interface ContainerView {
  name: string
  container: JsonObject
  security: JsonObject
}

/** Init, plain and ephemeral containers, in upstream's order. */
export function containersOf({ spec }: PodView): ContainerView[] {
  return ['initContainers', 'containers', 'ephemeralContainers'].flatMap((field) =>
    objectsAt(spec[field]).map((container) => ({ name: textAt(container['name']), container, security: objectAt(container['securityContext']) })),
  )
}

export const podSecurity = ({ spec }: PodView): JsonObject => objectAt(spec['securityContext'])

/** `"a", "b"`: how messages list names. */
export const quotedList = (values: readonly string[]): string => values.map((each) => JSON.stringify(each)).join(', ')

export const counted = (one: string, many: string, count: number): string => (count === 1 ? one : many)

/** `container "a"`, `containers "a", "b"`. */
export const containerList = (names: readonly string[]): string => `${counted('container', 'containers', names.length)} ${quotedList(names)}`
