import { expect, test } from './support/test.ts'

test("an upgrade is planned in kubeadm's tables, with nothing in its way", async ({ app }) => {
  const { frame } = app
  await frame.live()
  await frame.open('Upgrade')
  const table = frame.main.getByRole('table').filter({ hasText: 'kube-apiserver' })
  await expect(table.getByRole('columnheader')).toHaveText(['COMPONENT', 'NODE', 'CURRENT', 'TARGET'])
  for (const component of ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kube-proxy', 'CoreDNS', 'etcd'])
    await expect(table.getByRole('row').filter({ hasText: component })).toHaveCount(1)
  await expect(table.getByRole('row').filter({ hasText: 'kube-apiserver' })).toHaveText(/v1\.35\.8\s*v1\.36\.4/)
  await expect(frame.main.getByRole('table').filter({ hasText: 'kubelet' }).getByRole('row').filter({ hasText: 'node0' })).toHaveCount(2)
  await expect(frame.main).toContainText('nothing blocks')
  await frame.main.getByRole('button', { name: 'Start the upgrade' }).click()
  await expect(frame.dialog).toContainText('Upgrade to v1.36.4?')
  await frame.dialog.getByRole('button', { name: 'Cancel' }).click()
  await expect(frame.dialog).toHaveCount(0)
})
