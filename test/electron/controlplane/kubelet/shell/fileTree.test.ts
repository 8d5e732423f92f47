import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { FileTree } from '#electron/controlplane/kubelet/shell/fileTree.ts'
import { temporaryDirectory } from '#test/support/peers.ts'

const root = temporaryDirectory('tree')
const [rootfs, volume, other] = ['rootfs', 'volume', 'other'].map((name) => join(root, name)) as [string, string, string]
const tree = new FileTree(rootfs, {
  readOnly: true,
  mounts: [
    { path: '/data', host: volume, readOnly: false, fsType: 'tmpfs' },
    { path: '/data/inner', host: other, readOnly: true, fsType: 'ext4' },
    { path: '/etc/hosts', host: join(root, 'hosts'), readOnly: false, fsType: 'ext4' },
  ],
})

beforeAll(() => {
  for (const directory of [rootfs, volume, other]) mkdirSync(directory)
  writeFileSync(join(root, 'hosts'), 'localhost')
  symlinkSync('/etc/passwd', join(volume, 'out'))
  symlinkSync('file', join(volume, 'in'))
  writeFileSync(join(volume, 'file'), 'inside')
})

describe('FileTree', () => {
  it('finds the deepest mount above a path', () => {
    expect(tree.host('/data/x')).toBe(join(volume, 'x'))
    expect(tree.host('inner/y', '/data')).toBe(join(other, 'y'))
    expect(tree.host('/data')).toBe(volume)
    expect(tree.host('/database')).toBe(join(rootfs, 'database'))
    expect(readFileSync(tree.host('/etc/hosts'), 'utf8')).toBe('localhost')
    expect(tree.mountOf('/data/x')?.fsType).toBe('tmpfs')
    expect(tree.mountOf('/x')).toBeNull()
  })

  it('leads no way out of a mount', () => {
    expect(() => tree.host('/data/out')).toThrow('Permission denied')
    expect(tree.host('/data/../../../etc/passwd')).toBe(join(rootfs, 'etc/passwd'))
    expect(readFileSync(tree.host('/data/in'), 'utf8')).toBe('inside')
  })

  it('changes nothing that is read-only', () => {
    expect(tree.hostToChange('/data/x')).toBe(join(volume, 'x'))
    expect(() => tree.hostToChange('/data/inner/x')).toThrow('/data/inner/x: Read-only file system')
    expect(() => tree.hostToChange('/x')).toThrow('/x: Read-only file system')
  })

  it('tells paths as they are seen inside', () => {
    expect([join(volume, 'x'), join(other, 'x'), join(rootfs, 'etc/x'), '/elsewhere'].map((host) => tree.inside(host))).toEqual([
      '/data/x',
      '/data/inner/x',
      '/etc/x',
      '/elsewhere',
    ])
  })
})
