import { readFileSync } from 'node:fs'
import { isObject, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { ProcessContext, Program } from '../../shell/process.ts'
import { parseFlags } from './flags.ts'
import { serveHttp, untilExit, type HttpSaid } from './httpServer.ts'

/** What a hook decides of a request; a patch is a list of JSON patch operations. */
interface Decision {
  allowed: boolean
  message?: string
  patch?: JsonObject[]
}

type Hook = (request: JsonObject, context: ProcessContext) => Decision | Promise<Decision>

const DELAY_MS = 5000
const MARK = 'webhook-e2e-test'
const UNWANTED = 'webhook-disallow'
const ALLOWED: Decision = { allowed: true }

const denied = (message: string): Decision => ({ allowed: false, message })
const unless = (refused: boolean, message: string): Decision => (refused ? denied(message) : ALLOWED)

/** The object of a request; on deletion the one that is there. */
const subject = (request: JsonObject): JsonObject => objectAt(request[request['operation'] === 'DELETE' ? 'oldObject' : 'object'])
const labelsOf = (object: JsonObject): JsonObject => objectAt(objectAt(object['metadata'])['labels'])
const dataOf = (object: JsonObject): JsonObject => objectAt(object['data'])

function addLabel(object: JsonObject): Decision {
  const labels = objectAt(object['metadata'])['labels']
  if (!isObject(labels) || Object.keys(labels).length === 0)
    return { allowed: true, patch: [{ op: 'add', path: '/metadata/labels', value: { 'added-label': 'yes' } }] }
  if (labels['added-label'] === 'yes') return ALLOWED
  return { allowed: true, patch: [{ op: labels['added-label'] === undefined ? 'add' : 'replace', path: '/metadata/labels/added-label', value: 'yes' }] }
}

async function admitPod(pod: JsonObject, { signal }: ProcessContext): Promise<Decision> {
  const mark = labelsOf(pod)[MARK]
  // The test looks at what becomes of a hook that never answers.
  if (mark === 'wait-forever')
    await new Promise((_, reject) => {
      signal.addEventListener(
        'abort',
        () => {
          reject(signal.reason as Error)
        },
        { once: true },
      )
    })
  const containers = objectAt(pod['spec'])['containers']
  const named = Array.isArray(containers) && containers.some((each) => String(objectAt(each)['name']).includes(UNWANTED))
  const reasons = [...(mark === UNWANTED ? ['the pod contains unwanted label;'] : []), ...(named ? ['the pod contains unwanted container name;'] : [])]
  return unless(reasons.length > 0, reasons.join(' '))
}

function admitAttachment(request: JsonObject): Decision {
  return unless(request['name'] === 'to-be-attached-pod' && request['subResource'] === 'attach', "attaching to pod 'to-be-attached-pod' is not allowed")
}

function mutatePod(pod: JsonObject): Decision {
  if (objectAt(pod['metadata'])['name'] !== 'webhook-to-be-mutated') return ALLOWED
  const container = { image: 'webhook-added-image', name: 'webhook-added-init-container', resources: {} }
  return { allowed: true, patch: [{ op: 'add', path: '/spec/initContainers', value: [container] }] }
}

/** Some data may not be written, and some not deleted. */
function admitData(request: JsonObject, { holder, content }: { holder: string; content: string }): Decision {
  const mark = dataOf(subject(request))[MARK]
  if (request['operation'] !== 'DELETE') return unless(mark === UNWANTED, `the ${holder} contains unwanted ${content}`)
  return unless(mark === 'webhook-nondeletable', `the ${holder} cannot be deleted because it contains unwanted key and value`)
}

/** One stage follows the other. */
function mutateData(data: JsonObject): Decision {
  const patch: JsonObject[] = []
  if (data['mutation-start'] === 'yes') patch.push({ op: 'add', path: '/data/mutation-stage-1', value: 'yes' })
  if (data['mutation-stage-1'] === 'yes') patch.push({ op: 'add', path: '/data/mutation-stage-2', value: 'yes' })
  return patch.length === 0 ? ALLOWED : { allowed: true, patch }
}

const HOOKS: ReadonlyMap<string, Hook> = new Map<string, Hook>([
  [
    '/always-allow-delay-5s',
    async (_request, { clock, signal }) => {
      await clock.sleep(DELAY_MS, { signal })
      return { allowed: true, message: 'this webhook allows all requests' }
    },
  ],
  ['/always-deny', () => denied('this webhook denies all requests')],
  ['/add-label', (request) => addLabel(subject(request))],
  ['/pods', (request, context) => admitPod(subject(request), context)],
  ['/pods/attach', admitAttachment],
  ['/mutating-pods', (request) => mutatePod(subject(request))],
  ['/configmaps', (request) => admitData(request, { holder: 'configmap', content: 'key and value' })],
  ['/mutating-configmaps', (request) => mutateData(dataOf(subject(request)))],
  ['/custom-resource', (request) => admitData(request, { holder: 'custom resource', content: 'data' })],
  ['/mutating-custom-resource', (request) => mutateData(dataOf(subject(request)))],
  ['/crd', (request) => unless(labelsOf(subject(request))[MARK] === UNWANTED, 'the crd contains unwanted label')],
])

function responseOf(request: JsonObject, { allowed, message, patch }: Decision): JsonObject {
  return {
    uid: request['uid'],
    allowed,
    ...(message === undefined ? {} : { status: { metadata: {}, message } }),
    ...(patch === undefined ? {} : { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }),
  }
}

/** What a review in JSON comes to; null when it is none. */
export function reviewIn(body: Buffer): JsonObject | null {
  try {
    const review: unknown = JSON.parse(body.toString('utf8'))
    return isObject(review) && isObject(review['request']) ? review : null
  } catch {
    return null
  }
}

/** Certificate and key that flags name, as files of the container. */
export function certificateOf({ files }: ProcessContext, flags: ReadonlyMap<string, string>): { cert: string; key: string } {
  const read = (flag: string): string => readFileSync(files.host(flags.get(flag) ?? ''), 'utf8')
  return { cert: read('tls-cert-file'), key: read('tls-private-key-file') }
}

export const json = (body: JsonObject): HttpSaid => ({ type: 'application/json', body: JSON.stringify(body) })

/** Admission webhooks over TLS, one at each path. */
export const admissionWebhook: Program = (context) => {
  const { flags } = parseFlags(context.args)
  const tls = certificateOf(context, flags)
  return untilExit(context, (failed) => {
    serveHttp(
      context,
      Number(flags.get('port') ?? 443),
      async ({ url, body }): Promise<HttpSaid> => {
        if (url.pathname === '/readyz') return { body: 'ok' }
        const hook = HOOKS.get(url.pathname)
        if (hook === undefined) return { status: 404, body: '404 page not found\n' }
        const review = reviewIn(body)
        if (review === null) return { status: 400, body: 'no admission review\n' }
        const request = objectAt(review['request'])
        const { kind, apiVersion } = review
        return json({ kind, apiVersion, response: responseOf(request, await hook(request, context)) })
      },
      { failed, tls },
    )
  })
}
