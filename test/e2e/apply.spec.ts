import type { Locator } from '@playwright/test'
import { needs, unique } from './support/names.ts'
import { expect, test } from './support/test.ts'

const configMap = (name: string, level: string): string => `apiVersion: v1
kind: ConfigMap
metadata:
  name: ${name}
  namespace: default
data:
  level: ${level}
`

test('a dry run shows what would change and changes nothing; applying changes it @page', async ({ app }) => {
  needs('kubectl')
  const { frame } = app
  const name = unique('settings')
  await frame.live()
  await frame.open('Apply YAML')
  const editor: Locator = frame.main.getByRole('textbox', { name: 'YAML to apply' })
  const result = frame.main.getByRole('region', { name: 'Result' })
  const level = (): Promise<string> => app.kubectl(['get', 'configmap', name, '-o', 'jsonpath={.data.level}'])

  await editor.fill(configMap(name, 'info'))
  await frame.main.getByRole('button', { name: 'Dry run' }).click()
  await expect(result).toContainText('Dry run: nothing was changed')
  await expect(result).toContainText('Created')
  expect((await app.tryKubectl(['get', 'configmap', name])).stderr).toContain('NotFound')

  await frame.main.getByRole('button', { name: 'Apply', exact: true }).click()
  await expect(result.getByRole('status')).toHaveText('Applied')
  expect(await level()).toBe('info')
  expect(await app.kubectl(['get', 'configmap', name, '--show-managed-fields', '-o', 'jsonpath={.metadata.managedFields[*].manager}'])).toContain('drydock')

  await editor.fill(configMap(name, 'debug'))
  await frame.main.getByRole('button', { name: 'Dry run' }).click()
  await expect(result).toContainText('Configured')
  await expect(result.locator('.cm-deletedText, .cm-deletedChunk, .cm-deletedLine').first()).toContainText('info')
  expect(await level()).toBe('info')
})

test('fields that another manager owns are named, and taken over only when asked @page', async ({ app }) => {
  needs('kubectl')
  const { frame } = app
  const name = unique('owned')
  await frame.live()
  await app.kubectl(['apply', '--server-side', '--field-manager=other', '-f', '-'], { input: configMap(name, 'theirs') })
  await frame.open('Apply YAML')
  const result = frame.main.getByRole('region', { name: 'Result' })
  await frame.main.getByRole('textbox', { name: 'YAML to apply' }).fill(configMap(name, 'ours'))
  await frame.main.getByRole('button', { name: 'Apply', exact: true }).click()
  await expect(result).toContainText('Failed')
  await expect(result).toContainText(/conflict with "other"/)
  await frame.main.getByLabel('Force conflicts').check()
  await frame.main.getByRole('button', { name: 'Apply', exact: true }).click()
  await expect(result).toContainText('Configured')
  expect(await app.kubectl(['get', 'configmap', name, '-o', 'jsonpath={.data.level}'])).toBe('ours')
})

test('every manifest to begin with is taken by the cluster as it stands @page', async ({ app }) => {
  const { frame, page } = app
  await frame.live()
  await frame.open('Apply YAML')
  const starters = frame.main.getByRole('combobox', { name: 'Start from…' })
  for (const name of (await starters.getByRole('option').allTextContents()).slice(1)) await starters.selectOption(name)
  await frame.main.getByRole('textbox', { name: 'YAML to apply' }).focus()
  await page.keyboard.press('Control+Enter')
  const result = frame.main.getByRole('region', { name: 'Result' })
  await expect(result).toContainText('Dry run: nothing was changed')
  await expect(result.getByText('Created', { exact: true })).toHaveCount(12)
  await expect(result.getByText('Failed', { exact: true })).toHaveCount(0)
})

test('YAML that cannot be read says where @page', async ({ app }) => {
  const { frame } = app
  await frame.live()
  await frame.open('Apply YAML')
  await frame.main.getByRole('textbox', { name: 'YAML to apply' }).fill('apiVersion: v1\nkind: [ConfigMap\n')
  await frame.main.getByRole('button', { name: 'Dry run' }).click()
  await expect(frame.main.getByRole('region', { name: 'Result' })).toContainText(/line \d/)
})
