import { BackupsPage } from './pages/backupsPage.ts'
import { ComparePage } from './pages/comparePage.ts'
import { accessibilityProblems } from './support/accessibility.ts'
import { needs, unique } from './support/names.ts'
import { expect, test } from './support/test.ts'

const objects = (namespace: string): string => `apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: ${namespace}}
data: {colour: blue, size: large}
---
apiVersion: v1
kind: Secret
metadata: {name: key, namespace: ${namespace}}
stringData: {token: hush}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: ${namespace}}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: ${namespace}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx, envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: key}}]}]}
`

for (const theme of ['light', 'dark'] as const)
  test(`a deleted namespace is found by comparing with a backup and restored alone, ${theme} theme @page`, async ({ app }) => {
    needs('kubectl')
    test.slow()
    const { frame, page } = app
    const compare = new ComparePage(frame)
    const shop = unique(`shop-${theme}`)
    const check = async (what: string): Promise<void> => {
      expect.soft(await accessibilityProblems(app, theme), what).toEqual([])
    }
    await page.emulateMedia({ colorScheme: theme })
    await frame.live()
    await app.kubectl(['create', 'namespace', shop])
    await app.kubectl(['apply', '-f', '-'], { input: objects(shop) })
    await app.kubectl(['rollout', 'status', 'deployment/web', '-n', shop, '--timeout=60s'])
    await app.kubectl(['create', 'configmap', `mode-${shop}`, '--from-literal=mode=slow'])

    await frame.open('Backups')
    await new BackupsPage(frame).backUpNow()
    await app.kubectl(['delete', 'namespace', shop, '--timeout=60s'])
    await app.kubectl(['create', 'configmap', `later-${shop}`, '--from-literal=kept=yes'])
    await app.kubectl(['patch', 'configmap', `mode-${shop}`, '--type=merge', '-p', '{"data":{"mode":"fast"}}'])

    await frame.main.getByRole('link', { name: 'Compare with live' }).click()
    await compare.compared()
    await expect(page.locator('html')).toHaveAttribute('data-theme', theme)
    await expect(compare.row(`later-${shop}`)).toContainText('added')
    await compare.row(`mode-${shop}`).click()
    const fields = frame.main.getByRole('region', { name: /^Fields of ConfigMap/ })
    await expect(fields.getByRole('row').filter({ hasText: 'mode' })).toContainText(/slow\s*fast/)
    await check('compare, fields')
    await frame.main.getByRole('button', { name: 'YAML', exact: true }).click()
    await expect(frame.main.locator('.cm-content')).toContainText('mode: fast')
    await check('compare, YAML')

    await compare.tick(shop).check()
    await frame.main.getByRole('button', { name: /^Restore \d+ selected$/ }).click()
    expect((await compare.items()).sort()).toEqual(
      [
        `Namespace ${shop} Will be made`,
        `ServiceAccount ${shop}/default Will be made`,
        `Secret ${shop}/key Will be made`,
        `ConfigMap ${shop}/kube-root-ca.crt Left out`,
        `ConfigMap ${shop}/settings Will be made`,
        `Service ${shop}/web Will be made`,
        `Deployment ${shop}/web Will be made`,
      ].sort(),
    )
    expect((await app.tryKubectl(['get', 'namespace', shop])).code).toBe(1)
    await check('restore, plan')
    await frame.main.getByRole('button', { name: 'Restore 6 objects' }).click()
    await expect(frame.main.getByText(/^Restored: \d+ created/)).toContainText('0 failed', { timeout: 60_000 })
    await check('restore, report')
    await app.kubectl(['rollout', 'status', 'deployment/web', '-n', shop, '--timeout=60s'])
    expect(await app.kubectl(['get', 'configmap', 'settings', '-n', shop, '-o', 'jsonpath={.data}'])).toBe('{"colour":"blue","size":"large"}')
    expect(await app.kubectl(['get', 'secret', 'key', '-n', shop, '-o', 'jsonpath={.data.token}'])).toBe(Buffer.from('hush').toString('base64'))
    expect(await app.kubectl(['get', 'configmap', `mode-${shop}`, '-o', 'jsonpath={.data.mode}'])).toBe('fast')

    await frame.main.getByRole('button', { name: 'Verify by comparing again' }).click()
    await compare.compared()
    await frame.main.getByRole('searchbox').fill(`deployment ${shop}/web`)
    // New objects with uids of their own: nothing of the namespace is missing any more.
    await expect(frame.main.getByText(/^0 removed, /)).toBeVisible()
    await app.kubectl(['delete', 'namespace', shop, '--wait=false'])
  })
