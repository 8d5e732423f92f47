import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FileTree } from '#electron/controlplane/kubelet/shell/fileTree.ts'
import { basePrograms } from '#electron/controlplane/kubelet/shell/basePrograms.ts'
import { wholeInput } from '#electron/controlplane/kubelet/shell/process.ts'
import { Shell } from '#electron/controlplane/kubelet/shell/shell.ts'
import { encodeTar } from '#electron/platform/tarArchive.ts'
import { FakeClock } from '#shared/base/clock.ts'
import { hasProgram, runProgram, temporaryDirectory } from '#test/support/peers.ts'

const LONG = `${'deep-'.repeat(15)}/${'folder-'.repeat(12)}/${'file-'.repeat(25)}é`

describe.skipIf(!hasProgram('tar'))('tar in a container', () => {
  const root = temporaryDirectory('tar')
  const outside = temporaryDirectory('tar-outside')
  const tree = (name: string): FileTree => {
    mkdirSync(join(root, name), { recursive: true })
    return new FileTree(join(root, name))
  }
  const run = async (files: FileTree, args: string[], input: Uint8Array = new Uint8Array(0)): Promise<{ code: number; out: Buffer; err: string }> => {
    const parts: Buffer[] = []
    let err = ''
    const shell = new Shell({ files, hostname: 'box', clock: new FakeClock(), signal: new AbortController().signal, programs: basePrograms }, new Map())
    const code = await shell.execute(['tar', ...args], {
      input: wholeInput(input),
      out: (output) => parts.push(Buffer.from(output)),
      err: (text) => (err += text),
    })
    return { code, out: Buffer.concat(parts), err }
  }

  it('writes archives that real tar reads, with long names, links and bytes that are no text', async () => {
    const files = tree('writes')
    mkdirSync(join(root, 'writes/data', LONG, '..'), { recursive: true })
    writeFileSync(join(root, 'writes/data/bytes'), Buffer.from([0, 255, 128, 10]))
    writeFileSync(join(root, 'writes/data', LONG), 'long')
    symlinkSync('bytes', join(root, 'writes/data/link'))
    const { code, out } = await run(files, ['cf', '-', '/data'])
    expect([code, out.length % 10_240]).toEqual([0, 0])
    writeFileSync(join(outside, 'written.tar'), out)
    mkdirSync(join(outside, 'written'))
    expect(await runProgram('tar', ['-xf', join(outside, 'written.tar'), '-C', join(outside, 'written')])).toMatchObject({ code: 0, stderr: '' })
    expect(readFileSync(join(outside, 'written/data/link'))).toEqual(Buffer.from([0, 255, 128, 10]))
    expect(readFileSync(join(outside, 'written/data', LONG), 'utf8')).toBe('long')
  })

  it('follows links with -h: what they lead to goes in in their place', async () => {
    const files = tree('follows')
    mkdirSync(join(root, 'follows/data'))
    writeFileSync(join(root, 'follows/data/file'), 'content')
    symlinkSync('file', join(root, 'follows/data/link'))
    const { code, out } = await run(files, ['-c', '-h', '--hard-dereference', '-f', '-', 'data/link'])
    writeFileSync(join(outside, 'followed.tar'), out)
    expect(code).toBe(0)
    const listed = await runProgram('tar', ['-tvf', join(outside, 'followed.tar')])
    expect(listed.stdout).toMatch(/^-r.* 7 .* data\/link\n$/)
  })

  it.each(['ustar', 'gnu', 'pax'])('reads archives that real tar writes as %s, also compressed', async (format) => {
    const files = tree(`reads-${format}`)
    const name = format === 'ustar' ? `${'folder-'.repeat(12)}/${'file-'.repeat(15)}` : LONG
    const source = join(outside, `source-${format}`)
    mkdirSync(join(source, name, '..'), { recursive: true })
    writeFileSync(join(source, name), 'content')
    const archive = join(outside, `${format}.tar.gz`)
    expect(await runProgram('tar', ['-czf', archive, `--format=${format}`, '-C', source, '.'])).toMatchObject({ code: 0 })
    expect(await run(files, ['-xmf', '-', '-C', '/'], readFileSync(archive))).toMatchObject({ code: 0, err: '' })
    expect(readFileSync(join(root, `reads-${format}`, name), 'utf8')).toBe('content')
  })

  it('never writes out of the container: not by .., not through a link', async () => {
    const entry = { kind: 'file' as const, mode: 0o644, modifiedMs: 0, content: Buffer.from('evil'), target: '' }
    const archive = encodeTar([
      { ...entry, name: '../above' },
      { ...entry, name: '/absolute' },
      { ...entry, name: 'link', kind: 'link', content: Buffer.alloc(0), target: join(outside, 'planted') },
      { ...entry, name: 'link' },
    ])
    const { code, err } = await run(tree('safe'), ['xf', '-'], archive)
    expect([code, err]).toEqual([1, expect.stringContaining('member name has ..')])
    expect([join(root, 'above'), join(outside, 'planted'), '/absolute'].map((path) => existsSync(path))).toEqual([false, false, false])
    expect(readFileSync(join(root, 'safe/absolute'), 'utf8')).toBe('evil')
  })

  it('says what is wrong', async () => {
    const files = tree('wrong')
    expect(await run(files, ['cf', '-', 'missing'])).toMatchObject({ code: 1, err: 'tar: missing: No such file or directory\n' })
    expect(await run(files, ['xf', '-', '-C', '/nowhere'], encodeTar([]))).toMatchObject({
      code: 1,
      err: "tar: can't change directory to '/nowhere': No such file or directory\n",
    })
    expect(await run(files, ['xf', '-'], Buffer.alloc(512, 'x'))).toMatchObject({ code: 1, err: 'tar: invalid tar header checksum\n' })
    expect(await run(files, ['f', '-'])).toMatchObject({ code: 1 })
  })
})
