import { deepEqual, isObject, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import { matchesLabelSelector } from '#shared/kubernetes/labelSelector.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isAlreadyExists, isNotFound } from '#shared/kubernetes/status.ts'
import { CONTROLLER_REVISIONS } from '#electron/client/resources.ts'
import type { Informer } from '#electron/client/informer.ts'
import { controllerRef, countAt, isDeleting, newControllerRef, specOf, type ControllerContext } from './controller.ts'
import { fnv32, goJson, safeEncode } from './generatedHash.ts'

/** Label with the hash of a revision's data. */
export const REVISION_HASH = 'controller.kubernetes.io/hash'

export const revisionNumber = (revision: KubeObject): number => countAt(revision['revision'])

/** Until then Go writes a template's creation time though it is not set. */
const TIMES_OMITTED_SINCE = 34

/**
 * What a revision keeps of a workload: a patch that replaces its pod template. Clients compare its bytes with what Go's types make of the
 * workload, so its keys are sorted, and a release's own nulls are in it.
 */
export function revisionData(template: unknown, minor: number): JsonObject {
  const own = objectAt(template)
  const metadata = { ...(minor < TIMES_OMITTED_SINCE ? { creationTimestamp: null } : {}), ...objectAt(own['metadata']) }
  return JSON.parse(goJson({ spec: { template: { ...own, metadata, $patch: 'replace' } } })) as JsonObject
}

/** The template a revision keeps. */
export function revisionTemplate(revision: KubeObject): JsonObject {
  const { $patch: _, ...template } = objectAt(objectAt(objectAt(revision['data'])['spec'])['template'])
  return template
}

/** Upstream's history.HashControllerRevision: FNV of the data, with the number of collisions behind it. */
export function revisionHash(data: JsonObject, collisions: number): string {
  return safeEncode(String(fnv32(Buffer.from(`${goJson(data)}${String(collisions)}`))))
}

/** ControllerRevisions of StatefulSets and DaemonSets (upstream's pkg/controller/history). */
export class ControllerHistory {
  readonly #context: ControllerContext
  readonly #revisions: Informer

  constructor(context: ControllerContext) {
    this.#context = context
    this.#revisions = context.informer(CONTROLLER_REVISIONS)
  }

  onEvent(listener: Parameters<Informer['onEvent']>[0]): void {
    this.#revisions.onEvent(listener)
  }

  /** Revisions of the owner, oldest first; orphans that match its selector are adopted. */
  async claim(owner: KubeObject, signal: AbortSignal): Promise<KubeObject[]> {
    const mine: KubeObject[] = []
    for (const revision of this.#revisions.byIndex('namespace', owner.metadata.namespace ?? '')) {
      const ref = controllerRef(revision)
      if (ref?.uid === owner.metadata.uid) mine.push(revision)
      else if (
        ref === undefined &&
        !isDeleting(owner) &&
        !isDeleting(revision) &&
        matchesLabelSelector(specOf(owner)['selector'], revision.metadata.labels ?? {})
      )
        mine.push(await this.#patch(revision, { metadata: { uid: revision.metadata.uid, ownerReferences: [newControllerRef(owner)] } }, signal))
    }
    return sorted(mine)
  }

  /** @returns the new revision, or the number of collisions to try next when another owner has the name */
  async create(
    owner: KubeObject,
    options: { data: JsonObject; revision: number; hash: string; labels: Record<string, string>; collisions: number },
    signal: AbortSignal,
  ): Promise<{ revision: KubeObject } | { collisions: number }> {
    const { namespace, name = '', annotations } = owner.metadata
    const { data, revision, hash, labels, collisions } = options
    const object: KubeObject = {
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: {
        name: `${name}-${hash}`,
        namespace: namespace ?? '',
        labels,
        ...(annotations === undefined ? {} : { annotations }),
        ownerReferences: [newControllerRef(owner)],
      },
      data,
      revision,
    }
    try {
      return { revision: await this.#context.client.create(CONTROLLER_REVISIONS, { namespace }, object, signal) }
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      const known = await this.#context.client.get(CONTROLLER_REVISIONS, { namespace, name: `${name}-${hash}` }, signal)
      return deepEqual(known['data'], data) && controllerRef(known)?.uid === owner.metadata.uid ? { revision: known } : { collisions: collisions + 1 }
    }
  }

  /** A revision that is rolled back to becomes the newest. */
  renumber(revision: KubeObject, number: number, signal: AbortSignal): Promise<KubeObject> {
    return revisionNumber(revision) === number ? Promise.resolve(revision) : this.#patch(revision, { revision: number }, signal)
  }

  relabel(revision: KubeObject, labels: Record<string, string>, signal: AbortSignal): Promise<KubeObject> {
    return this.#patch(revision, { metadata: { labels } }, signal)
  }

  /** Deletes the oldest revisions that nothing lives from, beyond `limit` of them. */
  async truncate(revisions: readonly KubeObject[], live: ReadonlySet<string>, limit: number, signal: AbortSignal): Promise<void> {
    const idle = revisions.filter(({ metadata }) => !live.has(metadata.name ?? ''))
    for (const { metadata } of idle.slice(0, Math.max(0, idle.length - limit))) {
      try {
        await this.#context.client.delete(CONTROLLER_REVISIONS, { namespace: metadata.namespace, name: metadata.name ?? '' }, {}, signal)
      } catch (error) {
        if (!isNotFound(error)) throw error
      }
    }
  }

  #patch({ metadata }: KubeObject, patch: JsonObject, signal: AbortSignal): Promise<KubeObject> {
    return this.#context.client.patch(CONTROLLER_REVISIONS, { namespace: metadata.namespace, name: metadata.name ?? '' }, patch, { type: 'merge' }, signal)
  }
}

/** By revision, then by age, then by name. */
export function sorted(revisions: readonly KubeObject[]): KubeObject[] {
  return revisions.toSorted(
    (a, b) =>
      revisionNumber(a) - revisionNumber(b) ||
      Date.parse(a.metadata.creationTimestamp ?? '') - Date.parse(b.metadata.creationTimestamp ?? '') ||
      ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1),
  )
}

/** Equal data, and equal hashes where both carry one. */
export function equalRevisions(revisions: readonly KubeObject[], data: JsonObject): KubeObject[] {
  return revisions.filter((each) => isObject(each['data']) && deepEqual(timeless(each['data']), timeless(data)))
}

/** Another release may have made a revision: whether it says that a time is not set makes no other template. */
function timeless(data: JsonObject): unknown {
  return JSON.parse(JSON.stringify(data, (key, value: unknown) => (key === 'creationTimestamp' && value === null ? undefined : value)))
}
