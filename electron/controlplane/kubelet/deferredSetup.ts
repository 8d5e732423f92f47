import { isRunByShell } from './containerProcess.ts'
import type { Container, Pod, Projection, Volume } from './types.ts'

/** What every namespace gets of its cluster's certificate authority, which every pod's token volume shows. */
export const ROOT_CA = 'kube-root-ca.crt'

const isOwnProjection = ({ configMap, secret }: Projection): boolean =>
  secret === undefined && (configMap === undefined || (configMap.name === ROOT_CA && configMap.optional !== true))

const isOwnVolume = ({ emptyDir, downwardAPI, projected }: Volume): boolean =>
  emptyDir !== undefined || downwardAPI !== undefined || projected?.sources?.every(isOwnProjection) === true

const isOwnContainer = ({ env = [], envFrom = [], command = [], args = [], volumeMounts = [] }: Container): boolean =>
  envFrom.length === 0 &&
  env.every(({ valueFrom }) => valueFrom?.configMapKeyRef === undefined && valueFrom?.secretKeyRef === undefined) &&
  [...command, ...args].every((text) => !text.includes('$(')) &&
  volumeMounts.every(({ subPath = '', subPathExpr = '' }) => subPath === '' && subPathExpr === '')

/**
 * Whether everything a pod's containers refer to is the pod's own, or its namespace's `kube-root-ca.crt`: then no volume and no variable can
 * be one that cannot be had, and they may be made when somebody looks for them. Of tens of thousands of pods hardly any is looked into.
 */
export function canBeDeferred({ spec }: Pod): boolean {
  return (spec.volumes ?? []).every(isOwnVolume) && [...(spec.initContainers ?? []), ...spec.containers].every(isOwnContainer)
}

/** Whether the pod's volumes show `kube-root-ca.crt`. */
export function showsRootCa({ spec }: Pod): boolean {
  return (spec.volumes ?? []).some(({ projected }) => (projected?.sources ?? []).some(({ configMap }) => configMap !== undefined))
}

/** Whether the container's process does nothing by which what it is given could be told. */
export const runsUnseen = (container: Container): boolean => !isRunByShell(container) && container.lifecycle?.postStart === undefined
