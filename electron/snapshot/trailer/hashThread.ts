import { Worker } from 'node:worker_threads'

/** The SHA-256 of a file, and of what comes before its last bytes; hex. */
export interface FileHash {
  /** Of the whole file. */
  sha256: string
  bodySha256: string
  /** The last bytes themselves. */
  trailer: string
  sizeBytes: number
}

/** Scripts of a thread have a heap of their own, of which this one needs next to nothing. */
const MEMORY_MB = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 }

/** Hashes a file in a thread of its own. */
export class HashThread {
  readonly #worker: Worker
  readonly #result: Promise<FileHash>

  /** @param options.trailerBytes how many bytes at the end are no part of the body */
  constructor(path: string, options: { trailerBytes: number }) {
    const workerData: ThreadData = { path, ...options }
    this.#worker = new Worker(`(${hashInThread.toString()})()`, { eval: true, workerData, resourceLimits: MEMORY_MB })
    this.#result = new Promise((resolve, reject) => {
      this.#worker.once('message', resolve)
      this.#worker.once('error', reject)
      this.#worker.once('exit', () => {
        reject(new Error(`the thread that hashes ${path} was stopped`))
      })
    })
    // Whoever stops early does not ask for it.
    this.#result.catch(() => undefined)
  }

  /** @throws the system's error, as ENOENT */
  finish(): Promise<FileHash> {
    return this.#result
  }

  async stop(): Promise<void> {
    await this.#worker.terminate()
  }
}

interface ThreadData {
  path: string
  trailerBytes: number
}

/** The thread's whole script: nothing around it is there when it runs, so that sources and the built app start it alike. */
function hashInThread(): void {
  const { createHash } = process.getBuiltinModule('node:crypto')
  const { openSync, fstatSync, readSync, closeSync } = process.getBuiltinModule('node:fs')
  const { parentPort, workerData } = process.getBuiltinModule('node:worker_threads')
  const { path, trailerBytes } = workerData as ThreadData
  const file = openSync(path, 'r')
  const sizeBytes = fstatSync(file).size
  const body = createHash('sha256')
  const chunk = Buffer.allocUnsafeSlow(256 * 1024)
  let at = 0
  while (at < sizeBytes - trailerBytes) {
    const count = readSync(file, chunk, 0, Math.min(chunk.length, sizeBytes - trailerBytes - at), at)
    if (count === 0) break
    body.update(chunk.subarray(0, count))
    at += count
  }
  const trailer = chunk.subarray(0, readSync(file, chunk, 0, Math.min(trailerBytes, sizeBytes - at), at))
  closeSync(file)
  const result: FileHash = {
    sha256: body.copy().update(trailer).digest('hex'),
    bodySha256: body.digest('hex'),
    trailer: trailer.toString('hex'),
    sizeBytes: at + trailer.length,
  }
  parentPort?.postMessage(result)
}
