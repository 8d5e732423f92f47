import { servedResources } from '#shared/kubernetes/schema/served.ts'
import type { EncryptionConfiguration, Opened } from './encryptionConfiguration.ts'
import { isSealed } from './encryptionConfiguration.ts'

/** How values go into etcd and come out of it. */
export interface ValueTransformer {
  /** @param prefix of storage, such as `secrets`; `path` is the etcd key */
  seal(prefix: string, path: string, plain: Uint8Array): Uint8Array
  /** @throws Error when the value cannot be read */
  open(prefix: string, path: string, stored: Uint8Array): Opened
}

/** Values as they are; what somebody encrypted cannot be read. */
export const PLAIN_VALUES: ValueTransformer = {
  seal: (_, __, plain) => plain,
  open: (_, __, stored) => {
    if (isSealed(stored)) throw new Error('the value is encrypted; start with the --encryption-provider-config it was written with')
    return { bytes: stored, stale: false }
  },
}

/** Values as an EncryptionConfiguration wants them, resources told by where they are kept. */
export class SealedValues implements ValueTransformer {
  readonly #configuration: EncryptionConfiguration
  readonly #resources = new Map<string, string>()

  constructor(configuration: EncryptionConfiguration, kubernetesVersion: string) {
    this.#configuration = configuration
    for (const { group, plural, storage, storagePrefix } of servedResources(kubernetesVersion))
      if (storagePrefix !== null && storage.group === group) this.#resources.set(storagePrefix, group === '' ? plural : `${plural}.${group}`)
  }

  seal(prefix: string, path: string, plain: Uint8Array): Uint8Array {
    return this.#configuration.seal(this.#resource(prefix), path, plain)
  }

  open(prefix: string, path: string, stored: Uint8Array): Opened {
    return this.#configuration.open(this.#resource(prefix), path, stored)
  }

  /** Custom resources lie under `<group>/<plural>`. */
  #resource(prefix: string): string {
    const [group = '', plural] = prefix.split('/')
    return this.#resources.get(prefix) ?? (plural === undefined ? prefix : `${plural}.${group}`)
  }
}
