// @vitest-environment node
import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it } from 'vitest'
import { effectScope, nextTick, ref } from 'vue'
import { useRequest, useSubscription } from '../../../renderer/stores/channel.ts'
import { useLine } from '../../../renderer/stores/line.ts'
import { FakeLine } from '../support/fakeLine.ts'

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await nextTick()
}
let line: FakeLine
beforeEach(() => {
  setActivePinia(createPinia())
  line = new FakeLine({ 'metrics.top': ({ clusterId }: { clusterId: string }) => ({ nodes: [], pods: [], emptyReason: clusterId }) })
  useLine().attach(line)
})

describe('useSubscription', () => {
  it('keeps the last message beside the failure that ended it, and lets go with its scope', () => {
    const scope = effectScope()
    const live = scope.run(() => useSubscription('metrics.watch', { clusterId: 'a' }))
    line.live('metrics.watch').message({ sampledAtMs: 5 })
    expect(live?.data.value).toEqual({ sampledAtMs: 5 })
    line.live('metrics.watch').end(new Error('gone'))
    expect(live?.data.value).toEqual({ sampledAtMs: 5 })
    expect(live?.error.value?.message).toBe('gone')
    expect(live?.ended.value).toBe(true)
    scope.stop()
    expect(line.subscribed[0]?.released).toBe(true)
  })

  it('begins anew when its input changes, forgetting what belonged to the other', async () => {
    const cluster = ref('a')
    const scope = effectScope()
    const live = scope.run(() => useSubscription('metrics.watch', () => ({ clusterId: cluster.value })))
    line.live('metrics.watch').message({ sampledAtMs: 5 })
    cluster.value = 'b'
    await nextTick()
    expect(line.subscribed[0]?.released).toBe(true)
    expect(live?.data.value).toBeNull()
    expect(line.live('metrics.watch').input).toEqual({ clusterId: 'b' })
    scope.stop()
  })
})

describe('useRequest', () => {
  it('asks, asks again for another input, and drops the answer that comes too late', async () => {
    const cluster = ref('a')
    const scope = effectScope()
    const request = scope.run(() => useRequest('metrics.top', () => ({ clusterId: cluster.value })))
    cluster.value = 'b'
    await settled()
    expect(line.invoked.map((each) => each.input)).toEqual([{ clusterId: 'a' }, { clusterId: 'b' }])
    expect(request?.data.value?.emptyReason).toBe('b')
    expect(request?.loading.value).toBe(false)
    scope.stop()
  })

  it('keeps the last answer when a later question fails', async () => {
    const scope = effectScope()
    const request = scope.run(() => useRequest('metrics.top', { clusterId: 'a' }))
    await settled()
    line.answers['metrics.top'] = () => {
      throw new Error('no rights')
    }
    await request?.refresh()
    expect(request?.data.value?.emptyReason).toBe('a')
    expect(request?.error.value?.message).toBe('no rights')
    scope.stop()
  })

  it('asks nothing while its input is null', async () => {
    const scope = effectScope()
    scope.run(() => useRequest('metrics.top', () => null))
    await settled()
    expect(line.invoked).toEqual([])
    scope.stop()
  })
})
