import { deepEqual, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { newControllerRef, specOf } from '../../controller.ts'
import { createdMs, newSetReplicas, REVISION, REVISION_HISTORY, revisionOf, sizeAnnotations } from './replicas.ts'
import { podTemplateHash } from './podTemplateHash.ts'

export const HASH = 'pod-template-hash'
/** The history of a set that is rolled back to again and again ends somewhere (upstream: 2000 characters). */
const MAX_HISTORY = 2_000
const NOT_COPIED = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  REVISION_HISTORY,
  ...['desired', 'max'].map((each) => `deployment.kubernetes.io/${each}-replicas`),
  'deprecated.deployment.rollback.to',
])

/** Equal pod templates, the label with the hash left out. */
export function sameTemplate(set: KubeObject, deployment: KubeObject): boolean {
  return deepEqual(withoutHash(specOf(set)['template']), withoutHash(specOf(deployment)['template']))
}

function withoutHash(template: unknown): JsonObject {
  const { metadata } = objectAt(template)
  const { [HASH]: hash, ...labels } = objectAt(objectAt(metadata)['labels'])
  return hash === undefined ? objectAt(template) : { ...objectAt(template), metadata: { ...objectAt(metadata), labels } }
}

/** The oldest set of the current template. */
export function findNewSet(deployment: KubeObject, sets: readonly KubeObject[]): KubeObject | undefined {
  return sets
    .toSorted((a, b) => createdMs(a) - createdMs(b) || ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1))
    .find((set) => sameTemplate(set, deployment))
}

/** The annotations a set takes from its deployment, with its revision and those it had before. */
export function setAnnotations(deployment: KubeObject, set: KubeObject, revision: bigint): Record<string, string> {
  const copied = Object.fromEntries(Object.entries(deployment.metadata.annotations ?? {}).filter(([key]) => !NOT_COPIED.has(key)))
  const own = set.metadata.annotations ?? {}
  const annotations = { ...own, ...copied }
  const before = own[REVISION]
  if (before === undefined || revisionOf(set) < revision) {
    annotations[REVISION] = String(revision)
    if (before !== undefined) {
      const history = (own[REVISION_HISTORY] ?? '').split(',').filter((each) => each !== '')
      if (!history.includes(before)) history.push(before)
      while (history.join(',').length > MAX_HISTORY) history.shift()
      annotations[REVISION_HISTORY] = history.join(',')
    }
  }
  return annotations
}

/** The set a deployment makes for its template; its name ends in the template's hash. */
export function newReplicaSet(
  deployment: KubeObject,
  others: readonly KubeObject[],
  { revision, collisions }: { revision: bigint; collisions: number },
): KubeObject {
  const spec = specOf(deployment)
  const hash = podTemplateHash(spec['template'], collisions)
  const template = structuredClone(objectAt(spec['template']))
  const metadata = objectAt(template['metadata'])
  const labels = { ...objectAt(metadata['labels']), [HASH]: hash } as Record<string, string>
  template['metadata'] = { ...metadata, labels }
  const selector = objectAt(spec['selector'])
  const set: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${deployment.metadata.name ?? ''}-${hash}`,
      namespace: deployment.metadata.namespace ?? '',
      labels,
      ownerReferences: [newControllerRef(deployment)],
    },
    spec: {
      replicas: newSetReplicas(deployment, others, 0),
      selector: { ...selector, matchLabels: { ...objectAt(selector['matchLabels']), [HASH]: hash } },
      template,
      ...(spec['minReadySeconds'] === undefined ? {} : { minReadySeconds: spec['minReadySeconds'] }),
    },
  }
  set.metadata.annotations = { ...setAnnotations(deployment, set, revision), ...sizeAnnotations(deployment) }
  return set
}
