import { rmSync } from 'node:fs'
import { look, picturesFolder, SIZES, THEMES } from '../support/looks.ts'
import { expect, test } from '../support/test.ts'

// Every page in both themes and two sizes, of a cluster that has something to show. Pictures to look at, not to compare.

const WORKLOADS = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default, labels: {app: web}}
spec: {replicas: 4, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: 'nginx:1.27', resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {cpu: 500m, memory: 128Mi}}}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: too-large, namespace: default, labels: {app: too-large}}
spec: {replicas: 1, selector: {matchLabels: {app: too-large}}, template: {metadata: {labels: {app: too-large}}, spec: {containers: [{name: main, image: 'redis:7', resources: {requests: {cpu: '64', memory: 512Gi}}}]}}}
---
apiVersion: v1
kind: Pod
metadata: {name: short-lived, namespace: default}
spec: {containers: [{name: main, image: busybox, command: [sh, -c, 'echo starting; exit 1']}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: default}
data: {level: info}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: default}
spec: {minAvailable: 3, selector: {matchLabels: {app: web}}}
`

test('takes every page', async ({ app }) => {
  test.setTimeout(900_000)
  rmSync(picturesFolder, { recursive: true, force: true })
  const { page, frame } = app
  await frame.live()
  await app.kubectl(['apply', '-f', '-'], { input: WORKLOADS })
  await frame.open('Backups')
  await page.getByRole('button', { name: 'Back up now' }).click()
  await expect(page.getByText('The backup is verified')).toBeVisible()
  await frame.open('Overview')
  await app.kubectl(['rollout', 'status', 'deployment/web'])
  const links = await frame.links()
  for (const theme of THEMES)
    for (const size of SIZES) {
      const take = await look(page, theme, size)
      for (const name of links) {
        await frame.open(name)
        await take(name.toLowerCase().replaceAll(' ', '-'))
      }
      for (const table of ['Pods', 'Nodes', 'Deployments']) {
        await frame.open(table)
        await page.getByRole('grid').getByRole('row').nth(1).click()
        await expect(frame.main.getByRole('tab').first()).toBeVisible()
        for (const tab of await frame.main.getByRole('tab').all()) {
          await tab.click()
          await frame.settled()
          await take(`${table.toLowerCase()}-details-${((await tab.textContent()) ?? '').trim().toLowerCase().replaceAll(' ', '-')}`)
        }
        await page.keyboard.press('Escape')
      }
      await frame.open('Overview')
      await page.keyboard.press('Control+k')
      await expect(page.getByRole('dialog')).toBeVisible()
      await take('palette')
      await page.keyboard.press('Escape')
      await page.keyboard.press('?')
      await expect(page.getByRole('dialog')).toBeVisible()
      await take('keyboard-map')
      await page.keyboard.press('Escape')
    }
  process.stdout.write(`drydock: pictures are in ${picturesFolder}\n`)
})
