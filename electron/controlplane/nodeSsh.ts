import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import ssh2, { type AuthContext, type Connection, type ServerChannel } from 'ssh2'
import type { Logger } from '#shared/base/logger.ts'
import { FedInput, textOf, type Output } from './kubelet/shell/process.ts'
import type { SimulatedNode } from './simulatedNode.ts'

export interface NodeSsh {
  port: number
  /** The client's private key. */
  keyFile: string
  /** The host's public key, as a known_hosts line without the name. */
  hostKeyFile: string
  close(): Promise<void>
}

function ensureKey(path: string, comment: string): { private: string; public: string } {
  if (!existsSync(path)) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment })
    writeFileSync(path, pair.private, { mode: 0o600 })
    writeFileSync(`${path}.pub`, `${pair.public}\n`, { mode: 0o644 })
  }
  return { private: readFileSync(path, 'utf8'), public: readFileSync(`${path}.pub`, 'utf8').trim() }
}

/** Answers SSH for all simulated nodes on one loopback port; the user name is the node's. */
export async function serveNodeSsh({ dataDir, port, nodes, logger }: { dataDir: string; port: number; nodes: readonly SimulatedNode[]; logger: Logger }): Promise<NodeSsh> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const hostKey = ensureKey(join(dataDir, 'host_ed25519'), 'drydock simulated nodes')
  const clientKey = ensureKey(join(dataDir, 'id_ed25519'), 'drydock')
  const allowed = ssh2.utils.parseKey(clientKey.public)
  if (allowed instanceof Error) throw new Error(`${join(dataDir, 'id_ed25519.pub')} is no public key: ${allowed.message}. Move it away and start again`)
  const connections = new Set<Connection>()
  const server = new ssh2.Server({ hostKeys: [hostKey.private] }, (connection) => {
    connections.add(connection)
    let node: SimulatedNode | undefined
    connection.on('error', (error) => { logger.debug('ssh connection failed', { error: error.message }) })
    connection.on('close', () => { connections.delete(connection) })
    connection.on('authentication', (context) => {
      node = nodes.find(({ name }) => name === context.username)
      if (node !== undefined && keyMatches(context, allowed)) context.accept()
      else context.reject(['publickey'])
    })
    connection.on('ready', () => {
      connection.on('session', (accept) => {
        const session = accept()
        session.on('pty', (acceptPty) => { acceptPty() })
        session.on('env', (acceptEnv) => { (acceptEnv as (() => void) | undefined)?.() })
        session.on('window-change', (acceptChange) => { (acceptChange as (() => void) | undefined)?.() })
        session.on('exec', (acceptExec, _reject, { command }) => { if (node !== undefined) void runCommand(node, acceptExec(), command) })
        session.on('shell', (acceptShell) => { if (node !== undefined) void runLogin(node, acceptShell()) })
      })
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port, keyFile: join(dataDir, 'id_ed25519'), hostKeyFile: join(dataDir, 'host_ed25519.pub'),
    close: () =>
      new Promise((resolve) => {
        server.close(() => { resolve() })
        for (const connection of connections) connection.end()
      }),
  }
}

function keyMatches(context: AuthContext, allowed: ssh2.ParsedKey): boolean {
  if (context.method !== 'publickey' || context.key.algo !== allowed.type || !context.key.data.equals(allowed.getPublicSSH())) return false
  // Without a signature the client only asks whether the key would do.
  if (context.signature === undefined || context.blob === undefined) return true
  return allowed.verify(context.blob, context.signature, context.hashAlgo)
}

async function runCommand(node: SimulatedNode, channel: ServerChannel, command: string): Promise<void> {
  const gone = new AbortController()
  channel.on('close', () => { gone.abort(new Error('the connection closed')) })
  const input = new FedInput()
  channel.on('data', (bytes: Buffer) => { input.push(bytes) })
  channel.on('end', () => { input.end() })
  const code = await run(node, command, { input, out: (text) => channel.write(text), err: (text) => channel.stderr.write(text), signal: gone.signal })
  if (gone.signal.aborted) return
  channel.exit(code)
  channel.end()
}

async function run(node: SimulatedNode, command: string, streams: { input: FedInput; out(output: Output): void; err(text: string): void; signal: AbortSignal }): Promise<number> {
  try {
    return await node.shell(streams.signal).run(command, streams)
  } catch (error) {
    streams.err(`${error instanceof Error ? error.message : String(error)}\n`)
    return 255
  }
}

/** An interactive login: a line at a time, with echo and erase. */
async function runLogin(node: SimulatedNode, channel: ServerChannel): Promise<void> {
  const gone = new AbortController()
  channel.on('close', () => { gone.abort(new Error('the connection closed')) })
  const shell = node.shell(gone.signal)
  const write = (output: Output): void => { channel.write(textOf(output).replace(/\r?\n/g, '\r\n')) }
  const lines = new FedInput()
  let line = ''
  channel.on('data', (bytes: Buffer) => {
    for (const character of bytes.toString('utf8')) {
      if (character === '\r' || character === '\n') {
        write('\n')
        lines.push(`${line}\n`)
        line = ''
      } else if (character === '\u007f' || character === '\b') {
        if (line !== '') channel.write('\b \b')
        line = line.slice(0, -1)
      } else if (character === '\u0004' && line === '') lines.end()
      else if (character === '\u0003') {
        line = ''
        write('^C\n')
        lines.push('\n')
      } else if (character >= ' ') {
        line += character
        channel.write(character)
      }
    }
  })
  channel.on('end', () => { lines.end() })
  write('This is a simulated node of Drydock: kubeadm, systemctl, crictl, journalctl, apt-get and everyday programs work; nothing else runs here.\n')
  for (;;) {
    write(`root@${node.name}:${shell.workingDirectory === '/root' ? '~' : shell.workingDirectory}# `)
    const next = await lines.readLine()
    if (next === null || gone.signal.aborted || next.trim() === 'exit' || next.trim() === 'logout') break
    try {
      await shell.run(next, { input: lines, out: write, err: write })
    } catch (error) {
      write(`${error instanceof Error ? error.message : String(error)}\n`)
    }
  }
  channel.exit(0)
  channel.end()
}
