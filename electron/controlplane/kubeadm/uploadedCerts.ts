import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isObject } from '#shared/kubernetes/json.ts'
import { KubeadmError } from './flags.ts'

/** What a further control-plane node needs of the first one, by its name in the Secret `kubeadm-certs`. */
const SHARED: Readonly<Record<string, string>> = {
  'ca.crt': 'ca.crt',
  'ca.key': 'ca.key',
  'etcd-ca.crt': 'etcd/ca.crt',
  'etcd-ca.key': 'etcd/ca.key',
  'front-proxy-ca.crt': 'front-proxy-ca.crt',
  'front-proxy-ca.key': 'front-proxy-ca.key',
  'sa.key': 'sa.key',
  'sa.pub': 'sa.pub',
}
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

export const newCertificateKey = (): string => randomBytes(KEY_BYTES).toString('hex')

function keyOf(hex: string): Buffer {
  const key = Buffer.from(hex, 'hex')
  if (key.length !== KEY_BYTES || !/^[0-9a-f]{64}$/i.test(hex))
    throw new KubeadmError('error decoding certificate key: it must be 64 hexadecimal characters, as kubeadm certs certificate-key prints one')
  return key
}

/** The Secret's data: AES-256-GCM, nonce before and tag after the text, as Go writes it. */
export function sealedCerts(pkiDir: string, certificateKey: string): Record<string, string> {
  const key = keyOf(certificateKey)
  return Object.fromEntries(
    Object.entries(SHARED)
      .filter(([, path]) => existsSync(join(pkiDir, path)))
      .map(([name, path]) => {
        const nonce = randomBytes(NONCE_BYTES)
        const cipher = createCipheriv('aes-256-gcm', key, nonce)
        const text = Buffer.concat([cipher.update(readFileSync(join(pkiDir, path))), cipher.final()])
        return [name, Buffer.concat([nonce, text, cipher.getAuthTag()]).toString('base64')]
      }),
  )
}

/** Writes what the Secret has below the node's pki directory. @throws KubeadmError for another key */
export function openCerts(secret: unknown, { pkiDir, certificateKey }: { pkiDir: string; certificateKey: string }): void {
  const key = keyOf(certificateKey)
  const data = isObject(secret) && isObject(secret['data']) ? secret['data'] : {}
  for (const [name, path] of Object.entries(SHARED)) {
    const value = data[name]
    if (typeof value !== 'string')
      throw new KubeadmError(
        `error execution phase control-plane-prepare/download-certs: error downloading certs: the Secret does not include the required certificate or key - name: ${name}, path: /etc/kubernetes/pki/${path}`,
      )
    const bytes = Buffer.from(value, 'base64')
    const file = join(pkiDir, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, opened(bytes, key), { mode: path.endsWith('.key') ? 0o600 : 0o644 })
  }
}

function opened(bytes: Buffer, key: Buffer): Buffer {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES))
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES))
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES)), decipher.final()])
  } catch {
    throw new KubeadmError(
      'error execution phase control-plane-prepare/download-certs: error downloading certs: error decoding secret data with provided key: cipher: message authentication failed',
    )
  }
}
