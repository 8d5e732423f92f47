import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { goingOn } from '#electron/commands/goingOn.ts'

const wordsOf = (line: string): string[] =>
  execFileSync('sh', ['-c', `printf '%s\\n' ${line}`], { encoding: 'utf8' })
    .trimEnd()
    .split('\n')

it('tells command lines that a shell reads as they were given, from any folder', () => {
  const [resume = '', abort = ''] = goingOn('r1', { kubeconfig: "/tmp/it's mine/admin.conf", dataDir: 'data', askSudoPassword: true }).split('\n')
  expect(wordsOf(resume.replace('To go on: ', ''))).toEqual([
    ...['drydock', 'runbook', 'resume', 'r1', '--kubeconfig', "/tmp/it's mine/admin.conf"],
    ...['--data-dir', `${process.cwd()}/data`, '--ask-sudo-password'],
  ])
  expect(abort).toMatch(/^To give up and undo what can be undone: drydock runbook abort r1 --kubeconfig /)
})

it('tells no flag that was not given', () => {
  expect(goingOn('r1', {})).toBe('To go on: drydock runbook resume r1\nTo give up and undo what can be undone: drydock runbook abort r1\n')
})
