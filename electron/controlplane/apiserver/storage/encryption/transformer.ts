import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js'

export type ProviderName = 'aescbc' | 'aesgcm' | 'secretbox'

/** One key of a provider. `secret` is raw. */
export interface EncryptionKey {
  name: string
  secret: Uint8Array
}

/** Sizes in bytes of the ciphers' blocks, nonces and tags. */
const CBC_IV = 16
const GCM_NONCE = 12
const GCM_TAG = 16
const BOX_NONCE = 24

/** Key lengths in bytes that each provider takes. */
export const KEY_BYTES: Readonly<Record<ProviderName, readonly number[]>> = { aescbc: [16, 24, 32], aesgcm: [16, 24, 32], secretbox: [32] }

/**
 * Encrypts one value as kube-apiserver does, without the prefix that names provider and key.
 *
 * @param path the etcd key: AES-GCM ties the value to it, so that it cannot be put elsewhere
 * @see kubernetes staging/src/k8s.io/apiserver/pkg/storage/value/encrypt
 */
export function encrypt(provider: ProviderName, key: Uint8Array, plain: Uint8Array, path: string): Uint8Array {
  switch (provider) {
    case 'aescbc': {
      const iv = randomBytes(CBC_IV)
      const cipher = createCipheriv(cbc(key), key, iv)
      return Buffer.concat([iv, cipher.update(plain), cipher.final()])
    }
    case 'aesgcm': {
      const nonce = randomBytes(GCM_NONCE)
      const cipher = createCipheriv(gcm(key), key, nonce)
      cipher.setAAD(Buffer.from(path))
      return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
    }
    case 'secretbox': {
      const nonce = randomBytes(BOX_NONCE)
      return Buffer.concat([nonce, xsalsa20poly1305(key, nonce).encrypt(plain)])
    }
  }
}

/** @throws Error when the value was not made with this key, for this path, or was changed */
export function decrypt(provider: ProviderName, key: Uint8Array, sealed: Uint8Array, path: string): Uint8Array {
  switch (provider) {
    case 'aescbc': {
      if (sealed.length < 2 * CBC_IV || sealed.length % CBC_IV !== 0) throw new Error('the stored data was shorter than the required size or not whole blocks')
      const cipher = createDecipheriv(cbc(key), key, sealed.subarray(0, CBC_IV))
      return Buffer.concat([cipher.update(sealed.subarray(CBC_IV)), cipher.final()])
    }
    case 'aesgcm': {
      if (sealed.length < GCM_NONCE + GCM_TAG) throw new Error('the stored data was shorter than the required size')
      const cipher = createDecipheriv(gcm(key), key, sealed.subarray(0, GCM_NONCE))
      cipher.setAAD(Buffer.from(path))
      cipher.setAuthTag(sealed.subarray(sealed.length - GCM_TAG))
      return Buffer.concat([cipher.update(sealed.subarray(GCM_NONCE, sealed.length - GCM_TAG)), cipher.final()])
    }
    case 'secretbox': {
      if (sealed.length < BOX_NONCE) throw new Error('the stored data was shorter than the required size')
      return xsalsa20poly1305(key, sealed.subarray(0, BOX_NONCE)).decrypt(sealed.subarray(BOX_NONCE))
    }
  }
}

const cbc = (key: Uint8Array): 'aes-128-cbc' | 'aes-192-cbc' | 'aes-256-cbc' =>
  key.length === 16 ? 'aes-128-cbc' : key.length === 24 ? 'aes-192-cbc' : 'aes-256-cbc'
const gcm = (key: Uint8Array): 'aes-128-gcm' | 'aes-192-gcm' | 'aes-256-gcm' =>
  key.length === 16 ? 'aes-128-gcm' : key.length === 24 ? 'aes-192-gcm' : 'aes-256-gcm'
