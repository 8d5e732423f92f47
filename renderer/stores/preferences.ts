import { defineStore } from 'pinia'
import { computed, ref, shallowRef, watchEffect } from 'vue'
import type { Settings } from '#shared/contract/settings.ts'
import { useLine } from './line.ts'

/** The person's settings, kept by the main process; the theme is put on the page here. */
export const usePreferences = defineStore('preferences', () => {
  const settings = shallowRef<Settings | null>(null)
  const systemDark = ref(true)
  const theme = computed<'light' | 'dark'>(() => {
    const wanted = settings.value?.theme ?? 'system'
    return wanted === 'system' ? (systemDark.value ? 'dark' : 'light') : wanted
  })

  function start(): void {
    const media = window.matchMedia('(prefers-color-scheme: dark)')
    systemDark.value = media.matches
    media.addEventListener('change', (event) => {
      systemDark.value = event.matches
    })
    watchEffect(() => {
      document.documentElement.dataset['theme'] = theme.value
    })
    useLine()
      .client()
      .subscribe(
        'settings.watch',
        {},
        {
          onMessage: (message) => {
            settings.value = message
          },
          onEnd: () => undefined,
        },
      )
  }

  const change = (patch: Partial<Settings>): Promise<null> => useLine().client().invoke('settings.change', patch)
  const giveSudoPassword = (clusterId: string, password: string): Promise<null> =>
    useLine().client().invoke('settings.giveSudoPassword', { clusterId, password })
  const toggleTheme = (): Promise<null> => change({ theme: theme.value === 'dark' ? 'light' : 'dark' })

  return { settings, theme, start, change, giveSudoPassword, toggleTheme }
})
