import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { deepEqual, isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isConflict, isNotFound, StatusError } from '#shared/kubernetes/status.ts'
import { snapshot, type Snapshot } from './snapshot.ts'
import type { Side } from './side.ts'

/** What a step names: one object, or those a label selector finds. */
interface Target {
  resource: string
  name?: string
  selector?: string
}

/** One step; exactly one of the fields is set. */
export interface Step {
  create?: JsonObject | JsonObject[]
  /** A write that must fail: its message is compared. */
  refused?: JsonObject
  patch?: Target & { patch: unknown; type?: 'merge' | 'strategic' | 'json'; subresource?: string }
  delete?: Target & { propagationPolicy?: 'Background' | 'Foreground' | 'Orphan'; gracePeriodSeconds?: number }
  evict?: { name?: string; selector?: string; refused?: boolean }
  /** Waits until a field has a value, or until `count` objects have it. */
  until?: Target & { path?: string; is?: unknown; count?: number; seconds?: number }
  gone?: Target & { seconds?: number }
  /** Ends waiting pods as a kubelet would tell of it; for pods that no scheduler places. */
  finish?: { selector: string; phase: 'Succeeded' | 'Failed' | 'Running'; count?: number; exitCode?: number; notReady?: boolean }
  /** Seconds that must pass. */
  wait?: number
}

export interface Scenario {
  name: string
  describe: string
  steps: Step[]
  /** Resources compared beside the usual ones. */
  compare?: string[]
  /** Compares which node each pod is on. */
  places?: boolean
  /** How often an equal event comes is up to timing: repeated ones count once. */
  repeats?: boolean
  /** Paths of no interest, with the reason; `*` stands for any field. */
  ignore?: Record<string, string>
  /** Runs alone: it changes nodes. */
  alone?: boolean
}

const folder = fileURLToPath(new URL('../scenarios', import.meta.url))

/** All scenarios of the folder, or those whose names contain one of the texts. */
export function scenarios(only: readonly string[] = []): Scenario[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.yaml') && (only.length === 0 || only.some((text) => file.includes(text))))
    .sort()
    .map((file) => ({ name: file.replace(/\.yaml$/, ''), ...(parse(readFileSync(join(folder, file), 'utf8')) as Omit<Scenario, 'name'>) }))
}

const textAt = (value: unknown): string => (typeof value === 'string' ? value : '')

export function valueAt(object: unknown, path: string): unknown {
  let value = object
  for (const field of path.split('.')) value = Array.isArray(value) ? (value as unknown[])[Number(field)] : isObject(value) ? value[field] : undefined
  return value
}

/** Does the steps on one side and tells what is there afterwards. */
export async function play(scenario: Scenario, side: Side, namespace: string): Promise<Snapshot> {
  const run = new Run(side, namespace)
  await side.client.create(
    { group: '', version: 'v1', resource: 'namespaces' },
    {},
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    side.signal,
  )
  await side.until('the default service account and its token', async () => {
    const account = await side.find('serviceaccounts', namespace, 'default')
    return Array.isArray(account?.['secrets']) && account['secrets'].length > 0 ? { done: true } : { seen: account }
  })
  try {
    for (const [index, step] of scenario.steps.entries()) {
      try {
        await run.step(step)
      } catch (error) {
        const events = (await side.list('events', namespace)).map((event) => `${String(event['reason'])}: ${String(event['message'])}`)
        throw new Error(
          `step ${String(index + 1)} ${JSON.stringify(step).slice(0, 200)}: ${error instanceof Error ? error.message : String(error)}; events ${JSON.stringify(events.slice(-12))}`,
          { cause: error },
        )
      }
    }
    await run.settle(scenario)
    return { ...(await snapshot(scenario, side, namespace)), refusals: run.refusals }
  } finally {
    await run.cleanUp()
  }
}

class Run {
  readonly refusals: string[] = []
  readonly #side: Side
  readonly #namespace: string
  readonly #clusterWide: KubeObject[] = []
  /** When the last object was made or changed. */
  #wroteAtMs = 0

  constructor(side: Side, namespace: string) {
    this.#side = side
    this.#namespace = namespace
  }

  async step(raw: Step): Promise<void> {
    const step = this.#filled(raw)
    // Ages are whole seconds: what two steps have made would be of one age, and named in another order on each side.
    if (step.patch !== undefined) await sleep(Math.max(0, this.#wroteAtMs + 1_100 - performance.now()))
    if (step.create !== undefined || step.patch !== undefined) this.#wroteAtMs = performance.now()
    if (step.create !== undefined) for (const object of Array.isArray(step.create) ? step.create : [step.create]) await this.#create(object)
    if (step.refused !== undefined) await this.#refused(step.refused)
    if (step.patch !== undefined) await this.#patch(step.patch)
    if (step.delete !== undefined) await this.#delete(step.delete)
    if (step.evict !== undefined) await this.#evict(step.evict)
    if (step.until !== undefined) await this.#until(step.until)
    if (step.gone !== undefined) await this.#gone(step.gone)
    if (step.finish !== undefined) await this.#finish(step.finish)
    if (step.wait !== undefined) await sleep(step.wait * 1000)
  }

  /** `$ns`, and `$node1` to `$node4` for the workers. */
  #filled(step: Step): Step {
    const text = JSON.stringify(step)
      .replaceAll('$ns', this.#namespace)
      .replace(/\$node(\d)/g, (_, number: string) => this.#side.nodes[Number(number) - 1] ?? '')
    return JSON.parse(text) as Step
  }

  async #create(object: JsonObject): Promise<void> {
    const { gvr, namespaced } = this.#side.ofObject(object)
    const made = await this.#side.client.create(gvr, { namespace: namespaced ? this.#namespace : undefined }, object, this.#side.signal)
    if (!namespaced) this.#clusterWide.unshift({ ...made, apiVersion: textAt(object['apiVersion']), kind: textAt(object['kind']) })
    if (object['status'] !== undefined && !namespaced && object['kind'] !== 'Node')
      await this.#side.client.update(gvr, { name: made.metadata.name ?? '', subresource: 'status' }, { ...made, status: object['status'] }, this.#side.signal)
  }

  async #refused(object: JsonObject): Promise<void> {
    try {
      await this.#create(object)
      this.refusals.push('accepted')
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
      this.refusals.push(`${String(error.code)} ${error.reason}: ${error.message}`)
    }
  }

  async #names({ resource, name, selector }: Target): Promise<string[]> {
    if (name !== undefined) return [name]
    return (await this.#side.list(resource, this.#namespace, selector)).map(({ metadata }) => metadata.name ?? '')
  }

  async #patch({ patch, type = 'merge', subresource, ...target }: NonNullable<Step['patch']>): Promise<void> {
    const { gvr, namespaced } = this.#side.resource(target.resource)
    for (const name of await this.#names(target)) {
      const where = { namespace: namespaced ? this.#namespace : undefined, name, subresource }
      await this.#side.until('patch without conflict', async () => {
        try {
          await this.#side.client.patch(gvr, where, patch, { type }, this.#side.signal)
          return { done: true }
        } catch (error) {
          if (isConflict(error)) return { seen: 'conflict' }
          throw error
        }
      })
    }
  }

  async #delete({ propagationPolicy, gracePeriodSeconds, ...target }: NonNullable<Step['delete']>): Promise<void> {
    const { gvr, namespaced } = this.#side.resource(target.resource)
    for (const name of await this.#names(target))
      await this.#side.client.delete(
        gvr,
        { namespace: namespaced ? this.#namespace : undefined, name },
        { propagationPolicy, gracePeriodSeconds },
        this.#side.signal,
      )
  }

  async #evict({ name, selector, refused }: NonNullable<Step['evict']>): Promise<void> {
    for (const pod of await this.#names({ resource: 'pods', ...(name === undefined ? {} : { name }), ...(selector === undefined ? {} : { selector }) })) {
      const eviction = { apiVersion: 'policy/v1beta1', kind: 'Eviction', metadata: { name: pod, namespace: this.#namespace } }
      try {
        await this.#side.client.create(
          { group: '', version: 'v1', resource: 'pods' },
          { namespace: this.#namespace, name: pod, subresource: 'eviction' },
          eviction,
          this.#side.signal,
        )
        if (refused === true) this.refusals.push('evicted')
      } catch (error) {
        if (refused !== true || !(error instanceof StatusError)) throw error
        this.refusals.push(`${String(error.code)} ${error.reason}: ${error.message}`)
      }
    }
  }

  #until({ resource, name, selector, path, is, count, seconds }: NonNullable<Step['until']>): Promise<unknown> {
    // A status that tells of an earlier generation would let the next step come before this one was seen.
    const isCurrent = (object: KubeObject): boolean => {
      const observed = valueAt(object, 'status.observedGeneration')
      return path?.startsWith('status.') !== true || typeof observed !== 'number' || observed === object.metadata.generation
    }
    const matches = (object: KubeObject): boolean => path === undefined || (isCurrent(object) && deepEqual(valueAt(object, path) ?? null, is ?? null))
    return this.#side.until(
      JSON.stringify({ resource, name, selector, path, is, count }),
      async () => {
        if (name !== undefined) {
          const object = await this.#side.find(resource, this.#namespace, name)
          return object !== null && matches(object)
            ? { done: true }
            : { seen: object === null ? null : path === undefined ? object.metadata : valueAt(object, path) }
        }
        const objects = await this.#side.list(resource, this.#namespace, selector)
        return objects.filter(matches).length === (count ?? 1)
          ? { done: true }
          : { seen: objects.map((object) => [object.metadata.name, path === undefined ? null : valueAt(object, path)]) }
      },
      seconds,
    )
  }

  #gone({ seconds, ...target }: NonNullable<Step['gone']>): Promise<unknown> {
    return this.#side.until(
      `${JSON.stringify(target)} goes`,
      async () => {
        const left =
          target.name === undefined
            ? await this.#names(target)
            : (await this.#side.find(target.resource, this.#namespace, target.name)) === null
              ? []
              : [target.name]
        return left.length === 0 ? { done: true } : { seen: left }
      },
      seconds,
    )
  }

  async #finish({ selector, phase, count = 1, exitCode = phase === 'Failed' ? 1 : 0, notReady = false }: NonNullable<Step['finish']>): Promise<void> {
    const waiting = await this.#side.until(`${String(count)} pods to end`, async () => {
      const pods = (await this.#side.list('pods', this.#namespace, selector)).filter(
        (pod) => pod.metadata.deletionTimestamp === undefined && valueAt(pod, 'status.phase') === 'Pending',
      )
      return pods.length >= count ? { done: pods } : { seen: pods.map(({ metadata }) => metadata.name) }
    })
    waiting.sort((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1))
    const at = `${new Date(Date.now()).toISOString().slice(0, 19)}Z`
    for (const pod of waiting.slice(0, count)) {
      const terminated = { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error', startedAt: at, finishedAt: at }
      const ready = phase === 'Running' && !notReady
      const containerStatuses = (valueAt(pod, 'spec.containers') as { name: string; image: string }[]).map(({ name, image }) => ({
        name,
        image,
        imageID: '',
        ready,
        restartCount: 0,
        state: phase === 'Running' ? { running: { startedAt: at } } : { terminated },
      }))
      const status = { phase, startTime: at, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: at }], containerStatuses }
      await this.#side.client.patch(
        { group: '', version: 'v1', resource: 'pods' },
        { namespace: this.#namespace, name: pod.metadata.name ?? '', subresource: 'status' },
        { status },
        { type: 'strategic' },
        this.#side.signal,
      )
    }
  }

  /** Until nothing has changed for two looks a second and a half apart. */
  async settle(scenario: Scenario): Promise<void> {
    let before = ''
    await this.#side.until(
      'quiet',
      async () => {
        const now = JSON.stringify(await snapshot(scenario, this.#side, this.#namespace))
        const leaving = (await this.#side.list('pods', this.#namespace)).some(({ metadata }) => metadata.deletionTimestamp !== undefined)
        if (now === before && !leaving) return { done: true }
        before = now
        await sleep(1_500)
        return { seen: 'changes' }
      },
      45,
    )
  }

  async cleanUp(): Promise<void> {
    const { client, signal } = this.#side
    const quietly = async (work: () => Promise<unknown>): Promise<void> => {
      try {
        await work()
      } catch (error) {
        if (!isNotFound(error)) throw error
      }
    }
    await quietly(() => client.delete({ group: '', version: 'v1', resource: 'namespaces' }, { name: this.#namespace }, {}, signal))
    for (const object of this.#clusterWide)
      await quietly(() => client.delete(this.#side.ofObject({ ...object }).gvr, { name: object.metadata.name ?? '' }, {}, signal))
    for (const node of this.#side.nodes)
      await quietly(() =>
        client.patch({ group: '', version: 'v1', resource: 'nodes' }, { name: node }, { spec: { unschedulable: null } }, { type: 'merge' }, signal),
      )
  }
}
