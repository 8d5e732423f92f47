import { describe, expect, it } from 'vitest'
import { basePrograms } from '#electron/controlplane/kubelet/shell/basePrograms.ts'
import { FileTree } from '#electron/controlplane/kubelet/shell/fileTree.ts'
import { emptyInput, textOf } from '#electron/controlplane/kubelet/shell/process.ts'
import { Shell } from '#electron/controlplane/kubelet/shell/shell.ts'
import { SystemClock } from '#shared/base/clock.ts'
import { temporaryDirectory } from '#test/support/peers.ts'
import { hasProgram, runProgram } from '#test/support/peers.ts'

const root = temporaryDirectory('shell')

async function run(script: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const shell = new Shell(
    { programs: basePrograms, files: new FileTree(root), hostname: 'node1', clock: new SystemClock(), signal: new AbortController().signal },
    new Map([['HOME', '/root']]),
  )
  let [stdout, stderr] = ['', '']
  const code = await shell.run(script, { input: emptyInput, out: (output) => (stdout += textOf(output)), err: (text) => (stderr += text) })
  return { code, stdout, stderr }
}

/** Scripts whose outcome does not depend on the machine: sh itself says what is right. */
const SCRIPTS = [
  `echo a 'b  c' "d $HOME_NOT_SET e" f\\ g`,
  'false && echo yes || echo no; echo $?',
  'for i in 1 2 3; do echo "n $i"; done | tail -n 1',
  'x=3; if [ "$x" = 3 ]; then echo three; else echo other; fi',
  'echo $(echo a b | wc -w) | tr -d " "',
  'i=0; while [ $i != 000 ]; do i=0$i; echo $i; done',
  'printf "%s-%s\\n" a b c d',
  '(exit 7); echo $?',
  '! true; echo $?',
  'printf "one\\ntwo\\nthree\\n" | sed -e "s/o/0/g" -e "/three/d"',
  'printf "b\\na\\nb\\n" | sort -u',
  'printf "a:b:c\\n" | cut -d: -f2',
  'printf "x1\\ny2\\n" | grep -c "[xy]"',
  'echo ${MISSING:-fallback}',
  'i=3; while [ $i -gt 0 ]; do echo $i; i=$((i - 1)); done; echo "$(( (i + 2) * $i - 7 / 2 % 4 )) $((1 << 4 | 1)) $((2 > 1 && !0))"',
  'printf "%03d %-4s|%%\\n" 7 ab',
  'echo $((1 / 0)); echo never',
  'printf "a\\0b" | wc -c',
  'i=0; while true; do echo $i; i=$((i+1)); done | head -n 3',
  'x=1; echo y | { read x; echo "in $x"; }; echo "out $x"',
  'echo one | (exit 3); echo $?',
  'for f in a.txt b.md other; do case $f in *.txt|*.md) echo "text $f";; [!a-n]*) echo rest;; esac; done',
  'case x in y) echo no ;; esac; echo $?',
  'x=5\ncat <<EOF | tr a-z A-Z\nvalue "$x" $((x + 1)) $(echo sub)\n  \\$x `echo tick`\nEOF\ncat <<-\'END\' && echo after\n\tkept $x\n\tEND\n',
  'printf abcdef | tail -c +3 | head -c 2',
  'printf "echo one\nif true\nthen echo two; fi\nexit 4\necho three\n" | sh; echo $?',
]

describe('Shell', () => {
  it.skipIf(!hasProgram('sh')).each(SCRIPTS)('does what sh does: %s', async (script) => {
    const real = await runProgram('sh', ['-c', script])
    expect(await run(script)).toMatchObject({ code: real.code, stdout: real.stdout })
  })

  it('redirects into files of its own tree and expands patterns there', async () => {
    expect((await run('mkdir -p /a/b; echo one > /a/b/1.yaml; echo two >> /a/b/2.yaml; cat /a/b/*.yaml; ls /a/b')).stdout).toBe('one\ntwo\n1.yaml\n2.yaml\n')
  })

  it('takes the patterns of case as they stand, whatever files are there', async () => {
    const script =
      'mkdir -p /c; cd /c; echo 1 > one.conf; echo 2 > "two 2.conf"; for f in *.conf; do case "$f" in *[!a-z.]*) echo "odd $f";; *) echo "kept $f";; esac; done'
    expect((await run(script)).stdout).toBe('kept one.conf\nodd two 2.conf\n')
  })

  it('does not reach files outside its tree', async () => {
    expect(await run('cat ../../../../../../etc/hostname')).toMatchObject({ code: 1, stdout: '' })
  })

  it('says 127 for a program nobody knows', async () => {
    expect(await run('helm version')).toEqual({ code: 127, stdout: '', stderr: 'sh: helm: not found\n' })
  })

  it('says 2 for text it cannot parse', async () => {
    expect(await run('if true; then echo')).toMatchObject({ code: 2 })
  })
})
