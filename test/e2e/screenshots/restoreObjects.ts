import { BackupsPage } from '../pages/backupsPage.ts'
import { ComparePage } from '../pages/comparePage.ts'
import { everyLook } from '../support/looks.ts'
import { expect, test } from '../support/test.ts'

// Comparing and restoring in both themes and two sizes. Pictures to look at, not to compare.

const OBJECTS = `apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {colour: blue, size: large}
---
apiVersion: v1
kind: Secret
metadata: {name: key, namespace: shop}
stringData: {token: hush}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx, envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: key}}]}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: mode, namespace: default}
data: {mode: slow, kept: 'yes'}
`

test('takes comparing and restoring', async ({ app }) => {
  test.setTimeout(600_000)
  const { page, frame } = app
  const compare = new ComparePage(frame)
  const take = (name: string): Promise<void> => everyLook(page, name)
  await frame.live()
  await app.kubectl(['create', 'namespace', 'shop'])
  await app.kubectl(['apply', '-f', '-'], { input: OBJECTS })
  await app.kubectl(['rollout', 'status', 'deployment/web', '-n', 'shop'])
  await frame.open('Backups')
  await new BackupsPage(frame).backUpNow()
  await app.kubectl(['delete', 'namespace', 'shop'])
  await app.kubectl(['create', 'configmap', 'later', '--from-literal=kept=yes'])
  await app.kubectl(['patch', 'configmap', 'mode', '--type=merge', '-p', '{"data":{"mode":"fast"}}'])
  await take('backups-chosen')
  await frame.main.getByRole('link', { name: 'Compare with live' }).click()
  await compare.compared()
  await take('compare')
  await compare.row('mode').click()
  await expect(frame.main.getByRole('region', { name: /^Fields of/ })).toBeVisible()
  await compare.tick('shop').check()
  await take('compare-fields')
  await frame.main.getByRole('button', { name: 'YAML', exact: true }).click()
  await expect(frame.main.locator('.cm-content')).toBeVisible()
  await take('compare-yaml')
  await compare.tick('shop').uncheck()
  await compare.tick('web').check()
  await frame.main.getByRole('button', { name: /^Restore \w+ selected$/ }).click()
  await compare.items()
  await take('restore-needs')
  await frame.main.getByRole('button', { name: 'Back to the comparison' }).click()
  await compare.tick('shop').check()
  await compare.tick('mode').check()
  await frame.main.getByRole('button', { name: /^Restore \w+ selected$/ }).click()
  await compare.items()
  await frame.main.getByRole('button', { name: 'shop/web' }).last().click()
  await take('restore-plan')
  await frame.main.getByRole('button', { name: /^Restore \d+ objects$/ }).click()
  await expect(frame.main.getByText(/^Restored: \d+ created/)).toBeVisible({ timeout: 60_000 })
  await take('restore-report')
})
