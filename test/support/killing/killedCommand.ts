import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RunView } from '#shared/contract/runbooks.ts'
import { runProgram, type CommandResult } from '../peers.ts'
import { cli, type RunningCluster } from '../runningCluster.ts'

const preload = fileURLToPath(new URL('./killAtJournal.ts', import.meta.url))
/** The `drydock` command for a cluster that is another process, as for one on other machines. */
export class Drydock {
  readonly #cluster: RunningCluster
  readonly #directory: string
  readonly #environment: Record<string, string>

  /**
   * @param sshPort another way to the nodes' SSH, e.g. through something that cuts it
   * @param hostKey type and key in known_hosts, where it is not the nodes' own
   */
  constructor(
    cluster: RunningCluster,
    directory: string,
    options: { nodes: readonly string[]; sshPort?: number; hostKey?: string; environment?: Record<string, string> },
  ) {
    this.#cluster = cluster
    this.#directory = directory
    this.#environment = options.environment ?? {}
    mkdirSync(directory, { recursive: true })
    const port = options.sshPort ?? Number(cluster.ssh.split(':').at(-1))
    const knownHosts = join(directory, 'known_hosts')
    const hostKey = options.hostKey ?? readFileSync(join(cluster.sshKey, '../host_ed25519.pub'), 'utf8').split(' ').slice(0, 2).join(' ')
    writeFileSync(knownHosts, `[127.0.0.1]:${String(port)} ${hostKey}\n`)
    writeFileSync(
      join(directory, 'ssh_config'),
      options.nodes
        .map(
          (node) =>
            `Host ${node}\n  HostName 127.0.0.1\n  Port ${String(port)}\n  User ${node}\n  IdentityFile ${cluster.sshKey}\n  UserKnownHostsFile ${knownHosts}\n  IdentityAgent none\n`,
        )
        .join(''),
    )
  }

  run(args: string[], { kills }: { kills?: string } = {}): Promise<CommandResult> {
    const target = ['--kubeconfig', this.#cluster.kubeconfig, '--ssh-config', join(this.#directory, 'ssh_config'), '--data-dir', join(this.#directory, 'data')]
    const loaded = kills === undefined ? [] : ['--import', preload]
    return runProgram(process.execPath, ['--disable-warning=ExperimentalWarning', ...loaded, cli, ...args, ...target], {
      timeoutMs: 600_000,
      env: { ...this.#environment, ...(kills === undefined ? {} : { DRYDOCK_TEST_KILLS: kills }) },
    })
  }

  async runs(): Promise<RunView[]> {
    const { stdout, stderr } = await this.run(['runbook', 'list', '-o', 'json'])
    if (stdout === '') throw new Error(stderr)
    return JSON.parse(stdout) as RunView[]
  }

  /** Starts a run with a command and goes on with it until it has been killed at every place. @returns the places, in their order */
  async runKilled(args: string[]): Promise<{ places: string[]; last: CommandResult; run: RunView | undefined }> {
    const kills = join(this.#directory, 'kills.txt')
    const killed = (): string[] => (existsSync(kills) ? readFileSync(kills, 'utf8').trim().split('\n') : [])
    let last = await this.run(args, { kills })
    const [{ id } = { id: '' }] = await this.runs()
    for (let before = -1; killed().length > before;) {
      before = killed().length
      last = await this.run(['runbook', 'resume', id], { kills })
    }
    return { places: killed(), last, run: (await this.runs())[0] }
  }
}
