import { describe, expect, it } from 'vitest'
import { Interrupted } from '#electron/controlplane/kubelet/shell/process.ts'
import { Terminal } from '#electron/controlplane/kubelet/shell/terminal.ts'

const UP = '\u001b[A'
const LEFT = '\u001b[D'
const HOME = '\u001bOH'
const DELETE = '\u001b[3~'

function terminal(): { shown(): string; typed: Terminal; interrupts: Interrupted[]; keys(text: string): void } {
  let shown = ''
  const interrupts: Interrupted[] = []
  const typed = new Terminal({ write: (text) => (shown += text), interrupted: (error) => interrupts.push(error) })
  return {
    shown: () => shown,
    typed,
    interrupts,
    keys: (text) => {
      typed.type(Buffer.from(text))
    },
  }
}

describe('Terminal', () => {
  it.each([
    ['echoes and gives the line at Enter', 'ls -l\r', 'ls -l'],
    ['takes back characters and words', 'lss\u007f one two\u0017\u0017-l\r', 'ls -l'],
    ['inserts in the middle', `ls${LEFT}x${HOME}y\r`, 'ylxs'],
    ['deletes to the right and to the ends', `abcdef${LEFT}${LEFT}${LEFT}${DELETE}\u000b${HOME}${DELETE}\r`, 'bc'],
    ['forgets the line before the cursor', 'wrong\u0015right\r', 'right'],
    ['takes an escape sequence that was cut', 'b\u001b[\r', 'b'],
    ['takes one line end for CR LF', 'one\r\n', 'one'],
  ])('%s', async (_, keys, line) => {
    const { typed, keys: press } = terminal()
    press(keys)
    if (keys.endsWith('\u001b[\r')) press('\r')
    expect(await typed.input.readLine()).toBe(line)
  })

  it('brings earlier lines back', async () => {
    const { typed, keys } = terminal()
    keys('first\rsecond\r')
    keys(`${UP}${UP}\r`)
    expect([await typed.input.readLine(), await typed.input.readLine(), await typed.input.readLine()]).toEqual(['first', 'second', 'first'])
  })

  it('ends the input once with Ctrl-D on an empty line', async () => {
    const { typed, keys } = terminal()
    const first = typed.input.readLine()
    keys('\u0004')
    expect(await first).toBeNull()
    keys('more\r')
    expect(await typed.input.readLine()).toBe('more')
  })

  it('interrupts with Ctrl-C who waits for input, and forgets the line', async () => {
    const { typed, keys, interrupts, shown } = terminal()
    const waiting = typed.input.readLine()
    keys('half a line\u0003')
    await expect(waiting).rejects.toBeInstanceOf(Interrupted)
    expect(interrupts).toHaveLength(1)
    expect(shown()).toBe('half a line^C\r\n')
    keys('next\r')
    expect(await typed.input.readLine()).toBe('next')
  })

  it('ends lines of output as terminals do', () => {
    const { typed, shown } = terminal()
    typed.out('one\ntwo\r\n')
    expect(shown()).toBe('one\r\ntwo\r\n')
  })
})
