import { onMounted, onUnmounted } from 'vue'
import { useShell } from '../../stores/shell.ts'
import { allItems } from './navigation.ts'

/** How long `g` waits for its letter. */
const SEQUENCE_MS = 1200

/** The keys that work on every page: Ctrl-K, `?`, and `g` with a page's letter. Keys typed into a field are the field's. */
export function useFrameKeys(goTo: (pageId: string) => void): void {
  const shell = useShell()
  let pressedGAt = Number.NEGATIVE_INFINITY

  function onKey(event: KeyboardEvent): void {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
      event.preventDefault()
      shell.openPalette()
      return
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isField(event.target) || shell.paletteOpen) return
    if (event.key === '?') shell.openHelp()
    else if (event.key === 'g') pressedGAt = event.timeStamp
    else if (event.timeStamp - pressedGAt < SEQUENCE_MS) {
      pressedGAt = Number.NEGATIVE_INFINITY
      const item = allItems.find((each) => each.key === event.key)
      if (item === undefined) return
      // Before the table sees the letter.
      event.preventDefault()
      event.stopPropagation()
      goTo(item.id)
    }
  }
  onMounted(() => {
    window.addEventListener('keydown', onKey, true)
  })
  onUnmounted(() => {
    window.removeEventListener('keydown', onKey, true)
  })
}

function isField(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName))
}
