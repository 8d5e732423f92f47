import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DrainPage } from '../pages/drainPage.ts'
import { runProgram } from '#test/support/peers.ts'
import { everyLook, picturesFolder } from '../support/looks.ts'
import { expect, test, type App } from '../support/test.ts'

// What everyPage.ts does not come by: answers, dialogs, failures, a running upgrade, many rows. Pictures to look at, not to compare.

const kubeconfigOf = (directory: string): string => join(directory, 'kubeconfig')

/** A kubeconfig of clusters that do not work; `denied` is filled in when there is a token. */
function writeKubeconfig(directory: string, denied?: { server: string; ca: string; token: string }): void {
  const clusters = [
    { name: 'refusing', cluster: { server: 'https://127.0.0.1:1' } },
    ...(denied === undefined ? [] : [{ name: 'denied', cluster: { server: denied.server, 'certificate-authority-data': denied.ca } }]),
  ]
  writeFileSync(
    kubeconfigOf(directory),
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters,
      users: [
        { name: 'refusing', user: { token: 'none' } },
        { name: 'denied', user: { token: denied?.token ?? '' } },
      ],
      contexts: clusters.map(({ name }) => ({ name, context: { cluster: name, user: name } })),
    }),
  )
}

test.use({
  setup: {
    label: 'states',
    prepare: (directory) => {
      writeKubeconfig(directory)
      return Promise.resolve({ KUBECONFIG: kubeconfigOf(directory) })
    },
  },
})

/** A signing request of a person. */
async function signingRequest(app: App): Promise<string> {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', join(app.directory, 'jane.key')]
  const made = await runProgram('openssl', ['req', '-new', ...key, '-subj', '/O=developers/CN=jane'])
  if (made.code !== 0) throw new Error(`openssl: ${made.stderr}`)
  return Buffer.from(made.stdout).toString('base64')
}

async function furnish(app: App): Promise<void> {
  const request = await signingRequest(app)
  await app.kubectl(['apply', '-f', '-'], {
    input: `
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: jane}
spec: {request: ${request}, signerName: kubernetes.io/kube-apiserver-client, usages: [client auth], expirationSeconds: 86400}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec: {replicas: 4, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: 'nginx:1.27'}]}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: default}
spec: {minAvailable: 4, selector: {matchLabels: {app: web}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: nobody, namespace: default}
`,
  })
  await app.kubectl(['rollout', 'status', 'deployment/web'])
  const read = (path: string): Promise<string> => app.kubectl(['config', 'view', '--raw', '-o', `jsonpath={${path}}`])
  writeKubeconfig(app.directory, {
    server: await read('.clusters[0].cluster.server'),
    ca: await read('.clusters[0].cluster.certificate-authority-data'),
    token: (await app.kubectl(['create', 'token', 'nobody'])).trim(),
  })
}

test('takes the states', async ({ app }) => {
  test.setTimeout(900_000)
  const { page, frame } = app
  const { main } = frame
  const take = (name: string): Promise<void> => everyLook(page, name)
  await frame.live()
  await furnish(app)

  await frame.open('Access')
  await expect(main.getByRole('table')).toBeVisible()
  await take('access-what')
  await main.getByRole('tab', { name: 'Who may do this?' }).click()
  await main.getByRole('button', { name: 'Ask' }).click()
  await expect(main.getByRole('table')).toBeVisible()
  await take('access-who')
  await main.getByRole('tab', { name: 'May it do this now?' }).click()
  await main.getByRole('combobox', { name: 'Kind' }).selectOption('Group')
  await main.getByRole('textbox', { name: 'Name', exact: true }).fill('developers')
  await main.getByRole('button', { name: 'Ask' }).click()
  await expect(main.getByRole('status')).toBeVisible()
  await take('access-can')

  await frame.open('Apply YAML')
  await main.getByRole('combobox', { name: 'Start from…' }).selectOption('Deployment')
  await main.getByRole('button', { name: 'Dry run' }).click()
  await expect(main.getByText('Dry run: nothing was changed')).toBeVisible()
  await take('apply-dry-run')
  await main.getByRole('textbox', { name: 'YAML to apply' }).fill('apiVersion: v1\nkind: Pod\nmetadata: {name: A_b}\nspec: {containers: []}\n')
  await main.getByRole('button', { name: 'Dry run' }).click()
  await expect(main.getByText('Failed', { exact: true })).toBeVisible()
  await take('apply-failed')

  await frame.open('Certificates')
  await main.getByRole('tab', { name: 'Served chain' }).click()
  await frame.settled()
  await take('certificates-served')
  await main.getByRole('tab', { name: 'Signing requests' }).click()
  await expect(main.getByText('jane').first()).toBeVisible()
  await take('certificates-requests')

  await frame.open('etcd')
  await expect(main.getByText('Loading', { exact: true })).toHaveCount(0)
  await main.getByText('pods/', { exact: true }).click()
  await take('etcd-keys')

  await frame.open('Pods')
  await page.getByRole('grid').getByRole('row').nth(1).click()
  await frame.settled()
  await main.getByRole('button', { name: 'Delete', exact: true }).first().click()
  await expect(frame.dialog).toBeVisible()
  await take('delete-dialog')
  await page.keyboard.press('Escape')
  await page.keyboard.press('Escape')

  await app.kubectl([
    'run',
    'too-large',
    '--image=redis',
    '--overrides={"spec":{"containers":[{"name":"main","image":"redis","resources":{"requests":{"cpu":"64"}}}]}}',
  ])
  await frame.open('Pods')
  await page.getByRole('grid').getByRole('row').filter({ hasText: 'too-large' }).click()
  await frame.settled()
  await expect(main.getByText(/Why is it pending/).first()).toBeVisible()
  await take('pod-pending')
  await page.keyboard.press('Escape')
  await app.kubectl(['delete', 'pod', 'too-large'])

  await frame.open('Nodes')
  await page.getByRole('grid').getByRole('row').filter({ hasText: 'node01' }).click()
  await frame.settled()
  await main.getByRole('link', { name: 'Drain…' }).click()
  await new DrainPage(frame).opened()
  await take('drain-plan')

  await page.locator('header.top').getByRole('button').first().click()
  await expect(page.getByRole('menuitem').filter({ hasText: 'denied' })).toBeVisible()
  await take('switcher')
  await page.keyboard.press('Escape')
  await frame.chooseCluster('refusing')
  await expect(frame.status).toHaveText('Unreachable')
  await take('unreachable-overview')
  await frame.open('Pods')
  await take('unreachable-pods')
  await frame.chooseCluster('denied')
  await frame.settled()
  await take('denied-overview')
  await frame.open('Pods')
  await frame.settled()
  await take('denied-pods')
  await frame.open('Access')
  await expect(main.getByRole('alert')).toBeVisible()
  await take('denied-access')
  await frame.chooseCluster('Local cluster')
  await frame.live()

  await app.kubectl(['delete', 'poddisruptionbudget', 'web'])
  await app.kubectl(['create', 'deployment', 'many', '--image=nginx', '--replicas=2000'])
  await frame.open('Pods')
  await expect(main.getByText(/of 2,?0\d\d/)).toBeVisible({ timeout: 180_000 })
  await page.getByRole('grid').press('End')
  await take('pods-many')
  await app.kubectl(['delete', 'deployment', 'many'])
  await expect(main.getByText(/of 2,?0\d\d/)).toHaveCount(0, { timeout: 60_000 })

  await frame.open('Upgrade')
  await main.getByRole('button', { name: 'Start the upgrade' }).click()
  await expect(frame.dialog).toBeVisible()
  await take('upgrade-dialog')
  await frame.dialog.getByRole('button', { name: /^(Upgrade|Start)/ }).click()
  await expect(frame.heading('Runbooks')).toBeVisible()
  await expect(main.getByText('Running').first()).toBeVisible()
  await take('runbook-running')
  await expect(main.getByText(/^(\d+) of \1 steps done$/)).toBeVisible({ timeout: 300_000 })
  await take('runbook-done')
  process.stdout.write(`drydock: pictures are in ${picturesFolder}\n`)
})
