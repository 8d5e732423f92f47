import { expect, test } from './support/test.ts'

test('the first start shows three ready nodes', async ({ app }) => {
  const { page, frame } = app
  await frame.live()
  await frame.open('Nodes')
  const rows = page.getByRole('grid').getByRole('row')
  // The first row names the columns.
  await expect(rows).toHaveCount(4)
  for (const node of ['controlplane', 'node01', 'node02']) await expect(rows.filter({ hasText: node })).toContainText('Ready')
  expect(app.takeProblems()).toEqual([])
})
