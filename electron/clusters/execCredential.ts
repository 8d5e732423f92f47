import { execFile } from 'node:child_process'
import type { Clock } from '#shared/base/clock.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import { textAt, timeAt } from '#shared/resources/fields.ts'
import { readFileOrData, type KubeContext } from './kubeconfig.ts'

/** What a credential plugin gave. Empty texts are absent. */
export interface ExecCredential {
  token: string
  clientCertificate: string
  clientKey: string
  /** Infinity when it does not say. */
  expiresAtMs: number
}

/** Longest a plugin may take: long enough for a slow single sign-on call, short enough to report. */
const PLUGIN_TIMEOUT_MS = 30_000
/** A credential this close to its end is asked for anew. */
const RENEW_BEFORE_MS = 60_000

/** Runs one context's credential plugin and keeps its answer until it is about to end. */
export class ExecCredentialSource {
  readonly #context: KubeContext
  readonly #clock: Clock
  #kept: ExecCredential | null = null
  #running: Promise<ExecCredential> | null = null

  constructor(context: KubeContext, clock: Clock) {
    this.#context = context
    this.#clock = clock
  }

  /** @throws StatusError Unauthorized with the plugin's own words when it fails */
  async get(): Promise<ExecCredential> {
    if (this.#kept !== null && this.#kept.expiresAtMs - RENEW_BEFORE_MS > this.#clock.now()) return this.#kept
    this.#running ??= this.#run().finally(() => {
      this.#running = null
    })
    this.#kept = await this.#running
    return this.#kept
  }

  /** Forgets the answer: the server refused it. */
  invalidate(): void {
    this.#kept = null
  }

  async #run(): Promise<ExecCredential> {
    const plugin = this.#context.exec
    if (plugin === null) throw new StatusError(failure(401, 'Unauthorized', 'the context has no credential plugin'))
    const spec: Record<string, unknown> = { interactive: false }
    if (plugin.provideClusterInfo) {
      const authority = await readFileOrData(this.#context.ca)
      spec['cluster'] = {
        server: this.#context.server,
        ...(authority === '' ? {} : { 'certificate-authority-data': Buffer.from(authority).toString('base64') }),
      }
    }
    const info = JSON.stringify({ apiVersion: plugin.apiVersion, kind: 'ExecCredential', spec })
    const output = await new Promise<string>((resolve, reject) => {
      execFile(
        plugin.command,
        plugin.args,
        { env: { ...process.env, ...plugin.env, KUBERNETES_EXEC_INFO: info }, timeout: PLUGIN_TIMEOUT_MS, maxBuffer: 2 ** 20 },
        (error, stdout, stderr) => {
          if (error === null) resolve(stdout)
          else
            reject(
              new StatusError(failure(401, 'Unauthorized', `credential plugin ${plugin.command} failed: ${stderr.trim() || error.message}`), { cause: error }),
            )
        },
      )
    })
    let answer: unknown
    try {
      answer = JSON.parse(output)
    } catch (error) {
      throw new StatusError(failure(401, 'Unauthorized', `credential plugin ${plugin.command} printed no JSON`), { cause: error })
    }
    const expiresAtMs = timeAt(answer, 'status', 'expirationTimestamp')
    return {
      token: textAt(answer, 'status', 'token'),
      clientCertificate: textAt(answer, 'status', 'clientCertificateData'),
      clientKey: textAt(answer, 'status', 'clientKeyData'),
      expiresAtMs: Number.isNaN(expiresAtMs) ? Number.POSITIVE_INFINITY : expiresAtMs,
    }
  }
}
