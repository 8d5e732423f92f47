import { Readable } from 'node:stream'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { ClusterApi } from '../clusterApi.ts'
import { runOnNode } from '../nodeShell/nodeCommand.ts'
import type { NodeShell, NodeShellFactory } from '../nodeShell/nodeShell.ts'
import type { Runbook, Step, StepContext } from '../runbook.ts'
import { until } from '../until.ts'
import { containerState } from '../upgrade/componentHealth.ts'
import { digestOf, isManifestFile, MANIFESTS, mirrorOf, mirrorView, readPod } from './nodeManifests.ts'

export interface StaticPodInput {
  clusterId: string
  clusterName: string
  node: string
  /** Name of the file in the manifests' folder. */
  file: string
  text: string
  /** Digest of the file as it was edited: another one there now was written by somebody else. */
  before: string
  /** Hash of the mirror pod then; '' without one. */
  mirrorHash: string
}

export interface StaticPodDependencies {
  api(clusterId: string): Promise<ClusterApi>
  shell(clusterId: string): Promise<NodeShellFactory>
}

/** Out of the kubelet's sight, on the same file system, so that a file comes into its folder whole. */
const KEPT = '/etc/kubernetes/drydock-manifests'
/** The kubelet looks at its folder every 20 s; then the pod is stopped (30 s) and started. */
const READY_TIMEOUT_MS = 180_000
const SOAK_MS = 5_000
/** Restarts after which it is not waited for any longer. */
const CRASHES = 3
/** What a container waits for that does not come by itself. */
const HOPELESS = new Set(['ImagePullBackOff', 'ErrImageNeverPull', 'InvalidImageName', 'CreateContainerConfigError'])

const kept = ({ file }: StaticPodInput, runId: string): string => `${KEPT}/${file}.before-${runId}`
const fresh = ({ file }: StaticPodInput, runId: string): string => `${KEPT}/${file}.new-${runId}`

/** @throws StatusError Invalid with what is wrong, before anything is changed */
export async function staticPodInput(
  api: ClusterApi,
  shell: NodeShell,
  { cluster, edit, signal }: { cluster: { id: string; name: string }; edit: { node: string; file: string; text: string; before: string }; signal: AbortSignal },
): Promise<StaticPodInput> {
  const invalid = (why: string): StatusError => new StatusError(failure(422, 'Invalid', why))
  if (!isManifestFile(edit.file)) throw invalid(`${edit.file} is no name of a manifest`)
  const now = await readFile(shell, `${MANIFESTS}/${edit.file}`, signal)
  if (now === null) throw invalid(`${MANIFESTS}/${edit.file} is not there on ${edit.node}: only what is there can be edited`)
  if (digestOf(now) !== edit.before) throw invalid(`${MANIFESTS}/${edit.file} on ${edit.node} was changed meanwhile: read it again`)
  const [old, { pod, problem }] = [readPod(now).pod, readPod(edit.text)]
  if (pod === null) throw invalid(`${edit.file}: ${problem}`)
  if (old !== null && (old.metadata.name !== pod.metadata.name || old.metadata.namespace !== pod.metadata.namespace))
    throw invalid(
      `${edit.file}: the pod's name and namespace must stay ${old.metadata.namespace ?? 'default'}/${old.metadata.name ?? ''}, as its mirror is found by them`,
    )
  if (old !== null && JSON.stringify(old) === JSON.stringify(pod))
    throw invalid(`${edit.file}: nothing of the pod is changed, so the kubelet would not start it anew`)
  await dryRun(api, pod, { node: edit.node, signal })
  const pods = await api.list(`/api/v1/pods?fieldSelector=spec.nodeName%3D${encodeURIComponent(edit.node)}`, signal)
  const mirror = mirrorOf(pods, pod, edit.node)
  return { clusterId: cluster.id, clusterName: cluster.name, ...edit, mirrorHash: mirror === undefined ? '' : mirrorView(mirror).hash }
}

/** The API server's own validation, unknown fields too (since 1.25), by a creation that is not kept. @throws StatusError Invalid */
async function dryRun(api: ClusterApi, pod: KubeObject, { node, signal }: { node: string; signal: AbortSignal }): Promise<void> {
  const namespace = pod.metadata.namespace ?? 'default'
  const named = { ...pod, metadata: { ...pod.metadata, namespace, name: `${pod.metadata.name ?? ''}-${node}-edited` } }
  try {
    await api.post(`/api/v1/namespaces/${encodeURIComponent(namespace)}/pods?dryRun=All&fieldValidation=Strict`, named, signal)
  } catch (error) {
    // Other refusals are of admission, which static pods do not pass.
    if (error instanceof StatusError && (error.code === 400 || error.code === 422)) throw error
  }
}

async function readFile(shell: NodeShell, path: string, signal: AbortSignal): Promise<string | null> {
  const { exitCode, stdout } = await shell.run(`cat ${path}`, { signal })
  return exitCode === 0 ? stdout : null
}

/** Puts an edited manifest in place and watches its pod; one that does not become ready is put back. */
export function staticPodRunbook(dependencies: StaticPodDependencies): Runbook<StaticPodInput> {
  return {
    name: 'static-pod',
    title: ({ file, node }) => `Edit ${file} on ${node}`,
    cluster: ({ clusterId, clusterName }) => ({ id: clusterId, name: clusterName }),
    subject: ({ node, file }) => `${node}/${file}`,
    steps: async (input) => {
      const work = { input, api: await dependencies.api(input.clusterId), shells: await dependencies.shell(input.clusterId) }
      return [write(work), watch(work)]
    },
  }
}

interface Work {
  input: StaticPodInput
  api: ClusterApi
  shells: NodeShellFactory
}

function write({ input, shells }: Work): Step {
  const path = `${MANIFESTS}/${input.file}`
  const command = (runId: string): string => `cp -p ${path} ${kept(input, runId)} && mv ${fresh(input, runId)} ${path}`
  return {
    id: 'write',
    title: `Put the edited ${input.file} in place on ${input.node}`,
    description: 'The old one is kept beside, out of the kubelet’s sight. The new one comes into the folder whole.',
    commands: [command('RUN')],
    expectedMs: 1_000,
    action: async (context) => {
      const { signal, runId } = context
      const shell = await shells(input.node, { signal })
      try {
        const now = await readFile(shell, path, signal)
        // In place already, by this run before it was interrupted.
        if (now !== input.text) {
          if (now === null || digestOf(now) !== input.before)
            throw new Error(`${path} on ${input.node} was changed meanwhile; nothing was written. Read it again and edit that`)
          await upload(shell, { path: fresh(input, runId), text: input.text, signal })
        }
      } finally {
        shell.close()
      }
      await runOnNode(shells, input.node, [command(runId)], context)
    },
    undo: async (context) => {
      await putBack({ input, shells }, context)
    },
  }
}

async function upload(shell: NodeShell, { path, text, signal }: { path: string; text: string; signal: AbortSignal }): Promise<void> {
  const { exitCode, stderr } = await shell.run(`mkdir -p ${KEPT} && chmod 700 ${KEPT} && cat > ${path} && chmod 600 ${path}`, {
    signal,
    input: Readable.from([Buffer.from(text)]),
  })
  if (exitCode !== 0) throw new Error(`${path} could not be written: ${stderr.trim()}`)
  if ((await readFile(shell, path, signal)) !== text) throw new Error(`${path} is not what was sent: is the disk full?`)
}

async function putBack({ input, shells }: Pick<Work, 'input' | 'shells'>, context: StepContext): Promise<void> {
  const { runId, log } = context
  const [path, old] = [`${MANIFESTS}/${input.file}`, kept(input, runId)]
  const command = `if [ -e ${old} ] && [ "$(cat ${old})" != "$(cat ${path})" ]; then cp -p ${path} ${fresh(input, runId)}; cp -p ${old} ${path}.part && mv ${path}.part ${path}; fi`
  await runOnNode(shells, input.node, [command], { ...context, stepId: `${context.stepId}-back` })
  log(`the old ${input.file} is back on ${input.node}; the edited one is kept as ${fresh(input, runId)}`)
}

function watch({ input, api, shells }: Work): Step {
  const path = `${MANIFESTS}/${input.file}`
  const { pod } = readPod(input.text)
  const name = `${pod?.metadata.name ?? ''}-${input.node}`
  return {
    id: 'watch',
    title: `Wait until ${name} is ready with it`,
    description:
      'The kubelet looks at its folder every 20 s, ends the old pod and starts the new one. Should that not become ready, the old manifest is put back.',
    commands: [`kubectl -n ${pod?.metadata.namespace ?? 'default'} get pod ${name} -w`],
    expectedMs: 40_000,
    action: async (context) => {
      const { signal, log } = context
      const shell = await shells(input.node, { signal })
      const there = await readFile(shell, path, signal).finally(() => {
        shell.close()
      })
      if (there !== input.text) throw new Error(`${path} on ${input.node} is not the edited one any more: abort this run and edit what is there`)
      const look = async (): Promise<KubeObject | undefined> =>
        pod === null
          ? undefined
          : mirrorOf(await api.list(`/api/v1/pods?fieldSelector=spec.nodeName%3D${encodeURIComponent(input.node)}`, signal), pod, input.node)
      const why = await notReady(context, { name, look, unlike: input.mirrorHash })
      if (why === '') {
        log(`${name} is ready`)
        return
      }
      log(`${name} did not become ready: ${why}`)
      await putBack({ input, shells }, context)
      await until(context, `${name} to be ready as before`, {
        timeoutMs: READY_TIMEOUT_MS,
        holds: async () => {
          const mirror = await look()
          return mirror !== undefined && mirrorView(mirror).hash === input.mirrorHash && mirrorView(mirror).ready
        },
      })
      throw new Error(
        `${name} did not become ready with the edited manifest: ${why}. The old manifest is in place again and the pod is ready. Abort this run, and edit it anew`,
      )
    },
  }
}

/** Waits for the new pod. @returns '' when it is ready and stays so, else why not */
async function notReady(
  context: StepContext,
  { name, look, unlike }: { name: string; look: () => Promise<KubeObject | undefined>; unlike: string },
): Promise<string> {
  const { clock, signal, waitFor } = context
  let why = 'the kubelet has not taken it: see journalctl -u kubelet'
  let crashed = false
  const ready = async (): Promise<boolean> => {
    const mirror = await look()
    if (mirror === undefined || mirrorView(mirror).hash === unlike) return false
    if (mirrorView(mirror).ready) return true
    const state = containerState(mirror)
    why =
      state === null
        ? 'its container has not started'
        : [state.waitingReason, state.exitCode === null ? '' : `exit code ${String(state.exitCode)}`, state.exitMessage.trim() || state.waitingMessage.trim()]
            .filter((text) => text !== '')
            .join(', ') || 'it is not ready'
    crashed = (state?.restartCount ?? 0) >= CRASHES || HOPELESS.has(state?.waitingReason ?? '')
    return crashed
  }
  try {
    await until(context, `${name} to be ready`, { timeoutMs: READY_TIMEOUT_MS, holds: ready })
    if (crashed) return why
    waitFor(`${String(SOAK_MS / 1000)} s without a fault`)
    await clock.sleep(SOAK_MS, { signal })
    waitFor('')
    await until(context, `${name} to stay ready`, { timeoutMs: READY_TIMEOUT_MS, holds: ready })
    return crashed ? why : ''
  } catch (error) {
    signal.throwIfAborted()
    return `${why} (${error instanceof Error ? error.message : String(error)})`
  }
}
