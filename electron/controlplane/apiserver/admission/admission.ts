import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { ApiServerMetrics } from '../metrics/apiServerMetrics.ts'
import type { Distribution } from '../metrics/instruments.ts'
import type { Instruments } from '../metrics/releaseInstruments.ts'
import type { ApiResource } from '../registry/apiResources.ts'
import type { WriteContext } from '../registry/restStore.ts'

export interface AdmissionRequest {
  operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'
  resource: ApiResource
  namespace: string
  /** Of the URL; '' for a creation. */
  name: string
  /** In the request's version; `admit` may change it in place. For DELETE what is deleted, for CONNECT the options. */
  object: KubeObject
  old: KubeObject | null
  /** What kind `object` is when it is not the resource's own: Eviction, Binding, TokenRequest, PodExecOptions. */
  kind?: { group: string; version: string; kind: string }
  context: WriteContext
}

/** One admission plugin: it may complete what is written, or refuse it with StatusError. */
export interface AdmissionPlugin {
  readonly name: string
  admit?(request: AdmissionRequest): void | Promise<void>
  /**
   * Gives out what only the server can, once the object is known to be valid: addresses, ports. May change it in place.
   *
   * @returns what to call when the write is done or has failed
   */
  allocate?(request: AdmissionRequest): (() => void) | undefined
  validate?(request: AdmissionRequest): void | Promise<void>
}

type Step = 'admit' | 'validate'

/** A plugin, and how long its steps took. */
class MeasuredPlugin {
  readonly plugin: AdmissionPlugin
  readonly #metrics: ApiServerMetrics
  /** Of what was let through, by step and operation. */
  #passed = new Map<string, Distribution>()
  /** Those that the series are of: another release has its own. */
  #instruments: Instruments

  constructor(plugin: AdmissionPlugin, metrics: ApiServerMetrics) {
    this.plugin = plugin
    this.#metrics = metrics
    this.#instruments = metrics.now
  }

  took(step: Step, operation: AdmissionRequest['operation'], rejected: boolean, durationMs: number): void {
    const { now } = this.#metrics
    if (now !== this.#instruments) {
      this.#instruments = now
      this.#passed = new Map()
    }
    if (rejected) {
      now.admissionDurations.observe([this.plugin.name, step, operation, 'true'], durationMs / 1000)
      return
    }
    const key = step === 'admit' ? operation : `validate ${operation}`
    let series = this.#passed.get(key)
    if (series === undefined) {
      series = now.admissionDurations.series([this.plugin.name, step, operation, 'false'])
      this.#passed.set(key, series)
    }
    series.observe(durationMs / 1000)
  }
}

/** The plugins in their order. */
export class Admission {
  readonly #admitting: readonly MeasuredPlugin[]
  readonly #allocating: readonly AdmissionPlugin[]
  readonly #validating: readonly MeasuredPlugin[]
  readonly #metrics: ApiServerMetrics

  constructor(plugins: readonly AdmissionPlugin[], metrics: ApiServerMetrics) {
    this.#metrics = metrics
    const measured = plugins.map((plugin) => new MeasuredPlugin(plugin, metrics))
    this.#admitting = measured.filter(({ plugin }) => plugin.admit !== undefined)
    this.#allocating = plugins.filter(({ allocate }) => allocate !== undefined)
    this.#validating = measured.filter(({ plugin }) => plugin.validate !== undefined)
  }

  admit(request: AdmissionRequest): Promise<void> {
    return this.#step('admit', this.#admitting, request)
  }

  /** @returns what to call when the write is done or has failed */
  allocate(request: AdmissionRequest): () => void {
    const releases = this.#allocating.map((plugin) => plugin.allocate?.(request))
    return () => {
      for (const release of releases) release?.()
    }
  }

  validate(request: AdmissionRequest): Promise<void> {
    return this.#step('validate', this.#validating, request)
  }

  async #step(step: Step, plugins: readonly MeasuredPlugin[], request: AdmissionRequest): Promise<void> {
    const startedMs = performance.now()
    let rejected = true
    try {
      await run(step, plugins, request)
      rejected = false
    } finally {
      this.#metrics.now.admissionSteps.observe([step, request.operation, String(rejected)], (performance.now() - startedMs) / 1000)
    }
  }
}

async function run(step: Step, plugins: readonly MeasuredPlugin[], request: AdmissionRequest): Promise<void> {
  let startedMs = performance.now()
  for (const measured of plugins) {
    let rejected = true
    try {
      const outcome = measured.plugin[step]?.(request)
      // Most decide at once.
      if (outcome !== undefined) await outcome
      rejected = false
    } finally {
      const nowMs = performance.now()
      measured.took(step, request.operation, rejected, nowMs - startedMs)
      startedMs = nowMs
    }
  }
}
