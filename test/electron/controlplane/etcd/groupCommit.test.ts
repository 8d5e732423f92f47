import { expect, test } from 'vitest'
import { GroupCommit } from '#electron/controlplane/etcd/groupCommit.ts'

/** A database that tells what is asked of it, and whose disk is as quick as the test says. */
function recorded() {
  const log: string[] = []
  const syncs: PromiseWithResolvers<undefined>[] = []
  const state = { revision: 1, failing: false }
  const commits = new GroupCommit({
    database: {
      begin: () => log.push('begin'),
      commit: () => {
        if (state.failing) throw new Error('disk is full')
        log.push('commit')
      },
      sync: () => {
        log.push('sync')
        const sync = Promise.withResolvers<undefined>()
        syncs.push(sync)
        return sync.promise
      },
    },
    revision: () => state.revision,
    onDurable: (revision) => log.push(`durable ${String(revision)}`),
    onUndone: () => log.push('undone'),
  })
  /** A write, and what its writer is told. */
  const write = (name: string): Promise<void> => {
    commits.begin()
    state.revision += 1
    log.push(name)
    return commits.settled().then(
      () => void log.push(`${name} answered`),
      (error: unknown) => void log.push(`${name} refused: ${(error as Error).message}`),
    )
  }
  return { log, syncs, state, commits, write }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('writes of one turn share a commit, and those that come while it goes to disk share the next', async () => {
  const { log, syncs, write } = recorded()
  const written = [write('a'), write('b')]
  await turn()
  written.push(write('c'))
  await turn()
  written.push(write('d'))
  await turn()
  expect(log.splice(0)).toEqual(['begin', 'a', 'b', 'commit', 'sync', 'begin', 'c', 'd'])
  syncs[0]?.resolve(undefined)
  await turn()
  expect(log.splice(0)).toEqual(['commit', 'sync', 'durable 3', 'a answered', 'b answered'])
  syncs[1]?.resolve(undefined)
  await Promise.all(written)
  expect(log).toEqual(['durable 5', 'c answered', 'd answered'])
})

test('what is read waits for what was written before, on its way to disk or not', async () => {
  const { log, syncs, commits, write } = recorded()
  const written = write('a')
  await turn()
  const read = commits.settled().then(() => log.push('read'))
  await turn()
  expect(log).not.toContain('read')
  syncs[0]?.resolve(undefined)
  await Promise.all([written, read])
  expect(log.slice(-2)).toEqual(['a answered', 'read'])
  await expect(commits.settled()).resolves.toBeUndefined()
})

test('a commit that fails is undone and told, and the next one is tried', async () => {
  const { log, syncs, state, write } = recorded()
  state.failing = true
  await write('a')
  expect(log.splice(0)).toEqual(['begin', 'a', 'undone', 'a refused: etcdserver: the write could not be put on disk: disk is full'])
  state.failing = false
  const written = write('b')
  await turn()
  syncs[0]?.resolve(undefined)
  await written
  expect(log).toEqual(['begin', 'b', 'commit', 'sync', 'durable 3', 'b answered'])
})

test('after a disk that could not write nothing is promised any more', async () => {
  const { log, syncs, commits, write } = recorded()
  const written = [write('a')]
  await turn()
  written.push(write('b'))
  syncs[0]?.reject(new Error('input/output error'))
  await Promise.all(written)
  const refusal = 'etcdserver: the write could not be put on disk: input/output error'
  expect(log).toEqual(['begin', 'a', 'commit', 'sync', 'begin', 'b', 'undone', `a refused: ${refusal}`, `b refused: ${refusal}`])
  expect(() => {
    commits.begin()
  }).toThrow(refusal)
  await expect(commits.settled()).rejects.toThrow(refusal)
})

test('what must not run within a transaction waits until there is none', async () => {
  const { log, syncs, commits, write } = recorded()
  const written = [write('a')]
  const idle = commits.whenIdle(() => log.push('idle'))
  await turn()
  written.push(write('b'))
  syncs[0]?.resolve(undefined)
  await turn()
  expect(log).not.toContain('idle')
  syncs[1]?.resolve(undefined)
  await Promise.all([...written, idle])
  expect(log.at(-1)).toBe('idle')
})
