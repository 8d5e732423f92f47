import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import { timestamp, type Pod } from './types.ts'

export const CONFIG_HASH = 'kubernetes.io/config.hash'
export const CONFIG_MIRROR = 'kubernetes.io/config.mirror'
export const CONFIG_SOURCE = 'kubernetes.io/config.source'

/** The kubelet looks at its manifest directory at least this often (`fileCheckFrequency`), besides being told of changes. */
const FILE_CHECK_MS = 20_000
/** Writes of one file come as several notices. */
const SETTLE_MS = 30

/** In the manifest directory, the notes of {@link noteAdopted}. */
const ADOPTED = '.adopted.json'

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex')

/** A static pod that ran before this kubelet knew it: its manifest's text, its hash, and how its containers were. */
export interface AdoptedManifest {
  text: string
  hash: string
  status: Pod['status']
}

type Note = Omit<AdoptedManifest, 'text'> & { digest: string }

/**
 * Notes that manifests stand for pods that run already, so that each goes on with its hash, mirror and containers and is not
 * made anew. Once a file is changed its note says nothing any more.
 */
export function noteAdopted(directory: string, manifests: ReadonlyMap<string, AdoptedManifest>): void {
  const notes = [...manifests].map(([file, { text, hash, status }]): [string, Note] => [file, { digest: digestOf(text), hash, status }])
  writeFileSync(join(directory, ADOPTED), JSON.stringify(Object.fromEntries(notes)))
}

function adoptedNotes(directory: string): Record<string, Note | undefined> {
  const path = join(directory, ADOPTED)
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Record<string, Note>) : {}
}

/** Whether a manifest stands, unchanged, for a pod that ran before this kubelet knew it. */
export function isAdopted(directory: string, file: string): boolean {
  const note = adoptedNotes(directory)[file]
  return note !== undefined && note.digest === digestOf(readFileSync(join(directory, file), 'utf8'))
}

/** The pods that a manifest directory describes, with the names, uids and annotations the kubelet gives them. Unreadable files are logged and left out. */
export function readManifests(directory: string, { node, nowMs, logger }: { node: string; nowMs: number; logger: Logger }): Pod[] {
  const pods: Pod[] = []
  const adopted = adoptedNotes(directory)
  for (const file of readdirSync(directory).sort()) {
    if (file.startsWith('.') || !/\.(ya?ml|json)$/.test(file)) continue
    try {
      const text = readFileSync(join(directory, file), 'utf8')
      const manifest = parse(text) as Pod | null
      if (manifest?.kind !== 'Pod') throw new Error('not a Pod')
      const note = adopted[file]
      const known = note?.digest === digestOf(text) ? note : undefined
      const hash = known?.hash ?? createHash('md5').update(node).update(file).update(JSON.stringify(manifest)).digest('hex')
      pods.push({
        ...manifest,
        metadata: {
          ...manifest.metadata,
          name: `${manifest.metadata.name ?? ''}-${node}`,
          namespace: manifest.metadata.namespace ?? 'default',
          uid: hash,
          annotations: { ...manifest.metadata.annotations, [CONFIG_HASH]: hash, 'kubernetes.io/config.seen': timestamp(nowMs), [CONFIG_SOURCE]: 'file' },
        },
        spec: { ...manifest.spec, nodeName: node },
        ...(known?.status === undefined ? {} : { status: known.status }),
      })
    } catch (error) {
      logger.warn('static pod manifest not readable', { file, error: String(error) })
    }
  }
  return pods
}

/** The object that stands for a static pod in the API. */
export function mirrorOf(pod: Pod, nodeUid: string): Pod {
  const { uid, ...metadata } = pod.metadata
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadata,
      annotations: { ...metadata.annotations, [CONFIG_MIRROR]: uid ?? '' },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: pod.spec.nodeName ?? '', uid: nodeUid, controller: true }],
    },
    spec: { ...pod.spec, tolerations: [{ effect: 'NoExecute', operator: 'Exists' }] } as Pod['spec'],
  }
}

/** Calls `changed` once at the start and then whenever the directory's content may have changed, until the signal aborts. */
export async function watchManifests(directory: string, changed: () => void, { clock, signal }: { clock: Clock; signal: AbortSignal }): Promise<void> {
  if (!existsSync(directory)) mkdirSync(directory, { recursive: true })
  let settled = true
  const watcher = watch(directory, { signal }, () => {
    if (!settled) return
    settled = false
    clock.schedule(SETTLE_MS, () => {
      settled = true
      if (!signal.aborted) changed()
    })
  })
  // A directory that is moved away ends the notices; the regular look goes on.
  watcher.on('error', () => undefined)
  try {
    for (;;) {
      changed()
      await clock.sleep(FILE_CHECK_MS, { signal })
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    watcher.close()
  }
}
