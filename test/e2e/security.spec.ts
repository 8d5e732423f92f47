import { readFileSync } from 'node:fs'
import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { runProgram } from '#test/support/peers.ts'
import { needs, unique } from './support/names.ts'
import { expect, test } from './support/test.ts'

// kubeadm's own two tables: ten certificates and three authorities of a control-plane node with its own etcd.
const CERTIFICATES = [
  'admin.conf',
  'apiserver',
  'apiserver-etcd-client',
  'apiserver-kubelet-client',
  'controller-manager.conf',
  'etcd-healthcheck-client',
  'etcd-peer',
  'etcd-server',
  'front-proxy-client',
  'scheduler.conf',
  'super-admin.conf',
]
const AUTHORITIES = ['ca', 'etcd-ca', 'front-proxy-ca']

test("the tables of certificates are kubeadm's, with the files' own dates", async ({ app }) => {
  const { frame } = app
  await frame.live()
  await frame.open('Certificates')
  const first = (table: string): Promise<string[]> =>
    frame.main.getByRole('region', { name: table, exact: true }).getByRole('row').locator('td:first-child').allInnerTexts()
  expect((await first('Certificates')).map((name) => name.trim()).sort()).toEqual(CERTIFICATES)
  expect((await first('Certificate authorities')).map((name) => name.trim()).sort()).toEqual(AUTHORITIES)
  await frame.main.getByRole('button', { name: 'apiserver', exact: true }).click()
  const pki = join(app.shell.dataDir, 'cluster/nodes/controlplane/etc/kubernetes/pki')
  const file = new X509Certificate(readFileSync(join(pki, 'apiserver.crt')))
  const shown = (await frame.main.innerText()).toLowerCase().replaceAll(/[^0-9a-f]/g, '')
  expect(shown).toContain(file.fingerprint256.toLowerCase().replaceAll(':', ''))
  await frame.main.getByRole('tab', { name: 'Served chain' }).click()
  await expect(frame.main).toContainText('The chain is trusted by this kubeconfig’s authority')
})

test('a signing request that is approved on the page is signed by the cluster', async ({ app }) => {
  needs('kubectl', 'openssl')
  const { frame } = app
  const name = unique('jane')
  const key = join(app.directory, `${name}.key`)
  const made = await runProgram('openssl', ['req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-subj', `/O=dev/CN=${name}`])
  const request = {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name },
    spec: { request: Buffer.from(made.stdout).toString('base64'), signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth'] },
  }
  await frame.live()
  await app.kubectl(['create', '-f', '-'], { input: JSON.stringify(request) })
  await frame.open('Certificates')
  await frame.main.getByRole('tab', { name: 'Signing requests' }).click()
  const card = frame.main.locator('section.card', { has: frame.page.getByRole('heading', { name, exact: true }) })
  await expect(card).toContainText('Pending')
  await card.getByRole('button', { name: 'Approve' }).click()
  await frame.confirm('Approve')
  await expect(card).toContainText('Approved')
  const issued = (): Promise<string> => app.kubectl(['get', 'csr', name, '-o', 'jsonpath={.status.certificate}'])
  await expect.poll(issued).not.toBe('')
  const certificate = new X509Certificate(Buffer.from(await issued(), 'base64'))
  expect(certificate.subject).toBe(`O=dev\nCN=${name}`)
})

test('who may do what is answered with the binding, and the cluster agrees', async ({ app }) => {
  needs('kubectl')
  const { frame } = app
  const user = unique('alice')
  await frame.live()
  await app.kubectl(['create', 'role', user, '--verb=list', '--resource=pods'])
  await app.kubectl(['create', 'rolebinding', user, `--role=${user}`, `--user=${user}`])
  await frame.open('Access')
  await frame.main.getByRole('tab', { name: 'Who may do this?' }).click()
  const who = frame.main.getByRole('tabpanel', { name: 'Who may do this?' })
  await who.getByLabel('Verb').selectOption('list')
  await who.getByLabel('Resource').fill('pods')
  await who.getByLabel('Namespace').fill('default')
  await who.getByRole('button', { name: 'Ask' }).click()
  const row = who.getByRole('row').filter({ hasText: `User ${user}` })
  await expect(row).toContainText(`RoleBinding/${user}`)
  await expect(who.getByRole('row').filter({ hasText: 'system:masters' })).toContainText('ClusterRoleBinding/cluster-admin')

  await frame.main.getByRole('tab', { name: 'May it do this now?' }).click()
  const can = frame.main.getByRole('tabpanel', { name: 'May it do this now?' })
  await can.getByLabel('Kind').selectOption('User')
  await can.getByLabel('Name', { exact: true }).fill(user)
  await can.getByLabel('Namespace').fill('default')
  for (const [verb, words, real] of [
    ['list', 'Allowed', 'yes'],
    ['delete', 'Not allowed', 'no'],
  ] as const) {
    await can.getByLabel('Verb').selectOption(verb)
    await can.getByRole('button', { name: 'Ask' }).click()
    await expect(can.getByRole('status')).toContainText(words)
    expect((await app.tryKubectl(['auth', 'can-i', verb, 'pods', '-n', 'default', `--as=${user}`])).stdout.trim()).toBe(real)
  }
})
