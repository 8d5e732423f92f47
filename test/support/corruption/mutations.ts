import { createHash } from 'node:crypto'
import type { Random } from '#shared/base/random.ts'
import { readMeta, TRAILER_BYTES, writeMeta } from '#electron/snapshot/bbolt/format.ts'

export const MUTATIONS = [
  'one bit',
  'some bits',
  'zeroed sector',
  'random sector',
  'cut anywhere',
  'cut at a page',
  'pages swapped',
  'page copied over another',
  'trailer removed',
  'trailer changed',
  'meta field',
  'meta field, checksum made again',
  'both metas destroyed',
  'bytes in between',
] as const
export type MutationKind = (typeof MUTATIONS)[number]

export interface Mutation {
  kind: MutationKind
  /** With a SHA-256 of the changed bytes at the end, so that only the structure can tell. */
  sealed: boolean
  /** Values were written over under a SHA-256 that says they are right: no reader can know better, it must only live through it. */
  undetectable: boolean
  bytes: Buffer
}

/** A damaged copy of a good snapshot; equal randoms damage equally. */
export function mutate(good: Buffer, random: Random): Mutation {
  const kind = MUTATIONS[random.below(MUTATIONS.length)] ?? 'one bit'
  const pageSize = readMeta(good)?.pageSize ?? 4096
  const sealed = !kind.startsWith('trailer') && random.below(2) === 0
  const changed = damaged(kind, good.subarray(0, good.length - TRAILER_BYTES), { pageSize, random })
  const ending = good.subarray(good.length - TRAILER_BYTES)
  const trailer =
    kind === 'trailer removed'
      ? Buffer.alloc(0)
      : kind === 'trailer changed'
        ? flipped(ending, random.below(TRAILER_BYTES * 8))
        : sealed
          ? createHash('sha256').update(changed).digest()
          : kind === 'cut anywhere' || kind === 'cut at a page'
            ? Buffer.alloc(0)
            : ending
  const blind: readonly MutationKind[] = ['one bit', 'some bits', 'zeroed sector', 'random sector', 'bytes in between']
  return { kind, sealed, undetectable: sealed && blind.includes(kind), bytes: Buffer.concat([changed, trailer]) }
}

function damaged(kind: MutationKind, body: Buffer, { pageSize, random }: { pageSize: number; random: Random }): Buffer {
  const pages = Math.floor(body.length / pageSize)
  const copy = Buffer.from(body)
  const page = (number: number): Buffer => copy.subarray(number * pageSize, (number + 1) * pageSize)
  const sector = (): Buffer => {
    const start = random.below(Math.max(1, Math.floor(copy.length / 512))) * 512
    return copy.subarray(start, start + 512)
  }
  switch (kind) {
    case 'one bit':
      return flipped(copy, random.below(copy.length * 8))
    case 'some bits':
      for (let left = 2 + random.below(30); left > 0; left--) flipped(copy, random.below(copy.length * 8), copy)
      return copy
    case 'zeroed sector':
      sector().fill(0)
      return copy
    case 'random sector': {
      const target = sector()
      for (let at = 0; at < target.length; at++) target[at] = random.below(256)
      return copy
    }
    case 'cut anywhere':
      return copy.subarray(0, random.below(copy.length))
    case 'cut at a page':
      return copy.subarray(0, random.below(pages) * pageSize)
    case 'pages swapped': {
      const [one, other] = [page(random.below(pages)), page(random.below(pages))]
      const kept = Buffer.from(one)
      other.copy(one)
      kept.copy(other)
      return copy
    }
    case 'page copied over another':
      page(random.below(pages)).copy(page(random.below(pages)))
      return copy
    case 'trailer removed':
    case 'trailer changed':
      return copy
    case 'meta field': {
      const meta = page(random.below(2))
      // Magic, version, page size, flags, root, sequence, freelist, high water, transaction, checksum: 64 bytes after the header.
      meta[16 + random.below(64)] = random.below(256)
      return copy
    }
    case 'meta field, checksum made again': {
      const number = random.below(2)
      const meta = readMeta(page(number))
      if (meta === null) return copy
      const value = random.below(2) === 0 ? random.below(pages * 2) : random.below(0xffff_ffff)
      const field = (['pageSize', 'rootPage', 'freelistPage', 'highWaterPage', 'transaction'] as const)[random.below(5)]
      writeMeta(page(number), { ...meta, page: number, ...(field === 'transaction' ? { transaction: BigInt(value) } : { [field ?? 'rootPage']: value }) })
      return copy
    }
    case 'both metas destroyed':
      for (const number of [0, 1]) destroy(page(number), 16 + random.below(64), 1 + random.below(255))
      return copy
    case 'bytes in between': {
      const at = random.below(copy.length)
      return Buffer.concat([copy.subarray(0, at), Buffer.alloc(1 + random.below(2 * pageSize), random.below(256)), copy.subarray(at)])
    }
  }
}

function flipped(bytes: Buffer, bit: number, target = Buffer.from(bytes)): Buffer {
  const at = bit >> 3
  target[at] = (target[at] ?? 0) ^ (1 << (bit & 7))
  return target
}

function destroy(page: Buffer, at: number, difference: number): void {
  page[at] = (page[at] ?? 0) ^ difference
}
