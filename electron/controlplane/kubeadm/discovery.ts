import { createHmac, timingSafeEqual } from 'node:crypto'
import { parse } from 'yaml'
import type { Clock } from '#shared/base/clock.ts'
import { isObject } from '#shared/kubernetes/json.ts'
import { bootstrapClient } from './bootstrapClient.ts'
import { KubeadmError } from './flags.ts'
import { publicKeyPin } from './joinCommand.ts'
import { readToken, type Token } from './tokens.ts'

const CLUSTER_INFO = '/api/v1/namespaces/kube-public/configmaps/cluster-info'
/** The signer takes a moment after a token was made. */
const SIGNATURE_TRIES = 50
const SIGNATURE_WAIT_MS = 200

/**
 * What `join` learns before it trusts anybody: the cluster's CA, vouched for by the token's signature and, when hashes were given, by them.
 *
 * @returns PEM
 * @throws KubeadmError in upstream's words
 */
export async function discoverCa({
  endpoint,
  tokenText,
  hashes,
  skipVerification,
  clock,
  signal,
}: {
  endpoint: string
  tokenText: string
  hashes: readonly string[]
  skipVerification: boolean
  clock: Clock
  signal: AbortSignal
}): Promise<string> {
  const token = readToken(tokenText)
  if (hashes.length === 0 && !skipVerification)
    throw new KubeadmError(
      'discovery.bootstrapToken: Invalid value: "": using token-based discovery without caCertHashes can be unsafe. Set unsafeSkipCAVerification as true in your kubeadm config file or pass --discovery-token-unsafe-skip-ca-verification flag to continue',
      3,
    )
  const wrong = hashes.find((hash) => !/^sha256:[0-9a-f]{64}$/i.test(hash))
  if (wrong !== undefined) throw new KubeadmError(`invalid hash "${wrong}", expected "format:hex-value". Known format(s) are: sha256`)
  const kubeconfig = await signedClusterInfo(endpoint, token, { clock, signal })
  const ca = caOf(kubeconfig)
  if (hashes.length > 0 && !hashes.some((hash) => hash.toLowerCase() === publicKeyPin(ca)))
    throw new KubeadmError(
      `couldn't validate the identity of the API Server: cluster CA found in cluster-info ConfigMap is invalid: none of the public keys "${publicKeyPin(ca)}" are pinned`,
    )
  // Now that the CA is known, everything is read again over a connection that it vouches for.
  const secured = await bootstrapClient({ endpoint, ca, token: null, signal }).get(CLUSTER_INFO)
  if (dataOf(secured)['kubeconfig'] !== kubeconfig)
    throw new KubeadmError('the second kubeconfig from the cluster-info ConfigMap (using validated TLS) was different from the first')
  return ca
}

const dataOf = (map: unknown): Record<string, unknown> => (isObject(map) && isObject(map['data']) ? map['data'] : {})

async function signedClusterInfo(endpoint: string, token: Token, { clock, signal }: { clock: Clock; signal: AbortSignal }): Promise<string> {
  const client = bootstrapClient({ endpoint, ca: null, token: null, signal })
  for (let tries = 1; ; tries++) {
    const data = dataOf(await client.get(CLUSTER_INFO))
    const kubeconfig = data['kubeconfig']
    if (typeof kubeconfig !== 'string')
      throw new KubeadmError("couldn't validate the identity of the API Server: there is no kubeconfig key in the cluster-info ConfigMap")
    const signature = data[`jws-kubeconfig-${token.id}`]
    if (typeof signature === 'string' && signature !== '') {
      if (!isSignedBy(signature, kubeconfig, token))
        throw new KubeadmError(
          "couldn't validate the identity of the API Server: failed to verify JWS signature of received cluster info object, can't trust this API Server",
        )
      return kubeconfig
    }
    if (tries >= SIGNATURE_TRIES)
      throw new KubeadmError(
        `couldn't validate the identity of the API Server: could not find a JWS signature in the cluster-info ConfigMap for token ID "${token.id}"`,
      )
    await clock.sleep(SIGNATURE_WAIT_MS, { signal })
  }
}

/** A detached JWS: header, nothing, signature. */
function isSignedBy(jws: string, content: string, token: Token): boolean {
  const [header = '', payload, signature = ''] = jws.split('.')
  if (payload !== '') return false
  const expected = createHmac('sha256', token.secret)
    .update(`${header}.${Buffer.from(content).toString('base64url')}`)
    .digest()
  const sent = Buffer.from(signature, 'base64url')
  return sent.length === expected.length && timingSafeEqual(sent, expected)
}

function caOf(kubeconfig: string): string {
  const parsed = parse(kubeconfig) as { clusters?: { cluster?: { 'certificate-authority-data'?: unknown } }[] } | null
  const data = parsed?.clusters?.[0]?.cluster?.['certificate-authority-data']
  if (typeof data !== 'string') throw new KubeadmError('expected the kubeconfig file in the cluster-info ConfigMap to have a single cluster with its CA')
  return Buffer.from(data, 'base64').toString('utf8')
}
