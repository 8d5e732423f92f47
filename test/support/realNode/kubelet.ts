// The kubelet of a control-plane node of a proof, run within the node's namespaces: starts and ends the real programs of the manifests in
// its folder, says through the API that the node and their pods are ready, and lets the machine outside reach sshd and the API server.
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { parse } from 'yaml'
import { SystemClock } from '#shared/base/clock.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { ContextTransport } from '#electron/clusters/contextTransport.ts'
import { parseKubeconfig } from '#electron/clusters/kubeconfig.ts'
import { ClusterApi } from '#electron/runbooks/clusterApi.ts'
import { CONTAINERS, type KubeletSettings } from './settings.ts'

const { nodeName, address, programs, sshd, sshdConfig, sshSocket, apiSocket } = JSON.parse(process.argv[2] ?? '') as KubeletSettings
const MANIFESTS = '/etc/kubernetes/manifests'
const ADMIN = '/etc/kubernetes/super-admin.conf'
const LOOK_MS = 200
/** Between two starts of a program that ends by itself. */
const RESTART_MS = 1_000
const STATUS_MS = 500
const { signal } = new AbortController()

interface Container {
  text: string
  process: ChildProcess
  startedMs: number
  restarts: number
}
const containers = new Map<string, Container>()

const isRunning = ({ process: child }: Container): boolean => child.exitCode === null && child.signalCode === null
const podOf = (text: string): { metadata: KubeObject['metadata']; spec: { containers: { command: string[] }[] } } => parse(text) as never

function start(name: string, text: string, restarts: number): void {
  const [program = '', ...args] = podOf(text).spec.containers[0]?.command ?? []
  const child = spawn(programs[program] ?? program, args, { stdio: 'ignore' })
  child.on('error', () => undefined)
  containers.set(name, { text, process: child, startedMs: Date.now(), restarts })
}

/** By name. One that is moved away while the folder is read is gone already. */
function manifests(): Map<string, string> {
  const texts = new Map<string, string>()
  for (const file of readdirSync(MANIFESTS).filter((each) => each.endsWith('.yaml'))) {
    try {
      texts.set(file.replace(/\.yaml$/, ''), readFileSync(`${MANIFESTS}/${file}`, 'utf8'))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  return texts
}

/** What runs becomes what the folder says. */
function sync(): void {
  const wanted = manifests()
  for (const [name, container] of containers) {
    if (wanted.get(name) === container.text) continue
    if (isRunning(container)) container.process.kill('SIGTERM')
    else containers.delete(name)
  }
  for (const [name, text] of wanted) {
    const known = containers.get(name)
    if (known === undefined) start(name, text, 0)
    else if (!isRunning(known) && Date.now() - known.startedMs > RESTART_MS) start(name, text, known.restarts + 1)
  }
  const rows = [...containers].filter(([, each]) => isRunning(each)).map(([name]) => `${name}-id  image  now  Running  ${name}  0  pod  ${name}-${nodeName}`)
  writeFileSync(`${CONTAINERS}.part`, `${['CONTAINER  IMAGE  CREATED  STATE  NAME  ATTEMPT  POD', ...rows].join('\n')}\n`)
  renameSync(`${CONTAINERS}.part`, CONTAINERS)
}

async function tellApi(api: ClusterApi): Promise<void> {
  const node = `/api/v1/nodes/${nodeName}`
  const made = async (path: string, collection: string, object: object): Promise<void> => {
    try {
      await api.get(path, signal)
    } catch (error) {
      if (!isNotFound(error)) throw error
      await api.post(collection, object, signal)
    }
  }
  const now = new Date().toISOString()
  const ready = [{ type: 'Ready', status: 'True', lastHeartbeatTime: now, lastTransitionTime: now, reason: 'KubeletReady', message: '' }]
  await made(node, '/api/v1/nodes', { metadata: { name: nodeName, labels: { 'node-role.kubernetes.io/master': '' } } })
  await api.patch(`${node}/status`, { status: { conditions: ready, addresses: [{ type: 'InternalIP', address }] } }, signal)
  const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases'
  const spec = { holderIdentity: nodeName, leaseDurationSeconds: 40, renewTime: now.replace('Z', '000Z') }
  await made(`${leases}/${nodeName}`, leases, { metadata: { name: nodeName }, spec })
  await api.patch(`${leases}/${nodeName}`, { spec }, signal)
  const pods = '/api/v1/namespaces/kube-system/pods'
  for (const [name, container] of containers) {
    const pod = podOf(container.text)
    const path = `${pods}/${name}-${nodeName}`
    const annotations = { ...pod.metadata.annotations, 'kubernetes.io/config.mirror': 'proof' }
    await made(path, pods, { ...pod, metadata: { ...pod.metadata, name: `${name}-${nodeName}`, annotations }, spec: { ...pod.spec, nodeName } })
    const conditions = [{ type: 'Ready', status: isRunning(container) ? 'True' : 'False' }]
    const containerStatuses = [
      {
        name,
        image: 'image',
        imageID: '',
        ready: isRunning(container),
        restartCount: container.restarts,
        state: isRunning(container) ? { running: { startedAt: new Date(container.startedMs).toISOString() } } : {},
      },
    ]
    await api.patch(`${path}/status`, { status: { phase: 'Running', conditions, containerStatuses } }, signal)
  }
}

/** For as long as the node is there; an API server that does not answer is asked again. */
async function keepTelling(): Promise<void> {
  const [context] = parseKubeconfig(readFileSync(ADMIN, 'utf8'), ADMIN)
  if (context === undefined) throw new Error(`${ADMIN} has no context`)
  const api = new ClusterApi(new ContextTransport(context, new SystemClock()))
  for (;;) {
    if (existsSync(`${MANIFESTS}/kube-apiserver.yaml`)) await tellApi(api).catch(() => undefined)
    await sleep(STATUS_MS)
  }
}

createServer((socket) => {
  const session = spawn(sshd, ['-i', '-e', '-f', sshdConfig], { stdio: ['pipe', 'pipe', 'ignore'] })
  socket.pipe(session.stdin)
  session.stdout.pipe(socket)
  for (const each of [socket, session.stdin, session.stdout]) each.on('error', () => socket.destroy())
  session.on('exit', () => socket.destroy())
  socket.on('close', () => session.stdin.destroy())
}).listen(sshSocket)

createServer((socket) => {
  const server = connect(6443, '127.0.0.1')
  socket.pipe(server).pipe(socket)
  for (const each of [socket, server]) {
    each.on('error', () => undefined)
    each.on('close', () => {
      socket.destroy()
      server.destroy()
    })
  }
}).listen(apiSocket)

void keepTelling()
for (;;) {
  sync()
  await sleep(LOOK_MS)
}
