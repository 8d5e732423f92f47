import { join } from 'node:path'
import type { Clock } from '#shared/base/clock.ts'
import type { Random } from '#shared/base/random.ts'
import type { GroupVersionResource, KubeObject } from '#shared/kubernetes/object.ts'
import { isAlreadyExists, isNotFound } from '#shared/kubernetes/status.ts'
import { SECRETS } from '#electron/client/resources.ts'
import type { RestClient } from '#electron/client/restClient.ts'
import { KubeadmError, readFlags } from './flags.ts'
import { generateToken, NODE_TOKEN_GROUP, tokenSecret } from './tokens.ts'
import { newCertificateKey, sealedCerts } from './uploadedCerts.ts'

const NAMESPACE = 'kube-system'
const NAME = 'kubeadm-certs'
const ROLE = 'kubeadm:kubeadm-certs'
/** The token that owns the Secret, and the Secret with it, goes after this time. */
const LIFETIME_MS = 2 * 3_600_000
const RBAC = 'rbac.authorization.k8s.io'
const ROLES: GroupVersionResource = { group: RBAC, version: 'v1', resource: 'roles' }
const ROLE_BINDINGS: GroupVersionResource = { group: RBAC, version: 'v1', resource: 'rolebindings' }

/** `kubeadm init phase upload-certs --upload-certs`: what `join --control-plane` downloads, sealed with a key that is printed. */
export async function uploadCerts(
  args: readonly string[],
  {
    admin,
    clock,
    random,
    rootDir,
    signal,
    out,
  }: { admin: RestClient; clock: Clock; random: Random; rootDir: string; signal: AbortSignal; out(text: string): void },
): Promise<void> {
  const flags = readFlags(args, { switches: ['upload-certs', 'skip-certificate-key-print'], values: ['certificate-key'] })
  if (!flags.has('upload-certs')) {
    out('[upload-certs] Skipping phase. Please see --upload-certs\n')
    return
  }
  const certificateKey = flags.value('certificate-key') ?? newCertificateKey()
  const data = sealedCerts(join(rootDir, 'etc/kubernetes/pki'), certificateKey)
  if (data['ca.key'] === undefined)
    throw new KubeadmError('error execution phase upload-certs: error uploading certs: open /etc/kubernetes/pki/ca.key: no such file or directory')
  const token = generateToken(random)
  const description = 'Proxy for managing TTL for the kubeadm-certs secret'
  const owner = await admin.create(
    SECRETS,
    { namespace: NAMESPACE },
    tokenSecret(token, { nowMs: clock.now(), ttlMs: LIFETIME_MS, description, groups: [], usages: [] }),
    signal,
  )
  const ownerReferences = [
    { apiVersion: 'v1', kind: 'Secret', name: owner.metadata.name ?? '', uid: owner.metadata.uid ?? '', blockOwnerDeletion: true, controller: true },
  ]
  const target = { namespace: NAMESPACE, name: NAME }
  await admin.delete(SECRETS, target, {}, signal).catch((error: unknown) => {
    if (!isNotFound(error)) throw error
  })
  await admin.create(
    SECRETS,
    { namespace: NAMESPACE },
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: NAME, namespace: NAMESPACE, ownerReferences }, type: 'Opaque', data },
    signal,
  )
  await mayRead(admin, signal)
  out('[upload-certs] Storing the certificates in Secret "kubeadm-certs" in the "kube-system" Namespace\n')
  if (!flags.has('skip-certificate-key-print')) out(`[upload-certs] Using certificate key:\n${certificateKey}\n`)
}

/** Nodes that join may read the Secret; without its key it tells them nothing. */
async function mayRead(admin: RestClient, signal: AbortSignal): Promise<void> {
  const metadata = { name: ROLE, namespace: NAMESPACE }
  const role: KubeObject = {
    apiVersion: `${RBAC}/v1`,
    kind: 'Role',
    metadata,
    rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['get'], resourceNames: [NAME] }],
  }
  const binding: KubeObject = {
    apiVersion: `${RBAC}/v1`,
    kind: 'RoleBinding',
    metadata,
    roleRef: { apiGroup: RBAC, kind: 'Role', name: ROLE },
    subjects: [{ apiGroup: RBAC, kind: 'Group', name: NODE_TOKEN_GROUP }],
  }
  for (const [gvr, object] of [[ROLES, role] as const, [ROLE_BINDINGS, binding] as const])
    await admin.create(gvr, { namespace: NAMESPACE }, object, signal).catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error
    })
}
