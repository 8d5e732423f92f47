import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { SnapshotError } from '../snapshotError.ts'
import type { ReadOptions } from '../status.ts'
import { verifySnapshot, type Verification } from '../verify.ts'
import type { Layer, Unlock } from './envelope.ts'
import { withPlain } from './plainFile.ts'

/** As of the snapshot inside; size and SHA-256 are the file's own. */
export interface FileVerification extends Verification {
  layers: Layer[]
}

export interface VerifyFileOptions extends ReadOptions {
  unlock: Unlock
  /** Where what is wrapped is unpacked meanwhile. */
  directory: string
}

const NAMES: Record<Layer, string> = { age: 'decrypted and authenticated', zstd: 'decompressed, its checksum right', zip: 'unpacked' }

/**
 * Verifies a snapshot file, whatever it is wrapped in: every layer is taken off to its end first.
 * @param use gets what was found, and the unpacked snapshot while it is there
 * @throws SnapshotError locked; the system's error; the signal's reason
 */
export async function verifyFile(
  path: string,
  options: VerifyFileOptions,
  use: (found: FileVerification, plainPath: string) => Promise<void> = () => Promise.resolve(),
): Promise<FileVerification> {
  try {
    return await withPlain(path, { unlock: options.unlock, directory: options.directory, signal: options.signal }, async (plain) => {
      const found = await verifySnapshot(plain.path, options)
      const outer = plain.layers.length === 0 ? null : await factsOf(path, options.signal)
      const result: FileVerification = {
        ...found,
        ...(outer ?? {}),
        layers: plain.layers,
        checks:
          outer === null
            ? found.checks
            : [{ name: 'envelope', verdict: 'good', detail: plain.layers.map((layer) => NAMES[layer]).join(', then ') }, ...found.checks],
      }
      await use(result, plain.path)
      return result
    })
  } catch (error) {
    if (!(error instanceof SnapshotError) || error.code === 'locked') throw error
    return {
      ...(await factsOf(path, options.signal)),
      status: null,
      checks: [{ name: 'envelope', verdict: 'broken', detail: error.message }],
      verdict: 'broken',
      objectCounts: {},
      layers: [],
    }
  }
}

async function factsOf(path: string, signal: AbortSignal): Promise<{ sha256: string; fileSizeBytes: number }> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, signal }) as AsyncIterable<Buffer>) hash.update(chunk)
  return { sha256: hash.digest('hex'), fileSizeBytes: (await stat(path)).size }
}
