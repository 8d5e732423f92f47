import { decodeObject } from '#shared/kubernetes/codec/codec.ts'
import type { ValueTransformer } from './encryption/sealedValues.ts'
import { shownForm } from './storedForm.ts'

const encoder = new TextEncoder()

/** Values of a store that is only read, each object in the form that the served release shows. */
export class ShownValues implements ValueTransformer {
  readonly #stored: ValueTransformer
  readonly #minor: () => number

  constructor(stored: ValueTransformer, minor: () => number) {
    this.#stored = stored
    this.#minor = minor
  }

  seal(prefix: string, path: string, plain: Uint8Array): Uint8Array {
    return this.#stored.seal(prefix, path, plain)
  }

  open(prefix: string, path: string, stored: Uint8Array): ReturnType<ValueTransformer['open']> {
    const opened = this.#stored.open(prefix, path, stored)
    try {
      return { ...opened, bytes: encoder.encode(JSON.stringify(shownForm(decodeObject(opened.bytes).object, this.#minor()))) }
    } catch {
      // What is no object that can be read is told of by who reads it next.
      return opened
    }
  }
}
