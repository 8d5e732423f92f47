import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { runProgram } from '#test/support/peers.ts'
import { BackupsPage } from './pages/backupsPage.ts'
import { needs } from './support/names.ts'
import { expect, test } from './support/test.ts'

test("a backup's figures are the ones that etcdctl reads from the file", async ({ app }) => {
  needs('etcdctl')
  const { frame } = app
  const backups = new BackupsPage(frame)
  await frame.live()
  await frame.open('Backups')
  const before = await backups.list.count()
  await backups.backUpNow()
  await expect(backups.list).toHaveCount(before + 1)
  const shown = await backups.shown()
  const { stdout, stderr } = await runProgram('etcdctl', ['snapshot', 'status', shown.path, '-w', 'json'], { env: { ETCDCTL_API: '3' } })
  expect(stderr).not.toContain('Error')
  const status = JSON.parse(stdout) as { hash: number; revision: number; totalKey: number }
  expect({ hash: parseInt(shown.hash, 16), revision: shown.revision, totalKey: shown.totalKeys }).toEqual({
    hash: status.hash,
    revision: status.revision,
    totalKey: status.totalKey,
  })
  expect(createHash('sha256').update(readFileSync(shown.path)).digest('hex')).toBe(shown.sha256)
})
