import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { NodeShell } from '#electron/runbooks/nodeShell/nodeShell.ts'
import { readAhead } from '#electron/runbooks/nodeShell/readAhead.ts'

const { signal } = new AbortController()
let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'drydock-test-'))
  writeFileSync(join(folder, 'with'), 'first\nsecond\n')
  writeFileSync(join(folder, 'without'), 'no end of line')
  writeFileSync(join(folder, 'empty'), '')
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** This machine's own sh, which notes what it is asked. */
function local(asked: string[], cut = (text: string): string => text): NodeShell {
  return {
    run: (command) => {
      asked.push(command)
      const { status, stdout, stderr } = spawnSync('sh', ['-c', command], { encoding: 'utf8' })
      return Promise.resolve({ exitCode: status ?? 255, stdout: cut(stdout), stderr })
    },
    forward: () => Promise.reject(new Error('nothing listens')),
    close: () => undefined,
  }
}

describe('commands that are run ahead', () => {
  const commands = (): string[] => ['with', 'missing', 'without', 'empty'].map((file) => `cat ${join(folder, file)}`)

  it('are run in one session and answered with their own output and exit code', async () => {
    const asked: string[] = []
    const shell = await readAhead(local(asked), commands(), { signal })
    const answers = await Promise.all(commands().map((command) => shell.run(command, { signal })))
    expect(answers.map(({ exitCode, stdout }) => [exitCode, stdout])).toEqual([
      [0, 'first\nsecond\n'],
      [1, ''],
      [0, 'no end of line'],
      [0, ''],
    ])
    expect(asked).toHaveLength(1)
    expect((await shell.run('echo later', { signal })).stdout).toBe('later\n')
    expect(asked).toHaveLength(2)
  })

  it('are run one by one where the session was cut short', async () => {
    const asked: string[] = []
    const shell = await readAhead(
      local(asked, (text) => text.slice(0, 20)),
      commands(),
      { signal },
    )
    expect((await shell.run(commands()[2] ?? '', { signal })).stdout).toBe('no end of line')
    expect(asked).toHaveLength(2)
  })
})
