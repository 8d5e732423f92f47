import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Emitter } from '#shared/base/emitter.ts'
import type { Logger } from '#shared/base/logger.ts'
import { spawnProgram, type ProgramCommand, type ProgramProcess } from '../platform/programProcess.ts'

/** Where a running embedded cluster is reached: its ready line. */
export interface EmbeddedEndpoints {
  apiUrl: string
  kubeconfigPath: string
  etcdUrl: string
  pkiDir: string
  sshHost: string
  sshPort: number
  sshKeyFile: string
}

export type EmbeddedState =
  { state: 'stopped' } | { state: 'starting' } | { state: 'running'; endpoints: EmbeddedEndpoints } | { state: 'failed'; message: string }

const READY = /^drydock: cluster ready (\S+) kubeconfig=(.+) etcd=(\S+) pki=(.+) ssh=([^:\s]+):(\d+) ssh-key=(.+)$/
/** Last lines of stderr that explain why it ended. */
const KEPT_LINES = 20

/** How the cluster's process is started: a program and the arguments before `cluster`, or whoever makes a process of them. */
export type ClusterCommand = ProgramCommand | ((args: readonly string[]) => ProgramProcess)

/** The embedded control plane in a process of its own. */
export class EmbeddedCluster {
  readonly dataDir: string
  readonly changes = new Emitter<EmbeddedState>()
  readonly #command: ClusterCommand
  readonly #args: readonly string[]
  readonly #logger: Logger
  #child: ProgramProcess | null = null
  #state: EmbeddedState = { state: 'stopped' }

  /** @param options.args arguments of `drydock cluster` beside the data directory */
  constructor(options: { dataDir: string; command: ClusterCommand; args: readonly string[]; logger: Logger }) {
    this.dataDir = options.dataDir
    this.#command = options.command
    this.#args = options.args
    this.#logger = options.logger
  }

  get state(): EmbeddedState {
    return this.#state
  }

  /** The store's own directory. */
  get storeDir(): string {
    return join(this.dataDir, 'etcd')
  }

  /** Resolves when the cluster answers. @throws Error with what its process said when it ended before */
  async start(): Promise<EmbeddedEndpoints> {
    if (this.#state.state === 'running') return this.#state.endpoints
    this.#set({ state: 'starting' })
    const args = ['cluster', '--data-dir', this.dataDir, '--port', '0', ...this.#args]
    const child = typeof this.#command === 'function' ? this.#command(args) : spawnProgram(this.#command, args)
    this.#child = child
    const said: string[] = []
    createInterface({ input: child.stderr }).on('line', (line) => {
      said.push(line)
      if (said.length > KEPT_LINES) said.shift()
      this.#logger.info(line, { process: 'cluster' })
    })
    return new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        const match = READY.exec(line)
        if (match === null) return
        const [, apiUrl = '', kubeconfigPath = '', etcdUrl = '', pkiDir = '', sshHost = '', sshPort = '', sshKeyFile = ''] = match
        const endpoints = { apiUrl, kubeconfigPath, etcdUrl, pkiDir, sshHost, sshPort: Number(sshPort), sshKeyFile }
        this.#set({ state: 'running', endpoints })
        resolve(endpoints)
      })
      const failed = (why: string): void => {
        if (this.#child !== child) {
          reject(new Error('it was stopped before it had started'))
          return
        }
        this.#child = null
        const message = said.findLast((line) => line.startsWith('drydock: '))?.slice('drydock: '.length) ?? said.findLast((line) => line.trim() !== '') ?? why
        const wanted = this.#state.state === 'stopped'
        if (!wanted) this.#set({ state: 'failed', message })
        reject(new Error(message))
      }
      void child.ended.then(failed)
    })
  }

  /** Resolves when nothing has its files open any more. */
  async stop(): Promise<void> {
    this.#set({ state: 'stopped' })
    const child = this.#child
    if (child === null) return
    this.#child = null
    child.terminate()
    await child.ended
  }

  /** The host key its nodes show, as the middle field of a known_hosts line. */
  hostKey(endpoints: EmbeddedEndpoints): string {
    return readFileSync(join(this.dataDir, 'ssh/host_ed25519.pub'), 'utf8').split(' ')[1] ?? String(endpoints.sshPort)
  }

  #set(state: EmbeddedState): void {
    this.#state = state
    this.changes.emit(state)
  }
}
