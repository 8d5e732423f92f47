import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ApiConnection, type ApiAnswer } from '#test/support/apiConnection.ts'
import { temporaryDirectory } from '#test/support/peers.ts'
import { startCluster, type RunningCluster } from '#test/support/runningCluster.ts'
import { canMount, mountSmallDisk, type SmallDisk } from '#test/support/smallDisk.ts'

const MAPS = '/api/v1/namespaces/default/configmaps'
/** Room for a cluster at rest and its log of writes. */
const DISK_MIB = 48
/** Room for some of the config maps, which are of the size below. */
const LEFT_BYTES = 600_000
const VALUE_BYTES = 50_000

describe.skipIf(!(await canMount()))('a cluster whose disk is full (needs a user who may mount, such as root)', { timeout: 180_000 }, () => {
  const directory = join(temporaryDirectory('full-disk'), 'data')
  let disk: SmallDisk
  let cluster: RunningCluster
  let api: ApiConnection
  const acknowledged = new Set<string>()

  const start = async (): Promise<void> => {
    cluster = await startCluster(directory, ['--nodes', '0', '--etcd-port', '0'], { within: disk.within })
    api = ApiConnection.of(disk.outside(cluster.kubeconfig))
  }
  beforeAll(async () => {
    mkdirSync(directory)
    disk = await mountSmallDisk(directory, DISK_MIB)
    await start()
  }, 120_000)
  afterAll(async () => {
    api.close()
    await cluster.end('SIGKILL')
    await disk.close()
  })

  const write = async (name: string): Promise<ApiAnswer> => {
    const answer = await api.call({ path: MAPS, body: { metadata: { name }, data: { a: 'x'.repeat(VALUE_BYTES) } } })
    if (answer.status === 201) acknowledged.add(name)
    return answer
  }
  const listed = async (): Promise<string[]> => {
    const { json } = await api.call({ path: MAPS })
    return (json?.['items'] as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name).filter((name) => name.startsWith('m'))
  }

  it('refuses writes as etcd without space does, and goes on to be read', async () => {
    disk.fill(LEFT_BYTES)
    let refused: ApiAnswer | null = null
    for (let count = 0; refused === null && count < 100; count++) {
      const answer = await write(`m${String(count)}`)
      if (answer.status !== 201) refused = answer
    }
    expect(refused?.json).toMatchObject({ kind: 'Status', status: 'Failure', code: 500, message: 'etcdserver: mvcc: database space exceeded' })
    expect(acknowledged.size).toBeGreaterThan(0)
    expect(await listed()).toEqual([...acknowledged].sort())
    expect((await api.call({ path: '/readyz' })).text).toBe('ok')
    const [known = ''] = acknowledged
    const changed = await api.call({
      method: 'PATCH',
      path: `${MAPS}/${known}`,
      headers: { 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify({ data: { b: 'y'.repeat(VALUE_BYTES * 18) } }),
    })
    expect(changed.json).toMatchObject({ code: 500, message: 'etcdserver: mvcc: database space exceeded' })
    expect((await api.call({ path: `${MAPS}/${known}` })).json).toMatchObject({ data: { a: 'x'.repeat(VALUE_BYTES) } })
  })

  it('writes again when there is room, and tells a watch of what was acknowledged alone', async () => {
    disk.makeRoom()
    const { json } = await api.call({ path: MAPS })
    const version = (json?.['metadata'] as { resourceVersion: string }).resourceVersion
    expect((await write('m-after')).status).toBe(201)
    expect(await listed()).toEqual([...acknowledged].sort())
    const { text } = await api.call({ path: `${MAPS}?watch=true&resourceVersion=${version}&timeoutSeconds=1` })
    const events = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; object: { metadata: { name: string } } })
    expect(events.map(({ type, object }) => `${type} ${object.metadata.name}`)).toEqual(['ADDED m-after'])
  })

  it('has all that was acknowledged after it was killed with a full disk', async () => {
    disk.fill(LEFT_BYTES)
    for (let count = 0; count < 100; count++) if ((await write(`m-again-${String(count)}`)).status !== 201) break
    await cluster.end('SIGKILL')
    api.close()
    disk.makeRoom()
    await start()
    expect(await listed()).toEqual([...acknowledged].sort())
    expect((await write('m-last')).status).toBe(201)
  })
})
