import { createPublicKey } from 'node:crypto'
import { join } from 'node:path'
import type { Clock } from '#shared/base/clock.ts'
import type { EtcdClient } from '#shared/etcd/rpc.ts'
import { silentLogger } from '#shared/base/logger.ts'
import { SeededRandom } from '#shared/base/random.ts'
import { createApiServer } from '#electron/controlplane/apiserver/apiServer.ts'
import type { ApiServer, ApiServerOptions } from '#electron/controlplane/apiserver/interface.ts'
import { openEtcdStore, type EmbeddedEtcd } from '#electron/controlplane/etcd/embeddedEtcd.ts'
import { createAuthority, generateKey, issueCertificate } from '#electron/pki/certificate.ts'
import { encodeSnapshot } from '#electron/snapshot/encodeSnapshot.ts'
import { noNodes } from './noNodes.ts'
import { temporaryDirectory } from './peers.ts'

const DAY_MS = 24 * 3600 * 1000

/** The embedded API server over any etcd, listening, with keys made for it. Whoever makes it closes it. */
export async function apiServerOn(
  etcd: EtcdClient,
  { clock, kubernetesVersion, pages = {} }: { clock: Clock; kubernetesVersion: string; pages?: NonNullable<ApiServerOptions['pages']> },
): Promise<ApiServer> {
  const valid = { notBeforeMs: clock.now() - DAY_MS, notAfterMs: clock.now() + 365 * DAY_MS }
  const authority = createAuthority({ commonName: 'test', ...valid }, 'ECDSA-P256')
  const serving = issueCertificate(
    { subject: { commonName: 'test', organizations: [] }, ...valid, isCa: false, dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'], usages: ['serverAuth'] },
    authority,
    'ECDSA-P256',
  )
  const privateKey = generateKey('RSA-2048')
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString()
  const api = createApiServer({
    etcd,
    nodes: noNodes,
    kubernetesVersion,
    tls: { certificate: serving.certificate, key: serving.key, clientCa: authority.certificate },
    serviceAccount: { issuer: 'https://kubernetes.default.svc', privateKey, publicKey },
    serviceClusterIpRange: '10.96.0.0/12',
    clock,
    random: new SeededRandom(1),
    logger: silentLogger,
    readOnly: false,
    pages,
  })
  await api.listen({ host: '127.0.0.1', port: 0 })
  return api
}

/** The embedded API server over a store of its own, listening, with keys made for it. Whoever makes it closes both. */
export async function ownApiServer(options: Parameters<typeof apiServerOn>[1]): Promise<{ api: ApiServer; etcd: EmbeddedEtcd }> {
  const { clock } = options
  const etcd = openEtcdStore({ dataDir: join(temporaryDirectory('api'), 'etcd'), clock, logger: silentLogger, memberName: 'test', encodeSnapshot })
  return { api: await apiServerOn(etcd, options), etcd }
}
