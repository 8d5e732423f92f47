import { mount, type VueWrapper } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import type { Component } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'
import { createTexts } from '../../../renderer/locales/texts.ts'
import { useLine } from '../../../renderer/stores/line.ts'
import { FakeLine } from './fakeLine.ts'

/** Mounts a component as the app would: texts, stores on a fake line, and a router that knows every name. */
export function mountPage(
  component: Component,
  options: { props?: Record<string, unknown>; line?: FakeLine; slots?: Record<string, string> } = {},
): {
  wrapper: VueWrapper
  line: FakeLine
} {
  const pinia = createPinia()
  setActivePinia(pinia)
  const line = options.line ?? new FakeLine()
  useLine(pinia).attach(line)
  const nowhere = { template: '<i />' }
  const names = ['overview', 'metrics', 'backups', 'certificates', 'upgrade', 'settings', 'etcd', 'apply', 'runbooks', 'access', 'compare']
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [
      { path: '/', component: nowhere },
      ...names.map((name) => ({ path: `/c/:cluster/${name}`, name, component: nowhere })),
      { path: '/c/:cluster/r/:resource', name: 'resource', component: nowhere },
    ],
  })
  const wrapper = mount(component, {
    attachTo: document.body,
    props: options.props ?? {},
    slots: options.slots ?? {},
    global: { plugins: [pinia, createTexts(), router] },
  })
  return { wrapper, line }
}
