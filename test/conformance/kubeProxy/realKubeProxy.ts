import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A real kube-proxy in a network namespace of its own; it cannot change this machine's rules. */
export interface RealKubeProxy {
  /** The text of its last iptables-restore that the kernel took; '' before the first. */
  restored(): string
  /** The kernel's rules after it, as the real iptables-save prints them. */
  saved(): string
  log(): string
  end(): Promise<void>
}

const relay = fileURLToPath(new URL('namespaceRelay.mjs', import.meta.url))

/** Gives the text to the real program, and keeps it. */
const recorder = (directory: string): string => `#!/bin/sh
cat > "${directory}/text.$$"
/usr/sbin/iptables-restore "$@" < "${directory}/text.$$" || { code=$?; mv "${directory}/text.$$" "${directory}/refused"; exit $code; }
/usr/sbin/iptables-save > "${directory}/saved.$$"
mv "${directory}/saved.$$" "${directory}/saved"
mv "${directory}/text.$$" "${directory}/restored"
`

/** @param args of kube-proxy, beside its kubeconfig, which must name 127.0.0.1 and `apiPort` */
export async function startRealKubeProxy({
  directory,
  program,
  kubeconfig,
  apiPort,
  args,
}: {
  directory: string
  program: string
  kubeconfig: string
  apiPort: number
  args: readonly string[]
}): Promise<RealKubeProxy> {
  const bin = join(directory, 'bin')
  mkdirSync(bin, { recursive: true })
  writeFileSync(join(bin, 'iptables-restore'), recorder(directory))
  chmodSync(join(bin, 'iptables-restore'), 0o755)
  // A socket in the file system is reached from every network namespace.
  const socket = join(directory, 'api.sock')
  const server = createServer((inside) => {
    const outside = connect(apiPort, '127.0.0.1')
    inside.on('error', () => outside.destroy())
    outside.on('error', () => inside.destroy())
    inside.pipe(outside).pipe(inside)
  })
  server.listen(socket)
  await once(server, 'listening')
  const child = spawn('unshare', ['--net', process.execPath, relay, socket, String(apiPort), program, '--kubeconfig', kubeconfig, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, PATH: `${bin}:/usr/sbin:/usr/bin:/sbin:/bin` },
  })
  let log = ''
  child.stderr.on('data', (bytes: Buffer) => {
    log = (log + bytes.toString()).slice(-20_000)
  })
  const read = (name: string): string => (existsSync(join(directory, name)) ? readFileSync(join(directory, name), 'utf8') : '')
  return {
    restored: () => read('restored'),
    saved: () => read('saved'),
    log: () => log + read('refused'),
    end: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, 'exit')
        child.kill('SIGTERM')
        await ended
      }
      server.close()
    },
  }
}
