import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import type { ClusterId, ClusterSummary } from '#shared/contract/clusters.ts'
import { useLine } from './line.ts'

/** The clusters that are known, the one on the screen, and the namespace chosen in it. */
export const useClusters = defineStore('clusters', () => {
  const list = shallowRef<readonly ClusterSummary[]>([])
  const loaded = ref(false)
  const error = shallowRef<Error | null>(null)
  const currentId = ref<ClusterId>('')
  /** '' = all. */
  const namespace = ref('')

  const current = computed(() => list.value.find((each) => each.id === currentId.value) ?? null)
  /** Whether writes are refused here, and the page should say so instead of offering them. */
  const readOnly = computed(() => current.value?.protection === 'read-only')
  /** What is to be typed before something that cannot be undone: the name of a protected cluster; '' of others. */
  const toType = computed(() => (current.value?.protection === 'protected' ? current.value.name : ''))
  const kubectl = computed(() => ['kubectl', ...(current.value?.kubectlArgs ?? [])].map(shellWord).join(' '))

  /** Follows the list until the app ends. */
  function start(): void {
    useLine()
      .client()
      .subscribe(
        'clusters.watch',
        {},
        {
          onMessage: (clusters) => {
            list.value = clusters
            loaded.value = true
            error.value = null
          },
          onEnd: (failure) => {
            error.value = failure
          },
        },
      )
  }

  function choose(id: ClusterId): void {
    if (currentId.value === id) return
    currentId.value = id
    namespace.value = ''
    // What opening brings is seen in the list's connection state; a refusal is too.
    useLine()
      .client()
      .invoke('clusters.open', { clusterId: id })
      .catch((failure: unknown) => {
        error.value = failure instanceof Error ? failure : new Error(String(failure))
      })
  }

  function setNamespace(name: string): void {
    namespace.value = name
  }

  const retry = (id: ClusterId): Promise<null> => useLine().client().invoke('clusters.retry', { clusterId: id })
  const setProtection = (id: ClusterId, protection: ClusterSummary['protection']): Promise<null> =>
    useLine().client().invoke('clusters.setProtection', { clusterId: id, protection })
  const addKubeconfig = (path: string): Promise<{ added: ClusterId[] }> => useLine().client().invoke('clusters.addKubeconfig', { path })

  return { list, loaded, error, currentId, namespace, current, readOnly, toType, kubectl, start, choose, setNamespace, retry, setProtection, addKubeconfig }
})

/** A word as a POSIX shell reads it back. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
