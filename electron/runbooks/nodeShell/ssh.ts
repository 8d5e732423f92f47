import { Client, type ClientChannel, type ServerHostKeyAlgorithm } from 'ssh2'
import { ConnectionCut, type NodeShell } from './nodeShell.ts'
import { runCommand } from './sshCommand.ts'
import { Sudo } from './sudo.ts'

export interface SshTarget {
  host: string
  port: number
  username: string
  /** PEM or OpenSSH text. */
  privateKey?: string
  /** Socket of an ssh-agent. */
  agent?: string
  /** The host's public keys as base64 of their SSH wire form, the middle field of a known_hosts line. Any other key is refused. */
  hostKeys: readonly string[]
  /** Runs each command under sudo: the user is not root. */
  sudo: boolean
  /** What sudo asks for, where it asks. It goes into sudo's standard input alone: no command line, log or file has it. */
  sudoPassword?: string
  /** A host to go through. */
  jump?: SshTarget
  /** How long it may take to answer the SSH handshake, in milliseconds. @default 15 s */
  readyTimeoutMs?: number
}

/** How long a node may take to answer the SSH handshake. */
const READY_TIMEOUT_MS = 15_000

/** Connects and checks the host key. @throws with the host, port and what to check */
export async function connectSsh(target: SshTarget, { signal }: { signal: AbortSignal }): Promise<NodeShell> {
  const clients = await connectThrough(target, signal)
  const client = clients[clients.length - 1]
  if (client === undefined) throw new Error('no connection was made')
  const asRoot = target.sudo ? new Sudo(client, target) : null
  return {
    run: (command, options) => asRoot?.run(command, options) ?? runCommand(client, command, options),
    forward: (port) => forwardOut(client, '127.0.0.1', port),
    close: () => {
      for (const each of clients.toReversed()) each.end()
    },
  }
}

/** The connections to the jump hosts, outermost first, and to the target. */
async function connectThrough(target: SshTarget, signal: AbortSignal): Promise<Client[]> {
  if (target.jump === undefined) return [await connectClient(target, signal)]
  const before = await connectThrough(target.jump, signal)
  const last = before[before.length - 1]
  if (last === undefined) throw new Error('no connection was made')
  try {
    const stream = await forwardOut(last, target.host, target.port)
    return [...before, await connectClient(target, signal, stream)]
  } catch (error) {
    for (const each of before.toReversed()) each.end()
    throw error
  }
}

/** A connection that the server at the other end makes for us. */
function forwardOut(client: Client, host: string, port: number): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    client.forwardOut('127.0.0.1', 0, host, port, (error: Error | undefined, channel: ClientChannel) => {
      if (error === undefined) resolve(channel)
      else reject(new Error(`the other end does not reach ${host}:${String(port)}: ${error.message}`, { cause: error }))
    })
  })
}

function connectClient(target: SshTarget, signal: AbortSignal, sock?: ClientChannel): Promise<Client> {
  return new Promise((resolve, reject) => {
    const client = new Client()
    let presented: string | null = null
    const fail = (error: Error): void => {
      client.end()
      const where = `${target.username}@${target.host}:${String(target.port)}`
      const reason =
        presented !== null && !target.hostKeys.includes(presented)
          ? `the host key is not the one that is known for it (presented ${presented.slice(0, 24)}…). Check that this is the right machine before you trust the new key`
          : 'level' in error && error.level === 'client-authentication'
            ? `${target.username} is not let in with the key that was offered. Try ssh ${target.username}@${target.host} -p ${String(target.port)}, and put the public key into its authorized_keys`
            : error.message
      const text = `ssh ${where}: ${reason}`
      reject(isCut(error) ? new ConnectionCut(text, { cause: error }) : new Error(text, { cause: error }))
    }
    const onAbort = (): void => {
      client.end()
      reject(signal.reason as Error)
    }
    // A connection that is cut during the handshake ends without an error.
    const onClose = (): void => {
      fail(new ConnectionCut('the connection was closed before the login was done'))
    }
    signal.addEventListener('abort', onAbort, { once: true })
    client
      .on('close', onClose)
      .on('ready', () => {
        signal.removeEventListener('abort', onAbort)
        client.off('error', fail)
        client.off('close', onClose)
        // A connection that breaks later shows itself in the running command.
        client.on('error', () => undefined)
        resolve(client)
      })
      .on('error', fail)
      .connect({
        host: target.host,
        port: target.port,
        username: target.username,
        ...(target.privateKey === undefined ? {} : { privateKey: target.privateKey }),
        ...(target.agent === undefined ? {} : { agent: target.agent }),
        ...(sock === undefined ? {} : { sock }),
        // Asks for a key of a type that is known, as OpenSSH does, where a host has several.
        algorithms: { serverHostKey: knownFirst(target.hostKeys) },
        readyTimeout: target.readyTimeoutMs ?? READY_TIMEOUT_MS,
        hostVerifier: (key: Buffer) => {
          presented = key.toString('base64')
          return target.hostKeys.includes(presented)
        },
      })
      // Handshake and commands are small packets to and fro: none waits for the other end's late acknowledgement of the one before.
      .setNoDelay(true)
  })
}

function isCut(error: Error): boolean {
  return error instanceof ConnectionCut || ('code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE'))
}

/** Signature algorithms of host keys; those whose key is known come first. */
function knownFirst(hostKeys: readonly string[]): ServerHostKeyAlgorithm[] {
  const algorithms: ServerHostKeyAlgorithm[] = [
    'ssh-ed25519',
    'ecdsa-sha2-nistp256',
    'ecdsa-sha2-nistp384',
    'ecdsa-sha2-nistp521',
    'rsa-sha2-512',
    'rsa-sha2-256',
  ]
  const types = hostKeys.map((key) => {
    const bytes = Buffer.from(key, 'base64')
    return bytes.length < 4 ? '' : bytes.toString('latin1', 4, 4 + Math.min(bytes.readUInt32BE(0), 64))
  })
  const known = (algorithm: string): boolean => types.includes(algorithm.startsWith('rsa-') ? 'ssh-rsa' : algorithm)
  return algorithms.toSorted((a, b) => Number(known(b)) - Number(known(a)))
}
