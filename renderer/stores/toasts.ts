import { defineStore } from 'pinia'
import { shallowRef } from 'vue'

export interface Toast {
  id: number
  tone: 'good' | 'bad' | 'note'
  text: string
  detail: string
  /** Takes back what was done. */
  undo: (() => void) | null
}

/** How long a message stays; failures stay until closed. */
const SHOWN_MS = 6000
/** How long one that offers the way back stays. */
const UNDO_MS = 12_000

/** Short messages about what was just done. */
export const useToasts = defineStore('toasts', () => {
  const list = shallowRef<readonly Toast[]>([])
  let nextId = 1

  function show(tone: Toast['tone'], text: string, detail = '', undo: Toast['undo'] = null): void {
    const id = nextId++
    list.value = [...list.value.slice(-4), { id, tone, text, detail, undo }]
    if (tone !== 'bad')
      setTimeout(
        () => {
          close(id)
        },
        undo === null ? SHOWN_MS : UNDO_MS,
      )
  }

  function close(id: number): void {
    list.value = list.value.filter((each) => each.id !== id)
  }

  /** Runs an action and tells how it went, with the way back where there is one. @returns whether it went well */
  async function tell(action: Promise<unknown>, texts: { done: string; failed: string; undo?: () => void }): Promise<boolean> {
    try {
      await action
      if (texts.done !== '') show('good', texts.done, '', texts.undo ?? null)
      return true
    } catch (failure) {
      show('bad', texts.failed, failure instanceof Error ? failure.message : String(failure))
      return false
    }
  }

  return { list, show, close, tell }
})
