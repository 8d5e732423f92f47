import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startCluster, type RunningCluster } from '#test/support/runningCluster.ts'
import { BackupsPage } from '../pages/backupsPage.ts'
import { everyLook } from '../support/looks.ts'
import { expect, test } from '../support/test.ts'

// Runbooks on a cluster of one's own, which is another process reached by kubeconfig and SSH. Pictures to look at, not to compare.

const NODES = ['controlplane', 'node01']
let remote: RunningCluster | null = null

test.use({
  setup: {
    label: 'runbooks',
    prepare: async (directory) => {
      remote = await startCluster(join(directory, 'remote'), [
        '--nodes',
        String(NODES.length),
        '--kubernetes-version',
        'v1.35.8',
        '--cluster-name',
        'production',
      ])
      const [, port = ''] = remote.ssh.split(':')
      const hostKey = readFileSync(join(remote.sshKey, '../host_ed25519.pub'), 'utf8').split(' ').slice(0, 2).join(' ')
      mkdirSync(join(directory, '.ssh'), { mode: 0o700 })
      writeFileSync(join(directory, '.ssh/known_hosts'), `[127.0.0.1]:${port} ${hostKey}\n`)
      const host = (node: string): string =>
        `Host ${node}\n  HostName 127.0.0.1\n  Port ${port}\n  User ${node}\n  IdentityFile ${remote?.sshKey ?? ''}\n  IdentityAgent none\n`
      writeFileSync(join(directory, '.ssh/config'), NODES.map(host).join(''))
      return { KUBECONFIG: remote.kubeconfig }
    },
  },
})
test.afterAll(async () => {
  await remote?.end()
})

test('takes runbooks of a cluster of one’s own', async ({ app }) => {
  test.setTimeout(600_000)
  const { page, frame } = app
  const take = (name: string): Promise<void> => everyLook(page, name)
  await frame.live()
  await page.goto(`${page.url().split('#')[0] ?? ''}#/c/${encodeURIComponent(`context:${remote?.kubeconfig ?? ''}#kubernetes-admin@production`)}/overview`)
  await frame.live()
  await frame.open('Backups')
  await new BackupsPage(frame).backUpNow()
  await page.getByRole('row').nth(1).click()
  await take('remote-backup')
  await page.getByRole('link', { name: /^Restore onto/ }).click()
  await expect(page.getByText('Members that are restored')).toBeVisible()
  await take('restore')
  await frame.open('Nodes')
  await page
    .getByRole('grid')
    .getByRole('row', { name: /controlplane/ })
    .click()
  await page.getByRole('button', { name: 'Read the manifests' }).click()
  await expect(page.getByText('kube-scheduler.yaml')).toBeVisible()
  await page.getByText('kube-scheduler.yaml').scrollIntoViewIfNeeded()
  await take('static-pods')
  await page
    .getByRole('row', { name: /kube-scheduler\.yaml/ })
    .getByRole('link', { name: 'Edit…' })
    .click()
  const editor = page.getByRole('textbox', { name: 'Manifest kube-scheduler.yaml' })
  await editor.getByText('--leader-elect=true').click()
  await page.keyboard.press('End')
  await page.keyboard.press('Enter')
  await page.keyboard.type('- --v=4')
  await expect(page.getByText('Nothing is changed yet.')).toBeHidden()
  await take('manifest')
  await page.getByRole('button', { name: 'Put in place…' }).click()
  await take('manifest-confirm')
  await page.getByRole('dialog').getByRole('button', { name: 'Put in place…' }).click()
  await expect(page.getByText('2 of 2 steps done')).toBeVisible({ timeout: 120_000 })
  await take('manifest-run')
  await frame.open('Upgrade')
  await expect(page.getByText('Preflight:')).toBeVisible()
  await take('remote-upgrade')
  await frame.open('Settings')
  await page.getByText('SSH to nodes').scrollIntoViewIfNeeded()
  await take('settings-ssh')
})
