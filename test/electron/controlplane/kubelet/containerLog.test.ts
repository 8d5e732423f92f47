import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ContainerLog } from '#electron/controlplane/kubelet/containerLog.ts'
import type { LogOptions } from '#electron/controlplane/kubelet/nodeAgent.ts'
import { temporaryDirectory } from '#test/support/peers.ts'

const directory = temporaryDirectory('container-log')
const START_MS = Date.parse('2026-01-01T00:00:00Z')

const read = async (log: ContainerLog, options: Partial<LogOptions> = {}): Promise<string> => {
  const parts: Uint8Array[] = []
  for await (const part of log.read({
    container: 'main',
    follow: false,
    previous: false,
    timestamps: false,
    signal: new AbortController().signal,
    nowMs: START_MS + 10_000,
    ...options,
  }))
    parts.push(part)
  return Buffer.concat(parts).toString()
}

describe('ContainerLog', () => {
  it('is kept in the form of container runtimes and taken up by the next kubelet', async () => {
    const file = join(directory, 'pod/main/0.log')
    const log = new ContainerLog(file, { resume: false })
    log.write('one\ntwo\n', START_MS)
    log.write('bad: thing', START_MS + 1500, 'stderr')
    await Promise.resolve()
    expect(readFileSync(file, 'utf8')).toBe(
      '2026-01-01T00:00:00.000000000Z stdout F one\n2026-01-01T00:00:00.000000000Z stdout F two\n2026-01-01T00:00:01.500000000Z stderr F bad: thing\n',
    )
    const next = new ContainerLog(file, { resume: true })
    next.write('three', START_MS + 2000)
    await Promise.resolve()
    expect(await read(next)).toBe('one\ntwo\nbad: thing\nthree\n')
    expect(await read(new ContainerLog(file, { resume: true }), { sinceSeconds: 9, timestamps: true })).toBe(
      '2026-01-01T00:00:01.500000000Z bad: thing\n2026-01-01T00:00:02.000000000Z three\n',
    )
    expect(await read(new ContainerLog(file, { resume: false }))).toBe('')
  })

  it('gives the last lines, up to a number of bytes', async () => {
    const log = new ContainerLog(null, { resume: false })
    log.write('one\ntwo\nthree\n', START_MS)
    expect([await read(log, { tailLines: 2 }), await read(log, { tailLines: 0 }), await read(log, { limitBytes: 5 })]).toEqual(['two\nthree\n', '', 'one\nt'])
  })

  it('tells who follows it, until the container ends', async () => {
    const log = new ContainerLog(null, { resume: false })
    log.write('early\n', START_MS)
    const following = read(log, { follow: true })
    await Promise.resolve()
    log.write('late\n', START_MS + 1)
    log.close()
    expect(await following).toBe('early\nlate\n')
  })

  it('stays bounded, in memory and on disk', async () => {
    const file = join(directory, 'long.log')
    const log = new ContainerLog(file, { resume: false })
    for (let batch = 0; batch < 25; batch++) {
      log.write(Array.from({ length: 1000 }, (_, index) => `${String(batch)}.${String(index)}`).join('\n'), START_MS)
      await Promise.resolve()
    }
    expect((await read(log)).split('\n')).toHaveLength(10_001)
    expect(readFileSync(file, 'utf8').split('\n').length).toBeLessThanOrEqual(20_001)
    expect(await read(new ContainerLog(file, { resume: true }), { tailLines: 1 })).toBe('24.999\n')
  })
})
