import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { SystemClock } from '#shared/base/clock.ts'
import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import { parseGroupVersion, resourcePath, type GroupVersionResource, type KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { requestJson } from '#electron/client/apiRequest.ts'
import { RestClient } from '#electron/client/restClient.ts'
import { ContextTransport } from '#electron/clusters/contextTransport.ts'
import { parseKubeconfig } from '#electron/clusters/kubeconfig.ts'

export interface ServedKind {
  gvr: GroupVersionResource
  kind: string
  namespaced: boolean
}

/** Nodes that take ordinary pods, on each side: scenarios count on as many. */
const WORKERS = 4

/** One of the two clusters that are compared: a client, what it serves, and its worker nodes in order. */
export class Side {
  readonly name: string
  readonly client: RestClient
  readonly nodes: string[] = []
  readonly #transport: ContextTransport
  #kinds: ServedKind[] = []
  readonly signal = new AbortController().signal

  readonly #workers: number

  /** @param workers how many nodes without taints there must be */
  constructor(name: string, kubeconfigPath: string, { workers = WORKERS } = {}) {
    this.#workers = workers
    const [context] = parseKubeconfig(readFileSync(kubeconfigPath, 'utf8'), kubeconfigPath)
    if (context === undefined) throw new Error(`${kubeconfigPath} has no context`)
    this.name = name
    this.#transport = new ContextTransport(context, new SystemClock())
    this.client = new RestClient(this.#transport, { userAgent: 'drydock-conformance' })
  }

  async open(): Promise<void> {
    const groups = (await this.client.raw('/apis', this.signal)) as { groups: { versions: { groupVersion: string }[] }[] }
    const versions = ['v1', ...groups.groups.flatMap((group) => group.versions.map(({ groupVersion }) => groupVersion))]
    for (const each of versions) {
      const list = (await this.client.raw(each === 'v1' ? '/api/v1' : `/apis/${each}`, this.signal)) as {
        resources: { name: string; kind: string; namespaced: boolean }[]
      }
      for (const { name, kind, namespaced } of list.resources)
        if (!name.includes('/')) this.#kinds.push({ gvr: { ...parseGroupVersion(each), resource: name }, kind, namespaced })
    }
    const tainted = (node: KubeObject): boolean => isObject(node['spec']) && node['spec']['taints'] !== undefined
    // Nodes are tainted until they are ready.
    const workers = await this.until(`${String(this.#workers)} workers without taints`, async () => {
      const nodes = await this.client.list({ group: '', version: 'v1', resource: 'nodes' }, {}, this.signal)
      const names = nodes.items.filter((node) => !tainted(node)).map(({ metadata }) => metadata.name ?? '')
      return names.length === this.#workers ? { done: names } : { seen: nodes.items.map(({ metadata, spec }) => [metadata.name, spec]) }
    })
    this.nodes.push(...workers.sort())
  }

  close(): void {
    this.#transport.close()
  }

  /** `deployments.apps`, `pods`, `cronjobs.v1beta1.batch`. @throws Error when it is not served */
  resource(text: string): ServedKind {
    const [resource = '', ...rest] = text.split('.')
    const version = rest[0] !== undefined && /^v\d/.test(rest[0]) ? rest.shift() : undefined
    const group = rest.join('.')
    const found = this.#kinds.find(({ gvr }) => gvr.resource === resource && gvr.group === group && (version === undefined || gvr.version === version))
    if (found === undefined) throw new Error(`${this.name} does not serve ${text}`)
    return found
  }

  ofObject(object: JsonObject): ServedKind {
    const { group, version } = parseGroupVersion(String(object['apiVersion']))
    const found = this.#kinds.find(({ gvr, kind }) => kind === object['kind'] && gvr.group === group && gvr.version === version)
    if (found === undefined) throw new Error(`${this.name} does not serve ${String(object['apiVersion'])} ${String(object['kind'])}`)
    return found
  }

  /** An object as the server would store it, without storing it. */
  tried(gvr: GroupVersionResource, namespace: string | undefined, object: object): Promise<KubeObject> {
    const headers = { 'content-type': 'application/json' }
    const path = `${resourcePath(gvr, { namespace })}?dryRun=All`
    return requestJson<KubeObject>(this.#transport, { method: 'POST', path, body: JSON.stringify(object), headers, signal: this.signal })
  }

  async list(text: string, namespace: string, labelSelector?: string): Promise<KubeObject[]> {
    const { gvr, namespaced } = this.resource(text)
    return (await this.client.list(gvr, { namespace: namespaced ? namespace : undefined, labelSelector }, this.signal)).items
  }

  async find(text: string, namespace: string, name: string): Promise<KubeObject | null> {
    const { gvr, namespaced } = this.resource(text)
    try {
      return await this.client.get(gvr, { namespace: namespaced ? namespace : undefined, name }, this.signal)
    } catch (error) {
      if (isNotFound(error)) return null
      throw error
    }
  }

  /** Looks again and again. @throws Error with what was seen last when `seconds` pass first */
  async until<T>(what: string, look: () => Promise<{ done: T } | { seen: unknown }>, seconds = 60): Promise<T> {
    const endMs = performance.now() + seconds * 1000
    for (;;) {
      const result = await look()
      if ('done' in result) return result.done
      if (performance.now() > endMs)
        throw new Error(`${this.name}: ${what} did not happen within ${String(seconds)} s; last seen ${JSON.stringify(result.seen)}`)
      await sleep(200)
    }
  }
}
