import { ResourceTable } from './pages/resourceTable.ts'
import { accessibilityProblems } from './support/accessibility.ts'
import { expect, test } from './support/test.ts'

for (const theme of ['light', 'dark'] as const)
  test(`every page is accessible in the ${theme} theme @page`, async ({ app }) => {
    test.slow()
    const { frame, page } = app
    await page.emulateMedia({ colorScheme: theme })
    await frame.live()
    await expect(page.locator('html')).toHaveAttribute('data-theme', theme)
    for (const name of await frame.links())
      await test.step(name, async () => {
        await frame.open(name)
        expect.soft(await accessibilityProblems(app, theme), `${name}, ${theme}`).toEqual([])
      })
  })

for (const theme of ['light', 'dark'] as const)
  test(`details, dialogs and tabs are accessible in the ${theme} theme @page`, async ({ app }) => {
    test.slow()
    const { frame, page } = app
    const table = new ResourceTable(frame)
    const check = async (what: string): Promise<void> => {
      expect.soft(await accessibilityProblems(app, theme), `${what}, ${theme}`).toEqual([])
    }
    await page.emulateMedia({ colorScheme: theme })
    await frame.live()
    for (const [name, row] of [
      ['Pods', 'etcd-controlplane'],
      ['Nodes', 'controlplane'],
      ['Deployments', 'coredns'],
    ] as const) {
      await frame.open(name)
      await table.open(row)
      for (const tab of await table.details.getByRole('tab').all()) {
        await tab.click()
        await frame.settled()
        await check(`${name}: ${await tab.innerText()}`)
      }
    }
    for (const [name, tabs] of [
      ['Certificates', ['Served chain', 'Signing requests']],
      ['Access', ['Who may do this?', 'May it do this now?']],
    ] as const) {
      await frame.open(name)
      for (const tab of tabs) {
        await frame.main.getByRole('tab', { name: tab }).click()
        await frame.settled()
        await check(`${name}: ${tab}`)
      }
    }
    await page.keyboard.press('Control+k')
    await expect(frame.dialog).toBeVisible()
    await check('palette')
    await page.keyboard.press('Escape')
    await frame.open('Pods')
    await page.keyboard.press('?')
    await expect(frame.dialog).toBeVisible()
    await check('keyboard map')
    await page.keyboard.press('Escape')
    await table.open('coredns')
    await table.details.getByRole('button', { name: 'Delete', exact: true }).click()
    await expect(frame.dialog).toBeVisible()
    await check('question')
    await page.keyboard.press('Escape')
  })
