import { defineStore } from 'pinia'
import { ref } from 'vue'

/** What of the frame is open. */
export const useShell = defineStore('shell', () => {
  const paletteOpen = ref(false)
  const helpOpen = ref(false)

  function openPalette(): void {
    helpOpen.value = false
    paletteOpen.value = true
  }

  function openHelp(): void {
    helpOpen.value = true
  }

  return { paletteOpen, helpOpen, openPalette, openHelp }
})
