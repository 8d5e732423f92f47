import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import {
  ApiException,
  AppsV1Api,
  CoreV1Api,
  CustomObjectsApi,
  Exec,
  KubeConfig,
  Log,
  makeInformer,
  Metrics,
  PatchStrategy,
  setHeaderOptions,
  VersionApi,
  type V1Deployment,
  type V1Pod,
  type V1Status,
} from '@kubernetes/client-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { temporaryDirectory } from '#test/support/peers.ts'
import { startCluster, type RunningCluster } from '#test/support/runningCluster.ts'

const deployment: V1Deployment = {
  metadata: { name: 'web' },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'nginx:1.27' }] } },
  },
}

describe("Kubernetes' own JavaScript client on an embedded cluster", { timeout: 60_000 }, () => {
  let cluster: RunningCluster
  const config = new KubeConfig()
  const core = (): CoreV1Api => config.makeApiClient(CoreV1Api)
  const apps = (): AppsV1Api => config.makeApiClient(AppsV1Api)

  beforeAll(async () => {
    cluster = await startCluster(temporaryDirectory('client-node'))
    config.loadFromFile(cluster.kubeconfig)
  }, 30_000)
  afterAll(() => cluster.end())

  it('reads the version and the nodes, a page at a time', async () => {
    expect((await config.makeApiClient(VersionApi).getCode()).gitVersion).toMatch(/^v1\.36\./)
    const first = await core().listNode({ limit: 2 })
    expect(first.items.map(({ metadata }) => metadata?.name)).toEqual(['controlplane', 'node01'])
    const rest = await core().listNode({ limit: 2, _continue: first.metadata?._continue ?? '' })
    expect(rest.items.map(({ metadata }) => metadata?.name)).toEqual(['node02'])
    expect(rest.metadata?._continue ?? '').toBe('')
  })

  it('follows a deployment with an informer until its pods run, scales and patches it, and reads a conflict as one', async () => {
    const running = new Set<string>()
    const ready = Promise.withResolvers<undefined>()
    const informer = makeInformer<V1Pod>(
      config,
      '/api/v1/namespaces/default/pods',
      () => core().listNamespacedPod({ namespace: 'default', labelSelector: 'app=web' }),
      'app=web',
    )
    const seen = ({ metadata, status }: V1Pod): void => {
      if (status?.phase === 'Running') running.add(metadata?.name ?? '')
      if (running.size === 2) ready.resolve(undefined)
    }
    informer.on('add', seen)
    informer.on('update', seen)
    informer.on('error', ready.reject)
    await informer.start()
    try {
      await apps().createNamespacedDeployment({ namespace: 'default', body: deployment })
      await ready.promise
    } finally {
      await informer.stop()
    }

    const scale = await apps().readNamespacedDeploymentScale({ name: 'web', namespace: 'default' })
    await apps().replaceNamespacedDeploymentScale({ name: 'web', namespace: 'default', body: { ...scale, spec: { replicas: 1 } } })
    const stale = apps().replaceNamespacedDeploymentScale({ name: 'web', namespace: 'default', body: { ...scale, spec: { replicas: 5 } } })
    const conflict: unknown = await stale.catch((error: unknown) => error)
    expect(conflict).toBeInstanceOf(ApiException)
    expect((conflict as ApiException<unknown>).code).toBe(409)

    const patched = await apps().patchNamespacedDeployment(
      { name: 'web', namespace: 'default', body: { metadata: { labels: { tier: 'front' } } } },
      setHeaderOptions('Content-Type', PatchStrategy.StrategicMergePatch),
    )
    expect(patched.spec?.replicas).toBe(1)
    expect(patched.metadata?.labels).toEqual({ tier: 'front' })
  })

  it('runs a command in a container over WebSocket, reads its exit code, and follows its log', async () => {
    const [pod] = (await core().listNamespacedPod({ namespace: 'default', labelSelector: 'app=web' })).items.filter(
      ({ metadata }) => metadata?.deletionTimestamp === undefined,
    )
    const name = pod?.metadata?.name ?? ''
    const run = async (command: string[]): Promise<{ out: string; error: string; status: V1Status }> => {
      const [out, error] = [new PassThrough(), new PassThrough()]
      const ended = Promise.withResolvers<V1Status>()
      const socket = await new Exec(config).exec('default', name, 'web', command, out, error, null, false, ended.resolve)
      const status = await ended.promise
      socket.close()
      out.end()
      error.end()
      return { out: await text(out), error: await text(error), status }
    }
    expect(await run(['sh', '-c', 'echo $HOSTNAME'])).toMatchObject({ out: `${name}\n`, error: '', status: { status: 'Success' } })
    const failed = await run(['sh', '-c', 'echo no >&2; exit 3'])
    expect(failed).toMatchObject({ out: '', error: 'no\n', status: { status: 'Failure', reason: 'NonZeroExitCode' } })
    expect(failed.status.details?.causes).toEqual([{ reason: 'ExitCode', message: '3' }])

    const log = new PassThrough()
    const line = new Promise<string>((resolve) => log.once('data', (bytes: Buffer) => resolve(bytes.toString())))
    await new Log(config).log('default', name, 'web', log, { follow: true, timestamps: true })
    expect(await line).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z /)
    // What is followed ends with the container.
    const ended = once(log.resume(), 'end')
    await core().deleteNamespacedPod({ namespace: 'default', name, gracePeriodSeconds: 1 })
    await ended
  })

  it('keeps objects of a custom kind, and reads metrics', async () => {
    const custom = config.makeApiClient(CustomObjectsApi)
    const crd = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'ships.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Namespaced',
        names: { plural: 'ships', kind: 'Ship' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties: { masts: { type: 'integer', default: 3 } } } } } },
          },
        ],
      },
    }
    await custom.createClusterCustomObject({ group: 'apiextensions.k8s.io', version: 'v1', plural: 'customresourcedefinitions', body: crd })
    const ships = { group: 'example.com', version: 'v1', namespace: 'default', plural: 'ships' }
    const body = { apiVersion: 'example.com/v1', kind: 'Ship', metadata: { name: 'argo' }, spec: {} }
    await expect
      .poll(() => custom.createNamespacedCustomObject({ ...ships, body }).catch((error: unknown) => String(error)), { timeout: 10_000 })
      .toMatchObject({ spec: { masts: 3 } })
    expect(await custom.listNamespacedCustomObject(ships)).toMatchObject({ kind: 'ShipList', items: [{ metadata: { name: 'argo' } }] })

    const usage = new Metrics(config)
    await expect.poll(async () => (await usage.getNodeMetrics()).items.length, { timeout: 30_000 }).toBe(3)
    for (const { usage: used } of (await usage.getNodeMetrics()).items) expect(Number.parseInt(used.memory, 10)).toBeGreaterThan(0)
  })
})
