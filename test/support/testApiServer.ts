import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { SystemClock, type Clock } from '#shared/base/clock.ts'
import { silentLogger, type Logger } from '#shared/base/logger.ts'
import { SeededRandom } from '#shared/base/random.ts'
import type { EtcdClient } from '#shared/etcd/rpc.ts'
import { createAuthority, issueCertificate, type CertificateTemplate, type KeyedCertificate } from '#electron/pki/certificate.ts'
import { createApiServer } from '#electron/controlplane/apiserver/apiServer.ts'
import type { ApiServer } from '#electron/controlplane/apiserver/interface.ts'
import { DEFAULT_SETTINGS, type ApiServerSettings } from '#electron/controlplane/apiserver/settings.ts'
import { openEtcdStore } from '#electron/controlplane/etcd/embeddedEtcd.ts'
import { ApiConnection } from './apiConnection.ts'
import { temporaryDirectory } from './peers.ts'
import { noNodes } from './noNodes.ts'

const DAY_MS = 24 * 3600 * 1000

/** An API server alone, over an etcd of its own: no controllers, no nodes. */
export interface TestApiServer {
  api: ApiServer
  etcd: EtcdClient
  /** As system:masters. */
  connection: ApiConnection
  ca: KeyedCertificate
  serviceAccountKeys: { privateKey: string; publicKey: string }
  issue(commonName: string, organizations: string[], options?: Partial<CertificateTemplate> & { authority?: KeyedCertificate }): KeyedCertificate
  close(): Promise<void>
}

export function newAuthority(commonName: string, nowMs: number): KeyedCertificate {
  return createAuthority({ commonName, notBeforeMs: nowMs - DAY_MS, notAfterMs: nowMs + 365 * DAY_MS }, 'ECDSA-P256')
}

export function rsaKeys(): { privateKey: string; publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return {
    privateKey: privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  }
}

/** The store is not left open when the server cannot be made. */
function orClose<T>(etcd: { close(): Promise<void> }, make: () => T): T {
  try {
    return make()
  } catch (error) {
    void etcd.close()
    throw error
  }
}

export async function startTestApiServer(
  label: string,
  options: {
    settings?: Partial<ApiServerSettings>
    authentication?: Partial<ApiServerSettings['authentication']>
    kubernetesVersion?: string
    clock?: Clock
    frontProxyCa?: KeyedCertificate
    serviceAccountKeys?: { privateKey: string; publicKey: string }
    ca?: KeyedCertificate
    dataDir?: string
    logger?: Logger
    port?: number
  } = {},
): Promise<TestApiServer> {
  const clock = options.clock ?? new SystemClock()
  const dataDir = options.dataDir ?? temporaryDirectory(label)
  const ca = options.ca ?? newAuthority('kubernetes', Date.now())
  const serviceAccountKeys = options.serviceAccountKeys ?? rsaKeys()
  const template: CertificateTemplate = {
    subject: { commonName: '', organizations: [] },
    isCa: false,
    dnsNames: [],
    ipAddresses: [],
    usages: ['clientAuth'],
    notBeforeMs: Date.now() - DAY_MS,
    notAfterMs: Date.now() + DAY_MS,
  }
  const issue: TestApiServer['issue'] = (commonName, organizations, { authority = ca, ...own } = {}) =>
    issueCertificate({ ...template, subject: { commonName, organizations }, ...own }, authority, 'ECDSA-P256')
  const serving = issue('kube-apiserver', [], { usages: ['serverAuth'], dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] })
  const logger = options.logger ?? silentLogger
  const etcd = openEtcdStore({ dataDir: join(dataDir, 'etcd'), clock, logger, memberName: 'test' })
  const api = orClose(etcd, () =>
    createApiServer({
      etcd,
      nodes: noNodes,
      kubernetesVersion: options.kubernetesVersion ?? 'v1.36.0',
      tls: { ...serving, clientCa: ca.certificate, ...(options.frontProxyCa === undefined ? {} : { frontProxyCa: options.frontProxyCa.certificate }) },
      serviceAccount: { issuer: 'https://kubernetes.default.svc.cluster.local', ...serviceAccountKeys },
      serviceClusterIpRange: '10.96.0.0/12',
      clock,
      random: new SeededRandom(7),
      logger,
      readOnly: false,
      settings: { ...DEFAULT_SETTINGS, ...options.settings, authentication: { ...DEFAULT_SETTINGS.authentication, ...options.authentication } },
    }),
  )
  const port = await api.listen({ host: '127.0.0.1', port: options.port ?? 0 }).catch(async (error: unknown) => {
    await api.close()
    await etcd.close()
    throw error
  })
  const connection = new ApiConnection({
    server: `https://127.0.0.1:${String(port)}`,
    ca: ca.certificate,
    own: issue('kubernetes-admin', ['system:masters']),
  })
  return {
    api,
    etcd,
    connection,
    ca,
    serviceAccountKeys,
    issue,
    close: async () => {
      connection.close()
      await api.close()
      await etcd.close()
    },
  }
}
