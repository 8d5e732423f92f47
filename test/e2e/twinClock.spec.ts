import { BackupsPage } from './pages/backupsPage.ts'
import { expect, test } from './support/test.ts'

// The page ends on another cluster than other specs expect.
test.use({ setup: { label: 'twin' } })

test("a twin's clock is made faster, paused and let go on while the twin runs @page", async ({ app }) => {
  test.setTimeout(240_000)
  const { frame, page } = app
  await frame.live()
  await frame.open('Backups')
  await new BackupsPage(frame).backUpNow()
  await frame.main.getByRole('button', { name: 'Start a twin' }).click()
  // The page goes to the twin once it runs.
  await expect(page).toHaveURL(/\/c\/twin:/, { timeout: 90_000 })
  const table = page.getByRole('region', { name: 'Opened backups and twins' })
  await frame.open('Backups')
  const pace = table.getByRole('combobox', { name: /^How fast the clock of Twin of/ })
  await expect(pace).toBeVisible({ timeout: 90_000 })
  await pace.selectOption('a day a minute')
  await expect(pace).toHaveValue('1440')
  await table.getByRole('button', { name: /^Pause the clock of/ }).click()
  await expect(table.getByText('Paused')).toBeVisible()
  await expect(pace).toHaveValue('1440')
  await table.getByRole('button', { name: /^Let the clock of/ }).click()
  await expect(table.getByText('Paused')).toBeHidden()
})
