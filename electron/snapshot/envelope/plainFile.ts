import { mkdir, mkdtemp, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFully } from '../bbolt/pageWriter.ts'
import { layersOf, unwrapped, type Layer, type Unlock } from './envelope.ts'

export interface PlainOptions {
  unlock: Unlock
  /** Where the unpacked file lies meanwhile, in a folder of its own that only its owner may look into. */
  directory: string
  signal: AbortSignal
  onProgress?: (writtenBytes: number) => void
}

/** A snapshot that can be read by pages, and what it was taken out of, outermost first. */
export interface PlainFile {
  path: string
  layers: Layer[]
}

/**
 * Gives a snapshot file to `use` as it is, or unpacked beside it while it is used: pages cannot be read out of what is compressed or
 * encrypted. What was unpacked is removed afterwards.
 * @throws SnapshotError locked or damaged; whatever `use` throws
 */
export async function withPlain<T>(path: string, options: PlainOptions, use: (file: PlainFile) => Promise<T>): Promise<T> {
  if ((await layersOf(path)).layers.length === 0) return use({ path, layers: [] })
  await mkdir(options.directory, { recursive: true, mode: 0o700 })
  const folder = await mkdtemp(join(options.directory, 'open-'))
  try {
    const plain = join(folder, 'snapshot.db')
    return await use({ path: plain, layers: await unpack(path, plain, options) })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Writes the snapshot inside `path` to `target`, which must not exist. @throws SnapshotError locked or damaged */
export async function unpack(path: string, target: string, { unlock, signal, onProgress }: Omit<PlainOptions, 'directory'>): Promise<Layer[]> {
  const layers: Layer[] = []
  const file = await open(target, 'wx', 0o600)
  try {
    let position = 0
    for await (const chunk of unwrapped(path, { unlock, signal, found: (layer) => layers.push(layer) })) {
      await writeFully(file, chunk, position)
      position += chunk.length
      onProgress?.(position)
    }
  } catch (error) {
    await file.close()
    await rm(target, { force: true })
    throw error
  }
  await file.close()
  return layers
}
