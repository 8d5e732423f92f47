import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ssh2 from 'ssh2'
import { describe, expect, it } from 'vitest'
import { newKey, serveNodeSsh } from '#electron/controlplane/nodeSsh.ts'
import { silentLogger } from '#shared/base/logger.ts'
import { temporaryDirectory } from '#test/support/peers.ts'

describe('keys of the nodes', () => {
  it('can be read back, every one', () => {
    const unreadable = Array.from({ length: 1500 }, () => newKey('test')).filter((pair) =>
      [pair.private, pair.public].some((text) => ssh2.utils.parseKey(text) instanceof Error),
    )
    expect(unreadable).toEqual([])
  })

  it('stay when somebody put others there; one that is none is told and not overwritten', async () => {
    const dataDir = temporaryDirectory('node-ssh')
    const first = await serveNodeSsh({ dataDir, port: 0, nodes: [], ports: new Map(), logger: silentLogger })
    await first.close()
    writeFileSync(join(dataDir, 'id_ed25519.pub'), 'no key')
    await expect(serveNodeSsh({ dataDir, port: 0, nodes: [], ports: new Map(), logger: silentLogger })).rejects.toThrow('id_ed25519.pub is no public key')
  })
})
