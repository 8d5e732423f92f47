import { CERTIFICATE_SIGNING_REQUESTS } from '#electron/client/resources.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { keyOf, objectsAt, specOf, statusOf, textAt, type Controller, type ControllerContext } from '../../controller.ts'

/** Signs with the cluster's CA. */
export interface CsrSigner {
  /**
   * @param csrPem the request as PEM
   * @returns the certificate as PEM
   * @throws Error when the request is not acceptable
   */
  sign(csrPem: string, options: { signerName: string; durationMs: number; usages: string[] }): Promise<string>
}

const SIGNERS = new Set(['kubernetes.io/kube-apiserver-client', 'kubernetes.io/kube-apiserver-client-kubelet', 'kubernetes.io/kubelet-serving'])
const YEAR_MS = 365 * 24 * 3600 * 1000

/** Signs approved CertificateSigningRequests of Kubernetes' own signers; kubelets' client requests of the nodes themselves are approved. */
export function certificateSigningController(context: ControllerContext, signer: CsrSigner): Controller {
  const { client } = context
  const requests = context.informer(CERTIFICATE_SIGNING_REQUESTS)
  const queue = context.queue('certificatesigningrequest', sync)
  requests.onEvent(({ type, object }) => {
    if (type !== 'delete') queue.add(keyOf(object))
  })

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const request = requests.get('', key.slice(1))
    if (request === undefined || textAt(statusOf(request)['certificate']) !== '' || !SIGNERS.has(textAt(specOf(request)['signerName']))) return
    const conditions = objectsAt(statusOf(request)['conditions'])
    if (conditions.some(({ type }) => type === 'Denied' || type === 'Failed')) return
    if (!conditions.some(({ type }) => type === 'Approved')) {
      if (isKubeletClient(request)) await approve(request, signal)
      return
    }
    const spec = specOf(request)
    const seconds = spec['expirationSeconds']
    const options = {
      signerName: textAt(spec['signerName']),
      durationMs: typeof seconds === 'number' ? seconds * 1000 : YEAR_MS,
      usages: Array.isArray(spec['usages']) ? spec['usages'].filter((each) => typeof each === 'string') : [],
    }
    const target = { name: request.metadata.name ?? '', subresource: 'status' }
    try {
      const certificate = await signer.sign(Buffer.from(textAt(spec['request']), 'base64').toString('utf8'), options)
      await client.update(
        CERTIFICATE_SIGNING_REQUESTS,
        target,
        { ...request, status: { ...statusOf(request), certificate: Buffer.from(certificate).toString('base64') } },
        signal,
      )
    } catch (error) {
      if (signal.aborted || (error instanceof Error && error.name === 'StatusError')) throw error
      const failed = {
        type: 'Failed',
        status: 'True',
        reason: 'SignerValidationFailure',
        message: error instanceof Error ? error.message : String(error),
        lastUpdateTime: context.now(),
        lastTransitionTime: context.now(),
      }
      await client.update(CERTIFICATE_SIGNING_REQUESTS, target, { ...request, status: { ...statusOf(request), conditions: [...conditions, failed] } }, signal)
    }
  }

  async function approve(request: KubeObject, signal: AbortSignal): Promise<void> {
    const condition = {
      type: 'Approved',
      status: 'True',
      reason: 'AutoApproved',
      message: 'Auto approving kubelet client certificate after SubjectAccessReview.',
      lastUpdateTime: context.now(),
      lastTransitionTime: context.now(),
    }
    await client.update(
      CERTIFICATE_SIGNING_REQUESTS,
      { name: request.metadata.name ?? '', subresource: 'approval' },
      { ...request, status: { ...statusOf(request), conditions: [condition] } },
      signal,
    )
  }

  return { name: 'certificatesigningrequest', run: (signal) => queue.run(signal) }
}

/** Bootstrap tokens and nodes themselves, for the kubelet client signer. */
function isKubeletClient(request: KubeObject): boolean {
  const spec = specOf(request)
  const groups = Array.isArray(spec['groups']) ? (spec['groups'] as unknown[]) : []
  return spec['signerName'] === 'kubernetes.io/kube-apiserver-client-kubelet' && (groups.includes('system:bootstrappers') || groups.includes('system:nodes'))
}
