import { setImmediate } from 'node:timers/promises'
import { afterAll } from 'vitest'
import { FakeClock } from '#shared/base/clock.ts'
import { silentLogger } from '#shared/base/logger.ts'
import { SeededRandom } from '#shared/base/random.ts'
import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { GroupVersionResource, KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import { EVENTS, NAMESPACES, PODS } from '#electron/client/resources.ts'
import { RestClient } from '#electron/client/restClient.ts'
import type { ApiServerOptions } from '#electron/controlplane/apiserver/interface.ts'
import { ControllerContext, type Controller } from '#electron/controlplane/controller-manager/controller.ts'
import { runControllers } from '#electron/controlplane/controller-manager/controllerManager.ts'
import { ownApiServer } from '#test/support/ownApiServer.ts'

/** Rounds of the event loop that a condition may take to hold; beyond it never will. */
const MAX_TURNS = 3_000

/** The real API server over the real store, on a clock that tests move; pods become what tests say. */
export interface ControllerFixture {
  clock: FakeClock
  client: RestClient
  transport: Transport
  signal: AbortSignal
  create(gvr: GroupVersionResource, object: object): Promise<KubeObject>
  get(gvr: GroupVersionResource, name: string, namespace?: string): Promise<KubeObject>
  list(gvr: GroupVersionResource, namespace?: string): Promise<KubeObject[]>
  patch(gvr: GroupVersionResource, name: string, patch: object, subresource?: string): Promise<KubeObject>
  delete(gvr: GroupVersionResource, name: string, options?: Parameters<RestClient['delete']>[2]): Promise<unknown>
  /** Waits until `look` gives something, without moving the clock. @throws Error with `what` when it never does */
  until<T>(what: string, look: () => Promise<T | null | undefined | false>): Promise<T>
  /** Reasons and messages of the object's events in order. */
  events(name: string): Promise<string[]>
  /** A status a kubelet would write. */
  setPod(name: string, status: 'Running' | 'Ready' | 'Succeeded' | 'Failed', more?: JsonObject): Promise<void>
  /** Deletes as a kubelet does once the containers have ended. */
  removePod(name: string): Promise<void>
  /** Starts controllers; they end with the suite, or when what is returned is called, as by a restart. */
  run(controllers: (context: ControllerContext) => Controller[]): () => Promise<void>
  /** Writes an object into the store as it is, past validation and defaults. */
  store(key: string, object: object): Promise<void>
  /** Another namespace to work in from now on. */
  namespace(name: string): Promise<void>
}

export async function controllerFixture(
  kubernetesVersion = 'v1.36.0',
  startMs?: number,
  pages: NonNullable<ApiServerOptions['pages']> = {},
): Promise<ControllerFixture> {
  const clock = new FakeClock(startMs)
  const aborter = new AbortController()
  const { signal } = aborter
  const { api, etcd } = await ownApiServer({ clock, kubernetesVersion, pages })
  const transport = api.transport({ username: 'admin', groups: ['system:masters'] })
  const client = new RestClient(transport)
  const running: Promise<void>[] = []
  afterAll(async () => {
    aborter.abort(new Error('the suite is over'))
    await Promise.all(running)
    await api.close()
    await etcd.close()
  })
  let current = 'default'

  const fixture: ControllerFixture = {
    clock,
    client,
    transport,
    signal,
    create: (gvr, object) => client.create(gvr, { namespace: isClusterWide(object) ? undefined : current }, object, signal),
    get: (gvr, name, namespace = current) => client.get(gvr, { namespace: namespace === '' ? undefined : namespace, name }, signal),
    list: async (gvr, namespace = current) => (await client.list(gvr, { namespace: namespace === '' ? undefined : namespace }, signal)).items,
    patch: (gvr, name, patch, subresource) => client.patch(gvr, { namespace: current, name, subresource }, patch, { type: 'merge' }, signal),
    delete: (gvr, name, options = {}) => client.delete(gvr, { namespace: current, name }, options, signal),
    until: async (what, look) => {
      for (let turn = 0; turn < MAX_TURNS; turn++) {
        const found = await look()
        if (found !== null && found !== undefined && found !== false) return found
        await setImmediate()
      }
      throw new Error(`never: ${what}`)
    },
    events: async (name) => {
      const list = await client.list(EVENTS, { namespace: current }, signal)
      return list.items
        .filter((event) => isObject(event['involvedObject']) && event['involvedObject']['name'] === name)
        .sort((a, b) => Number(a.metadata.resourceVersion) - Number(b.metadata.resourceVersion))
        .map((event) => `${String(event['reason'])}: ${String(event['message'])}`)
    },
    setPod: async (name, status, more = {}) => {
      const at = `${new Date(clock.now()).toISOString().slice(0, 19)}Z`
      const ready = status === 'Ready'
      const conditions = [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: at }]
      await client.patch(
        PODS,
        { namespace: current, name, subresource: 'status' },
        { status: { phase: ready ? 'Running' : status, conditions, ...more } },
        { type: 'merge' },
        signal,
      )
    },
    removePod: async (name) => {
      try {
        await client.delete(PODS, { namespace: current, name }, { gracePeriodSeconds: 0 }, signal)
      } catch (error) {
        // One that was never bound to a node went at once.
        if (!isNotFound(error)) throw error
      }
    },
    run: (controllers) => {
      const context = new ControllerContext({ transport, clock, random: new SeededRandom(2), logger: silentLogger, kubernetesVersion })
      const stopper = new AbortController()
      const ended = runControllers(context, controllers(context), AbortSignal.any([signal, stopper.signal]))
      running.push(ended)
      return async () => {
        stopper.abort(new Error('the controllers restart'))
        await ended
      }
    },
    store: async (key, object) => {
      await etcd.put({ key: Buffer.from(key), value: Buffer.from(JSON.stringify(object)) }, { signal })
    },
    namespace: async (name) => {
      await client.create(NAMESPACES, {}, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, signal)
      await client.create(
        { group: '', version: 'v1', resource: 'serviceaccounts' },
        { namespace: name },
        { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } },
        signal,
      )
      current = name
    },
  }
  return fixture
}

const CLUSTER_WIDE = new Set(['Node', 'Namespace', 'PersistentVolume', 'StorageClass', 'ClusterRole', 'PriorityClass', 'CertificateSigningRequest'])
const isClusterWide = (object: object): boolean => 'kind' in object && CLUSTER_WIDE.has(String(object.kind))
