import { spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { freePort, runProgram } from './peers.ts'

export type Manner = '-' | 'prepare' | 'watch' | 'forward' | 'proxy' | 'pty' | 'editor' | 'applyset'

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
  /** Working directory with the matrix's files, and `kubectl` in `bin`: its user agent is its name. */
  folder: string
}

const COMMAND_MS = 40_000
/** Until pods run, on a machine that does other things too. */
const PREPARATION_MS = 150_000
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
export async function prepareFolder(folder: string, kubectl: string): Promise<string> {
  mkdirSync(join(folder, 'bin'), { recursive: true })
  const program = join(folder, 'bin/kubectl')
  symlinkSync(kubectl, program)
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
  return program
}

/** Runs what must succeed. @throws Error with what kubectl says */
export async function runPreparation(command: string, side: MatrixSide): Promise<void> {
  const { code, stderr } = await runLine({ minor: 0, manner: '-', command }, side, PREPARATION_MS)
  if (code !== 0) throw new Error(`${command}: ${stderr === '' ? 'did not end in time' : stderr}`)
}

/** What the lines build on; waits until the pods run, all on the third node. */
export async function prepareObjects(side: MatrixSide): Promise<void> {
  const run = (command: string): Promise<void> => runPreparation(command, side)
  // Every node takes pods, as where nobody has tainted one.
  await runLine(
    {
      minor: 0,
      manner: '-',
      command: 'kubectl taint nodes --all node-role.kubernetes.io/master- ; kubectl taint nodes --all node-role.kubernetes.io/control-plane-',
    },
    side,
  )
  await run('kubectl uncordon $NODE0 $NODE1 $NODE2 && kubectl cordon $NODE0 $NODE1')
  await run('kubectl create deploy web --image=nginx --replicas=2')
  await run('kubectl create -f dep0.yaml -f p1.yaml')
  await run('kubectl wait --for=condition=Available deploy/web deploy/d1 --timeout=140s')
  await run('kubectl wait --for=condition=Ready pod --all --timeout=140s')
}

/** Takes everything away that the lines make, whether or not it is there. */
export async function removeObjects(side: MatrixSide): Promise<void> {
  const kinds = 'deploy,rs,sts,ds,job,cj,pod,hpa,ing,pdb,quota,role,rolebinding'
  for (const command of [
    'kubectl delete crd gadgets.example.com --ignore-not-found',
    `kubectl delete ${kinds} --all -n default --timeout=30s`,
    // What the cluster itself keeps there stays: deleted, it would be missing for a while.
    "kubectl delete svc -n default -l 'component!=apiserver'",
    'kubectl delete events --all -n default',
    'kubectl delete cm -n default --field-selector metadata.name!=kube-root-ca.crt',
    'kubectl delete secret -n default --field-selector type!=kubernetes.io/service-account-token',
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
export async function runLine({ manner, command }: MatrixLine, side: MatrixSide, limitMs = COMMAND_MS): Promise<Answer> {
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
  const limit = setTimeout(stop, manner === 'watch' ? WATCH_MS : limitMs)
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
