import { ref, type Ref } from 'vue'
import type { Backup, UnlockInput } from '#shared/contract/backups.ts'

export interface Unlocking {
  /** Whether the question is on the screen. */
  asking: Ref<boolean>
  /** What opens the backup: undefined where nothing is needed, null when whoever was asked gave up. */
  unlock: () => Promise<UnlockInput | undefined | null>
  answer: (given: UnlockInput | null) => void
}

/** Asks for what opens an encrypted backup, each time anew: nothing of it is kept. */
export function useUnlocking(backup: () => Pick<Backup, 'encryption'>): Unlocking {
  const asking = ref(false)
  let waiting: ((given: UnlockInput | null) => void) | null = null
  function unlock(): Promise<UnlockInput | undefined | null> {
    if (backup().encryption === 'none') return Promise.resolve(undefined)
    answer(null)
    asking.value = true
    return new Promise((resolve) => {
      waiting = resolve
    })
  }
  function answer(given: UnlockInput | null): void {
    asking.value = false
    waiting?.(given)
    waiting = null
  }
  return { asking, unlock, answer }
}

/** How the snapshot inside a backup is had with the usual tools; none where it lies there as it is. */
export function unpackCommands({ path, encryption, compression }: Pick<Backup, 'path' | 'encryption' | 'compression'>): string[] {
  const opened = encryption === 'none' ? null : `age -d ${encryption === 'recipients' ? '-i key.txt ' : ''}${path}`
  if (compression === 'zip') return [`unzip -p ${path} > snapshot.db`]
  if (opened !== null) return [`${opened}${compression === 'zstd' ? ' | zstd -d' : ''} > snapshot.db`]
  return compression === 'zstd' ? [`zstd -d ${path} -o snapshot.db`] : []
}
