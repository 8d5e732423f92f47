import { afterEach, describe, expect, it } from 'vitest'
import { nextTick } from 'vue'
import type { VueWrapper } from '@vue/test-utils'
import ConfirmDialog from '../../../renderer/components/ConfirmDialog.vue'
import { mountPage } from '../support/mountPage.ts'

let mounted: VueWrapper | null = null
afterEach(() => {
  mounted?.unmount()
  mounted = null
})
async function show(props: Record<string, unknown> = {}): Promise<VueWrapper> {
  mounted = mountPage(ConfirmDialog, {
    props: { open: true, title: 'Delete web?', text: 'It is gone then.', action: 'Delete', commands: ['kubectl delete pods web'], ...props },
  }).wrapper
  await nextTick()
  await nextTick()
  return mounted
}
const button = (text: string): HTMLButtonElement => {
  const found = [...document.querySelectorAll('button')].find((each) => each.textContent.trim() === text)
  if (found === undefined) throw new Error(`no button ${text}`)
  return found
}

describe('ConfirmDialog', () => {
  it('says what will happen and with which command', async () => {
    await show()
    expect(document.body.textContent).toContain('It is gone then.')
    expect(document.body.textContent).toContain('kubectl delete pods web')
  })

  it('gives the safe button the focus', async () => {
    await show()
    expect(document.activeElement?.textContent.trim()).toBe('Cancel')
  })

  it('confirms once and closes', async () => {
    const wrapper = await show()
    button('Delete').click()
    await nextTick()
    expect(wrapper.emitted('confirm')).toHaveLength(1)
    expect(wrapper.emitted('update:open')?.at(-1)).toEqual([false])
  })

  it('wants the name typed exactly where the cluster is protected', async () => {
    const wrapper = await show({ typed: 'prod-eu-1' })
    expect(button('Delete').disabled).toBe(true)
    const field = document.querySelector<HTMLInputElement>('input')
    expect(document.activeElement).toBe(field)
    for (const [text, refused] of [
      ['prod-eu', true],
      ['PROD-EU-1', true],
      ['prod-eu-1', false],
    ] as const) {
      if (field !== null) field.value = text
      field?.dispatchEvent(new Event('input'))
      await nextTick()
      expect(button('Delete').disabled).toBe(refused)
    }
    button('Delete').click()
    expect(wrapper.emitted('confirm')).toHaveLength(1)
  })
})
