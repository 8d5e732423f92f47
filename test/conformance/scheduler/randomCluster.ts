import type { Random } from '#shared/base/random.ts'
import { Chance } from '#test/support/chance.ts'
import type { JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'

/** A cluster to place pods in: everything that scheduling looks at, and pods that are to be placed one after the other. */
export interface RandomCluster {
  nodes: KubeObject[]
  /** Services and replica sets, by whose selectors pods spread. */
  workloads: { kind: 'Service' | 'ReplicaSet'; object: KubeObject }[]
  claims: { volume: KubeObject; claim: KubeObject }[]
  /** On nodes already. */
  placed: KubeObject[]
  budgets: KubeObject[]
  pods: KubeObject[]
  /** More than a hundred nodes: the search ends early, where is up to chance. */
  isLarge: boolean
}

/** One cluster of so many is large. */
const LARGE_EVERY = 50
/** By these pods push others away. */
export const PRIORITIES = [
  { name: 'low', value: -5 },
  { name: 'high', value: 1000 },
  { name: 'higher', value: 2000 },
  { name: 'polite', value: 1500, preemptionPolicy: 'Never' },
] as const
/** With their bytes. */
const IMAGES = { 'main:1': 60_000_000, 'second:1': 400_000_000, 'registry.example/third:2': 900_000_000 }

const ZONES = ['a', 'b', 'c']
const APPS = ['web', 'db', 'cache']
const NAMESPACES = ['default', 'other']
const HOSTNAME = 'kubernetes.io/hostname'
const ZONE = 'topology.kubernetes.io/zone'

/** @param name makes names of nodes and pods that no other cluster has */
export function randomCluster(random: Random, name: string): RandomCluster {
  const chance = new Chance(random)
  const isLarge = chance.below(LARGE_EVERY) === 0
  const [least, most] = isLarge ? [101, 140] : [2, 9]
  const nodes = chance.some(least, most, (index) => node(chance, `${name}-n${String(index)}`))
  const workloads = chance.some(0, 3, (index) => workload(chance, `${name}-w${String(index)}`))
  const claims = chance.some(0, 2, (index) => claimed(chance, `${name}-v${String(index)}`))
  const placed = chance.some(0, 14, (index) =>
    pod(chance, { name: `${name}-r${String(index)}`, workloads, claims: [], nodeName: chance.of(nodes).metadata.name ?? '' }),
  )
  const pods = chance.some(10, 10, (index) => pod(chance, { name: `${name}-p${String(index)}`, workloads, claims }))
  const budgets = chance.some(0, 2, (index) => budget(chance, `${name}-b${String(index)}`))
  return { nodes, workloads, claims, placed, budgets, pods, isLarge }
}

/** Nobody but the generator writes its status: no controller runs. */
function budget(chance: Chance, name: string): KubeObject {
  return {
    apiVersion: 'policy/v1beta1',
    kind: 'PodDisruptionBudget',
    metadata: { name, namespace: chance.of(NAMESPACES) },
    spec: { minAvailable: 1, selector: { matchLabels: { app: chance.of(APPS) } } },
    status: { disruptionsAllowed: chance.between(0, 2), currentHealthy: 2, desiredHealthy: 1, expectedPods: 2, observedGeneration: 1 },
  }
}

function node(chance: Chance, name: string): KubeObject {
  const zone = chance.is(0.85) ? { [ZONE]: chance.of(ZONES) } : {}
  const disk = chance.is(0.6) ? { disk: chance.of(['ssd', 'hdd']) } : {}
  const taints = chance.is(0.35) ? chance.some(1, 2, () => taint(chance)) : []
  const distinct = taints.filter((each, index) => taints.findIndex((other) => other['key'] === each['key'] && other['effect'] === each['effect']) === index)
  const resources = {
    cpu: chance.of(['500m', '1', '2', '4', '7700m']),
    memory: chance.of(['512Mi', '1Gi', '3Gi', '8000000000']),
    pods: String(chance.of([2, 4, 8, 110])),
    'ephemeral-storage': chance.of(['1Gi', '20Gi']),
    ...(chance.is(0.3) ? { 'example.com/gpu': String(chance.between(0, 2)) } : {}),
  }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { [HOSTNAME]: name, rank: String(chance.between(1, 9)), ...zone, ...disk } },
    spec: { ...(chance.is(0.08) ? { unschedulable: true } : {}), ...(distinct.length === 0 ? {} : { taints: distinct }) },
    status: { capacity: resources, allocatable: resources, conditions: [{ type: 'Ready', status: 'True' }], images: images(chance) },
  }
}

/** What a node has pulled. The real one takes an image's size from the node that it saw with it first. */
const images = (chance: Chance): JsonObject[] =>
  Object.entries(IMAGES)
    .filter(() => chance.is(0.4))
    .map(([image, sizeBytes]) => ({ names: [`${image.split(':')[0] ?? ''}@sha256:${'ab'.repeat(32)}`, image], sizeBytes }))

const taint = (chance: Chance): JsonObject => ({
  key: chance.of(['team', 'gpu']),
  value: chance.of(['red', 'blue']),
  effect: chance.of(['NoSchedule', 'PreferNoSchedule', 'PreferNoSchedule', 'NoExecute']),
})

function workload(chance: Chance, name: string): RandomCluster['workloads'][number] {
  const namespace = chance.of(NAMESPACES)
  const labels = { app: chance.of(APPS) }
  if (chance.is(0.5))
    return {
      kind: 'Service',
      object: { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec: { selector: labels, clusterIP: 'None', ports: [{ port: 80 }] } },
    }
  const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'main:1' }] } }
  return {
    kind: 'ReplicaSet',
    object: { apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { name, namespace }, spec: { replicas: 0, selector: { matchLabels: labels }, template } },
  }
}

/** A claim bound to a volume that some nodes reach. */
function claimed(chance: Chance, name: string): RandomCluster['claims'][number] {
  const spec = { accessModes: ['ReadWriteOnce'], storageClassName: 'by-hand' }
  const near = chance.is(0.5)
  const zone = chance.of(ZONES)
  const volume = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name, labels: near ? {} : { [ZONE]: zone } },
    spec: {
      ...spec,
      capacity: { storage: '1Gi' },
      hostPath: { path: '/data' },
      claimRef: { namespace: 'default', name },
      ...(near ? { nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: ZONE, operator: 'In', values: [zone] }] }] } } } : {}),
    },
  }
  const claim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace: 'default', annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } },
    spec: { ...spec, volumeName: name, resources: { requests: { storage: '1Gi' } } },
  }
  return { volume, claim }
}

function pod(
  chance: Chance,
  { name, workloads, claims, nodeName }: { name: string; workloads: RandomCluster['workloads']; claims: RandomCluster['claims']; nodeName?: string },
): KubeObject {
  const claim = claims.length > 0 && chance.is(0.3) ? chance.of(claims).claim.metadata.name : chance.is(0.02) ? 'nowhere' : undefined
  const namespace = claim === undefined ? chance.of(NAMESPACES) : 'default'
  const labels = { app: chance.of(APPS), ...(chance.is(0.3) ? { tier: chance.of(['front', 'back']) } : {}) }
  const set = workloads.find(({ kind, object }) => kind === 'ReplicaSet' && object.metadata.namespace === namespace)?.object
  const owner =
    set !== undefined && chance.is(0.3) ? { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: set.metadata.name ?? '', uid: 'u-1', controller: true } : null
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels, ...(owner === null ? {} : { ownerReferences: [owner] }) },
    spec: {
      ...(nodeName === undefined ? {} : { nodeName }),
      terminationGracePeriodSeconds: 1,
      ...(chance.is(0.35) ? { priorityClassName: chance.of(PRIORITIES).name } : {}),
      containers: chance.some(1, 2, (index) => container(chance, `c${String(index)}`)),
      ...(chance.is(0.15) ? { initContainers: [container(chance, 'init')] } : {}),
      ...(chance.is(0.1) ? { nodeSelector: { disk: chance.of(['ssd', 'hdd']) } } : {}),
      tolerations: chance.is(0.3) ? chance.some(1, 2, () => toleration(chance)) : [],
      affinity: affinity(chance),
      topologySpreadConstraints: spread(chance),
      ...(claim === undefined ? {} : { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: claim } }] }),
    },
  }
}

function container(chance: Chance, name: string): JsonObject {
  const requests = {
    ...(chance.is(0.7) ? { cpu: chance.of(['0', '50m', '200m', '333m', '1', '3']) } : {}),
    ...(chance.is(0.7) ? { memory: chance.of(['0', '64Mi', '100M', '700Mi', '2Gi']) } : {}),
    ...(chance.is(0.1) ? { 'ephemeral-storage': chance.of(['100Mi', '2Gi']) } : {}),
  }
  const gpu = chance.is(0.08) ? { 'example.com/gpu': '1' } : {}
  const port = {
    containerPort: 80,
    hostPort: name === 'c1' ? 8081 : 8080,
    ...(chance.is(0.3) ? { hostIP: '127.0.0.1' } : {}),
    ...(chance.is(0.2) ? { protocol: 'UDP' } : {}),
  }
  return {
    name,
    image: chance.is(0.5) ? 'main:1' : chance.of(Object.keys(IMAGES)),
    resources: { requests: { ...requests, ...gpu }, limits: gpu },
    ...(chance.is(0.1) ? { ports: [port] } : {}),
  }
}

const toleration = (chance: Chance): JsonObject => ({
  ...(chance.is(0.9)
    ? { key: chance.of(['team', 'gpu']), ...(chance.is(0.5) ? { operator: 'Exists' } : { value: chance.of(['red', 'blue']) }) }
    : { operator: 'Exists' }),
  ...(chance.is(0.6) ? { effect: chance.of(['NoSchedule', 'PreferNoSchedule', 'NoExecute']) } : {}),
})

const selector = (chance: Chance): JsonObject =>
  chance.is(0.7) ? { matchLabels: { app: chance.of(APPS) } } : { matchExpressions: [{ key: 'tier', operator: chance.of(['Exists', 'DoesNotExist']) }] }

function nodeTerm(chance: Chance): JsonObject {
  const expression = chance.of([
    { key: 'disk', operator: 'In', values: [chance.of(['ssd', 'hdd'])] },
    { key: 'rank', operator: chance.of(['Gt', 'Lt']), values: [String(chance.between(2, 8))] },
    { key: ZONE, operator: 'NotIn', values: [chance.of(ZONES)] },
    { key: ZONE, operator: chance.of(['Exists', 'DoesNotExist']) },
  ])
  return { matchExpressions: [expression] }
}

const podTerm = (chance: Chance): JsonObject => ({
  labelSelector: selector(chance),
  topologyKey: chance.of([HOSTNAME, ZONE, 'disk']),
  ...(chance.is(0.2) ? { namespaces: ['default', 'other'].slice(0, chance.between(1, 2)) } : {}),
})

function affinity(chance: Chance): JsonObject {
  const weighted = (key: string, term: JsonObject): JsonObject => ({ weight: chance.between(1, 100), [key]: term })
  const between = (): JsonObject => ({
    ...(chance.is(0.4) ? { requiredDuringSchedulingIgnoredDuringExecution: chance.some(1, 2, () => podTerm(chance)) } : {}),
    ...(chance.is(0.7) ? { preferredDuringSchedulingIgnoredDuringExecution: chance.some(1, 2, () => weighted('podAffinityTerm', podTerm(chance))) } : {}),
  })
  return {
    ...(chance.is(0.2)
      ? {
          nodeAffinity: {
            ...(chance.is(0.5) ? { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: chance.some(1, 2, () => nodeTerm(chance)) } } : {}),
            ...(chance.is(0.7) ? { preferredDuringSchedulingIgnoredDuringExecution: chance.some(1, 2, () => weighted('preference', nodeTerm(chance))) } : {}),
          },
        }
      : {}),
    ...(chance.is(0.2) ? { podAffinity: between() } : {}),
    ...(chance.is(0.2) ? { podAntiAffinity: between() } : {}),
  }
}

function spread(chance: Chance): JsonObject[] {
  if (chance.is(0.7)) return []
  const made = chance.some(1, 2, () => ({
    topologyKey: chance.of([HOSTNAME, ZONE, 'disk']),
    maxSkew: chance.between(1, 3),
    whenUnsatisfiable: chance.of(['DoNotSchedule', 'ScheduleAnyway']),
    labelSelector: selector(chance),
  }))
  // The API server takes each pair of topology and consequence once.
  return made.filter(
    (each, index) => made.findIndex((other) => other.topologyKey === each.topologyKey && other.whenUnsatisfiable === each.whenUnsatisfiable) === index,
  )
}
