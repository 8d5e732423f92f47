import { spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { freePort, runProgram } from './peers.ts'

export type Manner = '-' | 'watch' | 'forward' | 'proxy' | 'pty' | 'editor' | 'applyset'

export interface MatrixLine {
  /** The lowest kubectl minor that has it. */
  minor: number
  manner: Manner
  command: string
}

export interface Answer {
  /** Null for what was ended from outside. */
  code: number | null
  stdout: string
  stderr: string
}

/** One kubectl on one cluster. */
export interface MatrixSide {
  kubectl: string
  kubeconfig: string
  server: string
  /** As the kubeconfig names it. */
  cluster: string
  /** Three nodes, in order. */
  nodes: readonly string[]
  /** Working directory with the matrix's files. */
  folder: string
}

const COMMAND_MS = 40_000
const WATCH_MS = 3_000

export function readMatrix(file: string): MatrixLine[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => /^\d/.test(line))
    .map((line) => {
      const [minor = '', manner = '', command = ''] = line.split('\t')
      return { minor: Number(minor), manner: manner as Manner, command }
    })
}

const deployment = (image: string, replicas: number): string => `apiVersion: apps/v1
kind: Deployment
metadata:
  name: d1
  labels: {app: d1}
spec:
  replicas: ${String(replicas)}
  selector: {matchLabels: {app: d1}}
  template:
    metadata: {labels: {app: d1}}
    spec: {containers: [{name: c, image: "${image}"}]}
`
const pod = (name: string): string => `apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: ${name}}}
spec: {containers: [{name: nginx, image: nginx}]}
`
const configMap = (name: string, extra = ''): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {a: b}\n${extra}`

const files: Readonly<Record<string, string>> = {
  'pod.yaml': pod('p2'),
  'p1.yaml': pod('p1'),
  'dir/one.yaml': configMap('one'),
  'dir/deeper/two.yaml': configMap('two'),
  'list.yaml': `apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: three}, data: {a: b}}\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: four}, data: {a: b}}\n`,
  'bad.yaml': configMap('bad', 'bogus: 1\n'),
  'dep0.yaml': deployment('nginx:1', 1),
  'dep.yaml': deployment('nginx:1', 1),
  'dep2.yaml': deployment('nginx:2', 1),
  'dep3.yaml': deployment('nginx:3', 2),
  'dir1/pruned.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: pruned, labels: {app: pruned}}\n`,
  'kustomized/kustomization.yaml': 'namePrefix: k-\nresources: [map.yaml]\n',
  'kustomized/map.yaml': configMap('map'),
  'file.txt': 'content of a file\n',
  'rbac.yaml': `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reconciled, namespace: default}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reconciled, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reconciled}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: alice}]
`,
  'crd.yaml': `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: gadgets, singular: gadget, kind: Gadget, shortNames: [gd]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}, scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}
    additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {size: {type: integer, minimum: 0}, replicas: {type: integer}}}
          status: {type: object, properties: {replicas: {type: integer}}}
`,
  'cr.yaml': 'apiVersion: example.com/v1\nkind: Gadget\nmetadata: {name: x}\nspec: {size: 1, replicas: 1}\n',
}

/** Lays the files out that the command lines name. */
export async function prepareFolder(folder: string): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  const requests: string[] = []
  for (const user of ['alice', 'bob']) {
    await runProgram('openssl', ['req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', `${user}.key`, '-out', `${user}.csr`, '-subj', `/CN=${user}`], {
      cwd: folder,
    })
    const request = readFileSync(join(folder, `${user}.csr`)).toString('base64')
    requests.push(
      `apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata: {name: ${user}}\nspec: {request: ${request}, signerName: kubernetes.io/kube-apiserver-client, usages: [client auth]}\n`,
    )
  }
  writeFileSync(join(folder, 'csr.yaml'), requests.join('---\n'))
  await runProgram('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'tls.key', '-out', 'tls.crt', '-subj', '/CN=tls', '-days', '30'], {
    cwd: folder,
  })
}

/** What the lines build on; waits until the pods run. */
export async function prepareObjects(side: MatrixSide): Promise<void> {
  const run = async (command: string): Promise<void> => {
    const { code, stderr } = await runLine({ minor: 0, manner: '-', command }, side)
    if (code !== 0) throw new Error(`${command}: ${stderr}`)
  }
  // Every node takes pods, as where nobody has tainted one.
  await runLine(
    {
      minor: 0,
      manner: '-',
      command: 'kubectl taint nodes --all node-role.kubernetes.io/master- ; kubectl taint nodes --all node-role.kubernetes.io/control-plane-',
    },
    side,
  )
  await run('kubectl create deploy web --image=nginx --replicas=2')
  await run('kubectl create -f dep0.yaml -f p1.yaml')
  await run('kubectl wait --for=condition=Available deploy/web deploy/d1 --timeout=60s')
  await run('kubectl wait --for=condition=Ready pod --all --timeout=60s')
}

/** Takes everything away that the lines make, whether or not it is there. */
export async function removeObjects(side: MatrixSide): Promise<void> {
  const kinds = 'deploy,rs,sts,ds,job,cj,pod,svc,cm,secret,hpa,ing,pdb,quota,role,rolebinding'
  for (const command of [
    'kubectl delete crd gadgets.example.com --ignore-not-found',
    `kubectl delete ${kinds} --all -n default --timeout=30s`,
    'kubectl delete sa s1 --ignore-not-found',
    'kubectl delete ns n2 --ignore-not-found --timeout=30s',
    'kubectl delete csr alice bob --ignore-not-found',
    'kubectl delete clusterrole cr agg --ignore-not-found',
    'kubectl delete clusterrolebinding alice-view --ignore-not-found',
    'kubectl delete priorityclass pc --ignore-not-found',
    'kubectl uncordon $NODE0 $NODE1 $NODE2',
    'kubectl taint nodes $NODE1 foo-',
  ])
    await runLine({ minor: 0, manner: '-', command }, side)
}

/** Runs a line of the matrix as a shell does. */
export async function runLine({ manner, command }: MatrixLine, side: MatrixSide): Promise<Answer> {
  const port = String(await freePort())
  const pod = command.includes('$WEBPOD') ? await webPod(side) : ''
  // Lines about the kubeconfig change one of their own.
  const kubeconfig = command.includes('config ') ? join(side.folder, 'own.conf') : side.kubeconfig
  if (kubeconfig !== side.kubeconfig) copyFileSync(side.kubeconfig, kubeconfig)
  const kubectl = `kubectl() { '${side.kubectl}' "$@"; }`
  const script =
    manner === 'pty' ? `script -qec ${quoted(command.replace('kubectl', side.kubectl).replaceAll('$WEBPOD', pod))} /dev/null` : `${kubectl}\n${command}`
  const child = spawn('bash', ['-c', script], {
    cwd: side.folder,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: side.folder,
      TERM: 'dumb',
      KUBECONFIG: kubeconfig,
      WEBPOD: pod,
      PORT: port,
      SERVER: side.server,
      ...Object.fromEntries(side.nodes.map((node, index) => [`NODE${String(index)}`, node])),
      ...(manner === 'editor' ? { EDITOR: "sed -i 's/replicas: [0-9]*/replicas: 2/'" } : {}),
      ...(manner === 'applyset' ? { KUBECTL_APPLYSET: 'true' } : {}),
    },
  })
  child.stdin.end()
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()))
  const ended = new Promise<number>((resolve) => {
    child.on('close', (code) => {
      resolve(code ?? 1)
    })
  })
  let stopped = false
  const stop = (): void => {
    stopped = true
    // The whole group: kubectl is the shell's child.
    if (child.pid !== undefined && child.exitCode === null)
      try {
        process.kill(-child.pid, 'SIGTERM')
      } catch {
        // It ended meanwhile.
      }
  }
  const limit = setTimeout(stop, manner === 'watch' ? WATCH_MS : COMMAND_MS)
  if (manner === 'forward' || manner === 'proxy') {
    stdout += await requestThrough(port, manner === 'proxy' ? '/api/v1/namespaces/default' : '/', ended)
    stop()
  }
  const code = await ended
  clearTimeout(limit)
  return { code: stopped ? null : code, stdout, stderr }
}

async function requestThrough(port: string, path: string, ended: Promise<number>): Promise<string> {
  let over = false
  void ended.then(() => (over = true))
  for (let turn = 0; turn < 40 && !over; turn++) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(5_000) })
      await response.text()
      return `HTTP ${String(response.status)}\n`
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  return 'no HTTP answer\n'
}

async function webPod({ kubectl, kubeconfig }: MatrixSide): Promise<string> {
  const { stdout } = await runProgram(kubectl, [
    '--kubeconfig',
    kubeconfig,
    'get',
    'pods',
    '-l',
    'app=web',
    '--field-selector',
    'status.phase=Running',
    '-o',
    'name',
  ])
  return (stdout.split('\n')[0] ?? '').replace('pod/', '')
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** managedFields are compared by the proof of apply and patches, and differ between releases. */
function withoutManagers(text: string): string {
  const json = /^\s*\{/.test(text) ? parsed(text) : null
  if (json !== null) return JSON.stringify(json, (key, value: unknown) => (key === 'managedFields' ? undefined : value), 2)
  let skipped: number | null = null
  return text
    .split('\n')
    .filter((line) => {
      const indent = line.length - line.trimStart().length
      if (skipped !== null && (indent > skipped || (indent === skipped && line.trimStart().startsWith('- ')))) return false
      skipped = /^\s*managedFields:/.test(line) ? indent : null
      return skipped === null
    })
    .join('\n')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Without what differs from run to run: names of nodes, ages, times, identities, addresses, sizes of columns. */
export function normalize(text: string, { nodes, server, folder, cluster }: MatrixSide): string {
  let result = withoutManagers(text).replaceAll(folder, '<folder>').replaceAll(server, '<server>')
  result = result.replaceAll(new RegExp(`(?<=@|name: |cluster: )${cluster}\\b`, 'g'), '<cluster>')
  for (const [index, node] of nodes.entries()) result = result.replaceAll(new RegExp(`\\b${node}\\b`, 'g'), `node-${String(index)}`)
  return result
    .replace(/\r/g, '')
    .replace(/https:\/\/127\.0\.0\.1:\d+/g, '<server>')
    .replace(/127\.0\.0\.1:\d+|\[::1\]:\d+/g, '<local>')
    .replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>')
    .replace(/\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}/g, '<time>')
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, '<uid>')
    .replace(/\b\d{1,3}(\.\d{1,3}){3}(\/\d+)?\b/g, '<ip>')
    .replace(/(resourceVersion|generation|observedGeneration)("?: ?"?)\d+/g, '$1$2<n>')
    .replace(/Resource Version: +\d+/g, 'Resource Version: <n>')
    .replace(/("continue": "|"remainingItemCount": )[\w-]+/g, '$1<n>')
    .replace(/(containerd|docker|fakeRuntime):\/\/[0-9a-f]+/g, '<container>')
    .replace(/\b(eyJ[\w-]+\.){2}[\w-]+/g, '<jwt>')
    .replace(/\b(pod-template-hash"?[=:] ?"?)[0-9a-z]+/g, '$1<hash>')
    .replace(/\b([a-z0-9]+)-[0-9a-z]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, '$1-<hash>-<id>')
    .replace(/\b(web|d1|x|k|j)-[0-9a-z]{8,10}\b/g, '$1-<hash>')
    .replace(/\b([a-z0-9]+(?:-token|-api-access)?)-[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, '$1-<id>')
    .replace(/\b(\d+[smhd]){1,2}\b(?! ?cpu)/g, '<age>')
    .replace(/ {2,}|\t+/g, '  ')
    .replace(/ +$/gm, '')
}

export interface Difference {
  line: MatrixLine
  part: 'exit code' | 'stdout' | 'stderr'
  ours: string
  theirs: string
}

/** Events come in no fixed order, nor do lists of several kinds of times. */
const unordered = (command: string): boolean => /\bevents\b|describe|--show-labels/.test(command)

/** What remains different between two answers. */
export function compare(line: MatrixLine, ours: Answer, theirs: Answer, sides: { ours: MatrixSide; theirs: MatrixSide }): Difference[] {
  const shown = (text: string, side: MatrixSide): string => {
    const normal = normalize(text, side)
    return unordered(line.command) ? normal.split('\n').sort().join('\n') : normal
  }
  const found: Difference[] = []
  if (ours.code !== theirs.code) found.push({ line, part: 'exit code', ours: String(ours.code), theirs: String(theirs.code) })
  for (const part of ['stdout', 'stderr'] as const) {
    const [own, other] = [shown(ours[part], sides.ours), shown(theirs[part], sides.theirs)]
    if (own !== other) found.push({ line, part, ours: own, theirs: other })
  }
  return found
}
