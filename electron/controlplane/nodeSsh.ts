import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import ssh2, { type AuthContext, type Connection, type ServerChannel } from 'ssh2'
import type { Logger } from '#shared/base/logger.ts'
import { runSession } from './kubelet/containerSession.ts'
import type { SimulatedNode } from './simulatedNode.ts'

export interface NodeSsh {
  port: number
  /** The client's private key. */
  keyFile: string
  /** The host's public key, as a known_hosts line without the name. */
  hostKeyFile: string
  close(): Promise<void>
}

/** A client's terminal; `resized` is told of its later sizes. */
interface TerminalRequest {
  width: number
  height: number
  resized(size: { width: number; height: number }): void
}

/** Tries of `newKey`: that all fail has a chance of one in 10^24. */
const MAX_TRIES = 10

/** The library leaves leading zero bytes out, so that about one key in 256 cannot be read back. */
export function newKey(comment: string): { private: string; public: string } {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment })
    if ([pair.private, pair.public].every((text) => !(ssh2.utils.parseKey(text) instanceof Error))) return pair
  }
  throw new Error('no SSH key could be made')
}

function ensureKey(path: string, comment: string): { private: string; public: string } {
  if (!existsSync(path)) {
    const pair = newKey(comment)
    writeFileSync(path, pair.private, { mode: 0o600 })
    writeFileSync(`${path}.pub`, `${pair.public}\n`, { mode: 0o644 })
  }
  return { private: readFileSync(path, 'utf8'), public: readFileSync(`${path}.pub`, 'utf8').trim() }
}

/** Answers SSH for all simulated nodes on one loopback port; the user name is the node's. */
export async function serveNodeSsh({
  dataDir,
  port,
  nodes,
  ports,
  logger,
}: {
  dataDir: string
  port: number
  nodes: readonly SimulatedNode[]
  /** What listens on the loopback of control-plane nodes, by the port it has there: where it really is. */
  ports: ReadonlyMap<number, number>
  logger: Logger
}): Promise<NodeSsh> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const hostKey = ensureKey(join(dataDir, 'host_ed25519'), 'drydock simulated nodes')
  const clientKey = ensureKey(join(dataDir, 'id_ed25519'), 'drydock')
  const allowed = ssh2.utils.parseKey(clientKey.public)
  if (allowed instanceof Error) throw new Error(`${join(dataDir, 'id_ed25519.pub')} is no public key: ${allowed.message}. Move it away and start again`)
  const connections = new Set<Connection>()
  const server = new ssh2.Server({ hostKeys: [hostKey.private] }, (connection) => {
    connections.add(connection)
    // A command's end is several small packets: each would wait for the other end's late acknowledgement of the one before.
    ;(connection as Connection & { setNoDelay(on: boolean): void }).setNoDelay(true)
    let node: SimulatedNode | undefined
    connection.on('error', (error) => {
      logger.debug('ssh connection failed', { error: error.message })
    })
    connection.on('close', () => {
      connections.delete(connection)
    })
    connection.on('authentication', (context) => {
      node = nodes.find(({ name }) => name === context.username)
      if (node !== undefined && keyMatches(context, allowed)) context.accept()
      else context.reject(['publickey'])
    })
    connection.on('tcpip', (accept, reject, { destPort, destIP }) => {
      const real = node?.controlPlane === true && ['127.0.0.1', 'localhost'].includes(destIP) ? ports.get(destPort) : undefined
      if (real === undefined) {
        reject()
        return
      }
      const socket = connect(real, '127.0.0.1')
      socket.once('error', reject)
      socket.once('connect', () => {
        const channel = accept()
        socket.off('error', reject)
        socket.on('error', () => channel.destroy())
        channel.on('error', () => socket.destroy())
        channel.on('close', () => socket.destroy())
        socket.on('close', () => channel.destroy())
        socket.pipe(channel).pipe(socket)
      })
    })
    connection.on('ready', () => {
      connection.on('session', (accept) => {
        const session = accept()
        let terminal: TerminalRequest | null = null
        session.on('pty', (acceptPty, _reject, { cols, rows }) => {
          terminal = { width: cols, height: rows, resized: () => undefined }
          acceptPty()
        })
        session.on('env', (acceptEnv) => {
          ;(acceptEnv as (() => void) | undefined)?.()
        })
        session.on('window-change', (acceptChange, _reject, { cols, rows }) => {
          terminal?.resized({ width: cols, height: rows })
          ;(acceptChange as (() => void) | undefined)?.()
        })
        session.on('exec', (acceptExec, _reject, { command }) => {
          if (node !== undefined) void serve(acceptExec(), node, { command: ['bash', '-c', command], terminal })
        })
        session.on('shell', (acceptShell) => {
          if (node === undefined) return
          const channel = acceptShell()
          channel.write(
            'This is a simulated node of Drydock: kubeadm, systemctl, crictl, journalctl, apt-get and everyday programs work; nothing else runs here.\r\n',
          )
          void serve(channel, node, { command: ['bash'], terminal })
        })
      })
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    keyFile: join(dataDir, 'id_ed25519'),
    hostKeyFile: join(dataDir, 'host_ed25519.pub'),
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve()
        })
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

const FAILED_CODE = 255

/** A command, or a login shell: joins the channel to it until it ended. */
async function serve(
  channel: ServerChannel,
  node: SimulatedNode,
  { command, terminal }: { command: string[]; terminal: TerminalRequest | null },
): Promise<void> {
  const gone = new AbortController()
  channel.on('close', () => {
    gone.abort(new Error('the connection closed'))
  })
  const session = runSession({ command, tty: terminal !== null, stdin: true, signal: gone.signal }, (foreground, screen) => node.shell(foreground, screen))
  channel.on('data', (bytes: Buffer) => {
    channel.pause()
    void session.write(bytes).then(() => channel.resume())
  })
  channel.on('end', () => {
    session.closeStdin()
  })
  if (terminal !== null) {
    session.resize(terminal)
    terminal.resized = (size) => {
      session.resize(size)
    }
  }
  for await (const { stream, bytes } of session.output()) (stream === 'stdout' ? channel : channel.stderr).write(bytes)
  const code = await session.exitCode.catch((error: unknown) => {
    channel.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    return FAILED_CODE
  })
  if (gone.signal.aborted) return
  channel.exit(code)
  channel.end()
}
