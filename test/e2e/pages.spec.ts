import { expect, test } from './support/test.ts'

// Names in the sidebar are titles of pages, so a page that is added is opened here from its first day.

test('every page of the sidebar opens, and neither errors nor violations of the content policy come up', async ({ app }) => {
  test.slow()
  const { frame } = app
  await frame.live()
  const names = await frame.links()
  expect(names.length).toBeGreaterThan(30)
  for (const name of names)
    await test.step(name, async () => {
      await frame.open(name)
      expect(app.takeProblems(), `problems on ${name}`).toEqual([])
    })
})

test('every page says its command, and each says something else @page', async ({ app }) => {
  const { frame, page } = app
  await frame.live()
  const seen = new Set<string>()
  for (const name of ['Overview', 'Pods', 'Nodes', 'Backups', 'etcd', 'Certificates', 'Access', 'Upgrade', 'Apply YAML']) {
    await frame.open(name)
    await frame.main.getByRole('button', { name: 'Show the command' }).first().click()
    const text = await page.locator('.menu.shown').innerText()
    expect(text, name).toMatch(/kubectl|etcdctl|kubeadm/)
    seen.add(text)
    await page.keyboard.press('Escape')
  }
  expect(seen.size).toBe(9)
})

test('an address that leads nowhere ends on the overview, and an unknown cluster is named as such', async ({ app }) => {
  const { frame, page } = app
  await frame.live()
  await page.evaluate(() => (window.location.hash = '#/no/such/page'))
  await expect(frame.heading('Overview')).toBeVisible()
  await page.evaluate(() => (window.location.hash = '#/c/nobody/overview'))
  await expect(frame.main).toContainText('Nothing is known of nobody')
  await page.evaluate(() => (window.location.hash = '#/'))
  await expect(frame.heading('Overview')).toBeVisible()
})
