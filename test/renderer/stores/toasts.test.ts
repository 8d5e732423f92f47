// @vitest-environment node
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { useToasts } from '../../../renderer/stores/toasts.ts'

beforeEach(() => {
  vi.useFakeTimers()
  setActivePinia(createPinia())
})
afterEach(() => vi.useRealTimers())

describe('toasts', () => {
  it('go by themselves, later when they offer the way back, and never when something failed', () => {
    const toasts = useToasts()
    toasts.show('good', 'done')
    toasts.show('good', 'cordoned', '', () => undefined)
    toasts.show('bad', 'failed')
    vi.advanceTimersByTime(7000)
    expect(toasts.list.map((each) => each.text)).toEqual(['cordoned', 'failed'])
    vi.advanceTimersByTime(60_000)
    expect(toasts.list.map((each) => each.text)).toEqual(['failed'])
  })

  it('tell how an action went', async () => {
    const toasts = useToasts()
    const undo = vi.fn()
    expect(await toasts.tell(Promise.resolve(1), { done: 'scaled', failed: 'no', undo })).toBe(true)
    expect(await toasts.tell(Promise.reject(new Error('forbidden')), { done: 'scaled', failed: 'not scaled' })).toBe(false)
    expect(toasts.list.map(({ tone, text, detail }) => ({ tone, text, detail }))).toEqual([
      { tone: 'good', text: 'scaled', detail: '' },
      { tone: 'bad', text: 'not scaled', detail: 'forbidden' },
    ])
    toasts.list[0]?.undo?.()
    expect(undo).toHaveBeenCalledOnce()
  })
})
