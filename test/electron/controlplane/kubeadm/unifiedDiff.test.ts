import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SeededRandom } from '#shared/base/random.ts'
import { unifiedDiff } from '#electron/controlplane/kubeadm/unifiedDiff.ts'
import { hasProgram, runProgram, temporaryDirectory } from '#test/support/peers.ts'

const text = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('')

describe('unifiedDiff', () => {
  it('is empty for equal texts', () => {
    expect(unifiedDiff({ name: 'a', text: 'one\n' }, { name: 'b', text: 'one\n' }, 3)).toBe('')
  })

  it('joins changes that are near each other, and parts those that are not', () => {
    const before = Array.from({ length: 30 }, (_, index) => `line ${String(index)}`)
    const after = before.flatMap((line, index) => (index === 4 ? ['new'] : index === 8 ? [] : index === 25 ? [line, 'more'] : [line]))
    const diff = unifiedDiff({ name: 'a', text: text(before) }, { name: 'b', text: text(after) }, 3)
    expect(diff.split('\n').filter((line) => line.startsWith('@@'))).toEqual(['@@ -2,11 +2,10 @@', '@@ -24,6 +23,7 @@'])
  })

  it.skipIf(!hasProgram('patch'))('makes patches that patch applies', async () => {
    const dir = temporaryDirectory('diff')
    const random = new SeededRandom(3)
    for (let round = 0; round < 40; round++) {
      const before = Array.from({ length: 1 + random.below(60) }, () => `line ${String(random.below(12))}`)
      const after = before.flatMap((line) => (random.next() < 0.1 ? [] : random.next() < 0.1 ? [line, 'added'] : [line]))
      if (after.length === 0) continue
      const diff = unifiedDiff({ name: 'a', text: text(before) }, { name: 'b', text: text(after) }, random.below(4))
      writeFileSync(join(dir, 'a'), text(before))
      const { code, stdout, stderr } = await runProgram('patch', ['-s', '-o', '-', join(dir, 'a')], { input: diff })
      expect([diff === '' ? 0 : code, diff === '' ? text(after) : stdout], stderr).toEqual([0, text(after)])
    }
  })
})
