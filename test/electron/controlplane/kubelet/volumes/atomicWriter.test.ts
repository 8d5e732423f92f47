import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { writeAtomically } from '#electron/controlplane/kubelet/volumes/atomicWriter.ts'
import { temporaryDirectory } from '#test/support/peers.ts'

const root = temporaryDirectory('atomic')
const file = (path: string, text: string, mode = 0o644) => ({ path, content: Buffer.from(text), mode })
const read = (...path: string[]): string => readFileSync(join(root, ...path), 'utf8')

describe('writeAtomically', () => {
  it('lays files out behind one link, with their modes, also in directories', () => {
    writeAtomically(join(root, 'a'), [file('one', '1', 0o400), file('deep/er/two', '2')])
    expect([read('a', 'one'), read('a', 'deep/er/two')]).toEqual(['1', '2'])
    expect(statSync(join(root, 'a/one')).mode & 0o777).toBe(0o400)
    expect(readlinkSync(join(root, 'a/one'))).toBe('..data/one')
    expect(lstatSync(join(root, 'a/..data')).isSymbolicLink()).toBe(true)
  })

  it('leaves everything as it is when nothing changed', () => {
    const files = [file('one', '1'), file('two', '2')]
    writeAtomically(join(root, 'b'), files)
    const before = readlinkSync(join(root, 'b/..data'))
    writeAtomically(join(root, 'b'), files)
    expect(readlinkSync(join(root, 'b/..data'))).toBe(before)
  })

  it('turns to the new files at once and removes what is gone', () => {
    writeAtomically(join(root, 'c'), [file('kept', 'old'), file('gone', 'x'), file('dir/gone', 'x')])
    const before = readlinkSync(join(root, 'c/..data'))
    writeAtomically(join(root, 'c'), [file('kept', 'new'), file('fresh', 'y')])
    expect(read('c', 'kept')).toBe('new')
    expect(readdirSync(join(root, 'c')).filter((name) => !name.startsWith('..'))).toEqual(['fresh', 'kept'])
    expect(existsSync(join(root, 'c', before))).toBe(false)
  })
})
