import { readdirSync } from 'node:fs'
import { SystemClock } from '#shared/base/clock.ts'
import { silentLogger } from '#shared/base/logger.ts'
import { Backups } from '#electron/snapshot/backups.ts'
import { Catalogue } from '#electron/snapshot/catalogue.ts'
import { connectMaintenance } from '#electron/client/etcd/snapshotStream.ts'

// `saveInto.ts DIRECTORY ENDPOINT`: one backup as the app makes it, in a process of its own that may be killed or have a disk of its own.
// Prints `receiving`, then what came of it as JSON.

const [directory = '', endpoint = ''] = process.argv.slice(2)
const { signal } = new AbortController()
const catalogue = new Catalogue({ directory, logger: silentLogger })
await catalogue.open()
const backups = new Backups({
  catalogue,
  clock: new SystemClock(),
  logger: silentLogger,
  connect: async () => {
    const etcd = await connectMaintenance({ endpoint })
    return { etcd, clusterName: 'prod', endpoint, close: () => etcd.close() }
  },
  restoreTarget: () => null,
  isOpen: () => false,
  pki: () => Promise.reject(new Error('no node here')),
  testRestore: () => Promise.reject(new Error('no control plane here')),
})
let error = ''
let said = false
try {
  for await (const progress of backups.save({ clusterId: 'prod' }, { signal }))
    if (!said && progress.phase === 'saving' && progress.receivedBytes > 0) {
      said = true
      process.stdout.write('receiving\n')
    }
} catch (failure) {
  error = (failure as Error).message
}
process.stdout.write(`${JSON.stringify({ error, files: readdirSync(directory), list: await catalogue.list() })}\n`)
