import { ResourceTable } from './pages/resourceTable.ts'
import { expect, test } from './support/test.ts'

test('Ctrl-K leads to pages, clusters and actions by name @page', async ({ app }) => {
  const { page, frame } = app
  await frame.live()
  await page.keyboard.press('Control+k')
  await expect(frame.dialog.getByRole('combobox')).toBeFocused()
  await page.keyboard.type('certif')
  await page.keyboard.press('Enter')
  await expect(frame.heading('Certificates')).toBeVisible()
  await page.keyboard.press('Control+k')
  await page.keyboard.type('zzzz')
  await expect(frame.dialog).toContainText('Nothing matches zzzz')
  await page.keyboard.press('Escape')
  await expect(frame.dialog).toHaveCount(0)
})

test('the theme is switched, and kept over a reload @page', async ({ app }) => {
  const { page, frame } = app
  await frame.live()
  const theme = (): Promise<string | null> => page.locator('html').getAttribute('data-theme')
  const before = await theme()
  const after = before === 'dark' ? 'light' : 'dark'
  await page.getByRole('button', { name: `Switch to ${after}` }).click()
  await expect.poll(theme).toBe(after)
  await page.reload()
  await expect.poll(theme).toBe(after)
  await page.getByRole('button', { name: `Switch to ${before ?? ''}` }).click()
  await expect.poll(theme).toBe(before)
  // Specs that share the app follow the system's theme.
  await app.frame.open('Settings')
  await page.getByRole('button', { name: 'As the system' }).click()
})

test('the keyboard alone opens pages, rows and the filter, and the map tells how @page', async ({ app }) => {
  const { page, frame } = app
  const table = new ResourceTable(frame)
  await frame.live()
  await page.keyboard.press('?')
  await expect(frame.dialog).toContainText('Filter the table')
  await page.keyboard.press('Escape')
  await expect(frame.dialog).toHaveCount(0)
  for (const [letter, name] of [
    ['n', 'Nodes'],
    ['b', 'Backups'],
    ['p', 'Pods'],
  ] as const) {
    await page.keyboard.press('g')
    await page.keyboard.press(letter)
    await expect(frame.heading(name)).toBeVisible()
  }
  await expect(table.rows.first()).toBeVisible()
  await page.keyboard.press('/')
  await expect(table.filter).toBeFocused()
  await page.keyboard.type('etcd-controlplane')
  await expect(table.rows).toHaveCount(1)
  await page.keyboard.press('Enter')
  await page.keyboard.press('j')
  await page.keyboard.press('Enter')
  await expect(table.details.getByRole('heading', { name: 'etcd-controlplane' })).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(table.details).toHaveCount(0)
  await table.filter.fill('')
})
