import { expect, test } from './support/test.ts'
import { DrainPage } from './pages/drainPage.ts'

const WORKLOADS = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec: {replicas: 3, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {nodeSelector: {kubernetes.io/hostname: node01}, containers: [{name: web, image: 'nginx:1.27'}]}}}
---
apiVersion: v1
kind: Pod
metadata: {name: bare, namespace: default}
spec: {nodeName: node01, containers: [{name: main, image: 'nginx:1.27'}]}
`
const FREED = '{"spec":{"template":{"spec":{"nodeSelector":null}}}}'

test('a node is drained as planned, once the operator has decided on a pod that nothing brings back @page', async ({ app }) => {
  const { frame } = app
  await frame.live()
  await app.kubectl(['apply', '-f', '-'], { input: WORKLOADS })
  await app.kubectl(['rollout', 'status', 'deployment/web'])
  await app.kubectl(['wait', '--for=condition=Ready', 'pod/bare'])
  await frame.open('Nodes')
  await frame.main.getByRole('grid').getByRole('row').filter({ hasText: 'node01' }).click()
  await frame.main.getByRole('link', { name: 'Drain…' }).click()
  const drain = new DrainPage(frame)
  await drain.opened()
  await expect(drain.pod('node01', 'bare')).toContainText('Undecided')
  await expect(drain.pods('node01').filter({ hasText: 'ReplicaSet/web' }).first()).toContainText('Nowhere')
  await expect(drain.start).toBeDisabled()
  // Freed from the node by hand, the workload goes to another one by itself.
  await app.kubectl(['patch', 'deployment/web', '-p', FREED])
  await app.kubectl(['rollout', 'status', 'deployment/web'])
  await frame.main.getByRole('button', { name: 'Refresh' }).click()
  await drain.decide('bare', 'Evict it', 'it was only a trial')
  await expect(drain.pod('node01', 'bare')).toContainText('as decided: it was only a trial')
  await drain.start.click()
  await frame.confirm('Start the drain')
  await expect(frame.heading('Runbooks')).toBeVisible()
  await expect(frame.main.getByRole('heading', { name: /^Drain node01$/ })).toBeVisible()
  await expect(frame.main.locator('header').filter({ hasText: 'Drain node01' }).getByText('Done')).toBeVisible({ timeout: 90_000 })
  const left = await app.kubectl(['get', 'pods', '--field-selector=spec.nodeName=node01', '-o', 'name'])
  expect(left.trim()).toBe('')
  await app.kubectl(['uncordon', 'node01'])
  await app.kubectl(['delete', 'deployment/web'])
})
