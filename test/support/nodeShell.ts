import { readFileSync } from 'node:fs'
import ssh2 from 'ssh2'
import type { CommandResult } from './peers.ts'
import type { RunningCluster } from './runningCluster.ts'

/** Runs a command on a simulated node, as an operator does by SSH. */
export function onNode({ ssh, sshKey }: RunningCluster, node: string, command: string, input?: string): Promise<CommandResult> {
  const [host = '', port = ''] = ssh.split(':')
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client()
    client.once('error', reject)
    client.once('ready', () => {
      client.exec(command, (failed, channel) => {
        if (failed !== undefined) {
          reject(failed)
          return
        }
        let [stdout, stderr] = ['', '']
        channel.on('data', (bytes: Buffer) => (stdout += bytes.toString()))
        channel.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()))
        channel.on('close', (code: number | null) => {
          client.end()
          resolve({ code: code ?? 1, stdout, stderr })
        })
        channel.end(input)
      })
    })
    client.connect({ host, port: Number(port), username: node, privateKey: readFileSync(sshKey) })
  })
}
