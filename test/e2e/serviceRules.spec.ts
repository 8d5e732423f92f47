import { expect, test } from './support/test.ts'

test("a Service's details show the rules that kube-proxy keeps for it on a node @page", async ({ app }) => {
  const { frame, page } = app
  await frame.live()
  await frame.open('Services')
  await frame.main.getByRole('gridcell', { name: 'kube-dns', exact: true }).click()
  await page.getByRole('tab', { name: 'Rules' }).click()
  const rules = page.getByRole('list', { name: 'Rules' })
  await expect(
    rules.getByText(/^-A KUBE-SERVICES .*"kube-system\/kube-dns:dns cluster IP" -m udp -p udp -d 10\.96\.0\.10 --dport 53 -j KUBE-SVC-/),
  ).toBeVisible()
  await expect(rules.getByText(/-j DNAT --to-destination 10\.244\.\d+\.\d+:9153$/).first()).toBeVisible()
  await page.getByRole('combobox', { name: 'Node' }).selectOption('node02')
  await expect(rules.getByText(/-j DNAT/).first()).toBeVisible()
})
