import { defineStore } from 'pinia'
import { ref, shallowRef } from 'vue'
import { invariant } from '#shared/base/invariant.ts'
import type { ContractClient } from '#shared/contract/contract.ts'

/** The way to the main process. `main.ts` attaches it before anything is mounted; tests attach their own. */
export const useLine = defineStore('line', () => {
  const attached = shallowRef<ContractClient | null>(null)
  const connected = ref(false)
  const everConnected = ref(false)
  /** The server knows no session of this browser. */
  const signedOut = ref(false)

  function attach(client: ContractClient): void {
    attached.value = client
    client.onConnection((now) => {
      connected.value = now
      if (now) everConnected.value = true
    })
    client.onRefusal?.((refused) => {
      signedOut.value = refused
    })
  }

  /** @throws when nothing was attached: a fault of the start, not of the person */
  function client(): ContractClient {
    invariant(attached.value !== null, 'no line to the main process was attached')
    return attached.value
  }

  return { connected, everConnected, signedOut, attach, client }
})
