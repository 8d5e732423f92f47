import { join } from 'node:path'
import type { Random } from '#shared/base/random.ts'
import { etcdctl, etcdPlace, etcdReady, startEtcd } from './realEtcd.ts'

/** etcd's limit for one transaction. */
const OPERATIONS = 128

export interface EtcdPrograms {
  etcd: string
  etcdctl: string
}

/** Lines for `etcdctl txn`: no conditions, these operations. */
const transaction = (lines: readonly string[]): string => `\n${lines.join('\n')}\n\n\n`

/**
 * A real etcd with what makes a file untidy: keys of all sizes written over and over, deletes, leases, a compaction, a defragmented
 * beginning, auth switched on. Its snapshot is at the path that is returned; nothing is left running.
 */
export async function snapshotOfFilledEtcd(
  programs: EtcdPrograms,
  { directory, keys, random }: { directory: string; keys: number; random: Random },
): Promise<string> {
  const place = await etcdPlace('filled')
  const server = startEtcd({ program: programs.etcd, dataDir: join(directory, 'filled.etcd'), place })
  const ctl = (args: readonly string[], input?: string): Promise<string> => etcdctl(programs.etcdctl, ['--endpoints', place.client, ...args], input)
  const text = (length: number): string => Array.from({ length }, () => (random.below(36) as number).toString(36)).join('')
  const puts = (count: number): string[] =>
    Array.from(
      { length: count },
      () => `put /registry/configmaps/default/item-${String(random.below(keys))} "${text(1 + random.below(random.below(8) === 0 ? 2500 : 200))}"`,
    )
  const distinct = (lines: readonly string[]): string[] => [...new Map(lines.map((line) => [line.split(' ')[1] ?? '', line])).values()]
  try {
    await etcdReady(programs.etcdctl, place.client)
    for (let left = keys; left > 0; left -= OPERATIONS) await ctl(['txn'], transaction(distinct(puts(OPERATIONS))))
    await ctl(['defrag'])
    const lease = /lease (\w+) granted/.exec(await ctl(['lease', 'grant', '3600']))?.[1] ?? ''
    for (let number = 0; number < 5; number++) await ctl(['put', `/leased/${String(number)}`, text(60), `--lease=${lease}`])
    const dropped = Array.from({ length: 60 }, () => `del /registry/configmaps/default/item-${String(random.below(keys))}`)
    await ctl(['txn'], transaction(distinct(dropped)))
    const status = JSON.parse(await ctl(['endpoint', 'status', '-w', 'json'])) as { Status: { header: { revision: number } } }[]
    await ctl(['compact', String((status[0]?.Status.header.revision ?? 2) - 4)])
    await ctl(['txn'], transaction(distinct(puts(OPERATIONS))))
    await ctl(['user', 'add', 'root:secret'])
    await ctl(['user', 'add', 'reader:secret'])
    await ctl(['role', 'add', 'reader'])
    await ctl(['role', 'grant-permission', 'reader', 'read', '/registry/', '--prefix=true'])
    await ctl(['user', 'grant-role', 'reader', 'reader'])
    await ctl(['user', 'grant-role', 'root', 'root'])
    await ctl(['auth', 'enable'])
    const path = join(directory, 'filled.db')
    await ctl(['--user', 'root:secret', 'snapshot', 'save', path])
    return path
  } finally {
    await server.stop()
  }
}
