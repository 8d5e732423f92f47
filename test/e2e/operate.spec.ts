import { ResourceTable } from './pages/resourceTable.ts'
import { needs, unique } from './support/names.ts'
import { expect, test } from './support/test.ts'

test('pods that kubectl makes, scales and deletes come and go on the page by themselves @page', async ({ app }) => {
  needs('kubectl')
  const { frame } = app
  const table = new ResourceTable(frame)
  const name = unique('web')
  await frame.live()
  await frame.open('Pods')
  await table.filter.fill(name)
  await app.kubectl(['create', 'deployment', name, '--image=nginx', '--replicas=3'])
  await expect(table.row('Running')).toHaveCount(3)
  await app.kubectl(['scale', 'deployment', name, '--replicas=5'])
  await expect(table.row('Running')).toHaveCount(5)
  const listed = (await app.kubectl(['get', 'pods', '-l', `app=${name}`, '-o', 'name'])).trim().split('\n')
  for (const pod of listed) await expect(table.row(pod.replace('pod/', ''))).toHaveCount(1)
  await app.kubectl(['delete', 'deployment', name])
  await expect(frame.main).toContainText('Nothing matches the filter')
  await table.filter.fill('')
})

test('a node is cordoned and uncordoned, and kubectl sees both @page', async ({ app }) => {
  needs('kubectl')
  const { frame } = app
  const table = new ResourceTable(frame)
  await frame.live()
  await frame.open('Nodes')
  await table.open('node02')
  const unschedulable = (): Promise<string> => app.kubectl(['get', 'node', 'node02', '-o', 'jsonpath={.spec.unschedulable}'])
  await table.details.getByRole('button', { name: 'Cordon', exact: true }).click()
  await expect(table.row('node02')).toContainText('SchedulingDisabled')
  expect(await unschedulable()).toBe('true')
  await table.details.getByRole('button', { name: 'Uncordon', exact: true }).click()
  await expect(table.row('node02')).not.toContainText('SchedulingDisabled')
  expect(await unschedulable()).toBe('')
})

test("a pod's log is the one that kubectl reads, and goes on while it is watched @page", async ({ app }) => {
  needs('kubectl')
  const { frame } = app
  const table = new ResourceTable(frame)
  const name = unique('ticking')
  await frame.live()
  await app.kubectl(['run', name, '--image=busybox', '--restart=Never', '--', 'sh', '-c', 'n=0; while true; do echo "line $n"; n=$((n+1)); sleep 1; done'])
  await frame.open('Pods')
  await table.filter.fill(name)
  await expect(table.row(name)).toContainText('Running')
  await table.open(name, 'Logs')
  const log = table.details.getByRole('log')
  await expect(log).toContainText('line 0')
  const lines = async (): Promise<number> => (await log.locator('.line').allInnerTexts()).length
  const before = await lines()
  await expect.poll(lines).toBeGreaterThan(before + 1)
  const real = (await app.kubectl(['logs', name])).trim().split('\n')
  const shown = (await log.locator('.line').allInnerTexts()).map((line) => line.trim())
  const both = Math.min(real.length, shown.length)
  expect(shown.slice(0, both)).toEqual(real.slice(0, both))
  await app.kubectl(['delete', 'pod', name, '--grace-period=0', '--force'])
  await table.filter.fill('')
})

test('a pod that is deleted on the page is gone for kubectl @page', async ({ app }) => {
  needs('kubectl')
  const { frame } = app
  const table = new ResourceTable(frame)
  const name = unique('unwanted')
  await frame.live()
  await app.kubectl(['run', name, '--image=nginx'])
  await frame.open('Pods')
  await table.filter.fill(name)
  await table.open(name)
  await table.deleteOpened()
  await expect(table.row(name)).toHaveCount(0, { timeout: 40_000 })
  const { code, stderr } = await app.tryKubectl(['get', 'pod', name])
  expect([code, stderr]).toEqual([1, expect.stringContaining('NotFound')])
  await table.filter.fill('')
})

test('a pod that cannot be placed says why in words @page', async ({ app }) => {
  needs('kubectl')
  const { frame } = app
  const table = new ResourceTable(frame)
  const name = unique('large')
  await frame.live()
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { containers: [{ name: 'main', image: 'nginx', resources: { requests: { cpu: '64' } } }] },
  }
  await app.kubectl(['create', '-f', '-'], { input: JSON.stringify(pod) })
  await frame.open('Pods')
  await table.filter.fill(name)
  await expect(table.row(name)).toContainText('Pending')
  await table.open(name, 'Overview')
  await expect(table.details).toContainText(/cpu/i)
  await expect(table.details).toContainText(/0 of 3 nodes fit|0\/3 nodes are available/)
  await app.kubectl(['delete', 'pod', name, '--grace-period=0', '--force'])
  await table.filter.fill('')
})
