import { X509Certificate } from 'node:crypto'
import { connect } from 'node:tls'
import type { CertificateComparison } from '#shared/contract/runbooks.ts'
import type { NodeShell } from '../nodeShell/nodeShell.ts'

/** What serves on a control-plane node's loopback, and the file it should serve. */
const SERVERS = [
  { server: 'kube-apiserver', port: 6443, file: '/etc/kubernetes/pki/apiserver.crt' },
  { server: 'etcd', port: 2379, file: '/etc/kubernetes/pki/etcd/server.crt' },
] as const

const HANDSHAKE_MS = 10_000

/** Compares what a node's servers show in a TLS handshake with the files on its disk. A server that is not there, as etcd on a node without one, is left out. */
export async function compareServed(shell: NodeShell, { signal }: { signal: AbortSignal }): Promise<CertificateComparison[]> {
  const found: CertificateComparison[] = []
  for (const { server, port, file } of SERVERS) {
    const { exitCode, stdout } = await shell.run(`cat ${file}`, { signal })
    if (exitCode !== 0 || !stdout.includes('-----BEGIN')) continue
    const onDisk = new X509Certificate(stdout)
    const base = { server, file, fileSerial: onDisk.serialNumber, fileNotAfterMs: Date.parse(onDisk.validTo) }
    try {
      const shown = await handshake(shell, port, signal)
      found.push({
        ...base,
        servedSerial: shown.serialNumber,
        servedNotAfterMs: Date.parse(shown.validTo),
        same: shown.fingerprint256 === onDisk.fingerprint256,
        problem: '',
      })
    } catch (error) {
      signal.throwIfAborted()
      found.push({ ...base, servedSerial: '', servedNotAfterMs: null, same: false, problem: error instanceof Error ? error.message : String(error) })
    }
  }
  return found
}

/** The certificate a server shows, whoever signed it: it is compared, not trusted. */
async function handshake(shell: NodeShell, port: number, signal: AbortSignal): Promise<X509Certificate> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(HANDSHAKE_MS)])
  const channel = await shell.forward(port)
  return new Promise((resolve, reject) => {
    const socket = connect({ socket: channel, rejectUnauthorized: false })
    const end = (settle: () => void): void => {
      limit.removeEventListener('abort', onAbort)
      socket.destroy()
      channel.destroy()
      settle()
    }
    const onAbort = (): void => {
      end(() => {
        reject(new Error(`no TLS handshake with port ${String(port)} within ${String(HANDSHAKE_MS / 1000)} s`))
      })
    }
    limit.addEventListener('abort', onAbort, { once: true })
    channel.on('error', () => undefined)
    socket.on('error', (error) => {
      end(() => {
        reject(error)
      })
    })
    socket.once('secureConnect', () => {
      const { raw } = socket.getPeerCertificate()
      end(() => {
        if (raw instanceof Buffer) resolve(new X509Certificate(raw))
        else reject(new Error(`port ${String(port)} showed no certificate`))
      })
    })
  })
}
