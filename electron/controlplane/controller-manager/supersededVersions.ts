import type { KubeObject } from '#shared/kubernetes/object.ts'

/**
 * Versions of an object that its controller has written over and whose successor its informer has not told yet. Looking at one of
 * them would do again what was done; a write that went through proves that nothing came between.
 */
export class SupersededVersions {
  readonly #versions = new Map<string, Set<string>>()

  /** @param written what the server answered; a write that changed nothing leaves the version as it is */
  wrote(before: KubeObject, written: KubeObject): void {
    const { uid = '', resourceVersion = '' } = before.metadata
    if (written.metadata.resourceVersion === resourceVersion) return
    const versions = this.#versions.get(uid)
    if (versions === undefined) this.#versions.set(uid, new Set([resourceVersion]))
    else versions.add(resourceVersion)
  }

  /** Whether the informer still holds a version that was replaced. Any other clears what is remembered. */
  has(object: KubeObject): boolean {
    const { uid = '', resourceVersion = '' } = object.metadata
    if (this.#versions.get(uid)?.has(resourceVersion) === true) return true
    this.#versions.delete(uid)
    return false
  }

  forget({ metadata }: KubeObject): void {
    this.#versions.delete(metadata.uid ?? '')
  }
}
