import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto'
import { Stanza, type Identity, type Recipient } from 'age-encryption'

const LABEL = 'age-encryption.org/v1/scrypt'
const SALT_BYTES = 16
/** age's own: a second or so on a machine of today. */
const WORK_FACTOR = 18
/** What somebody else's file may ask for: four gigabytes of memory are none. */
const MOST_WORK_FACTOR = 20
const TAG_BYTES = 16
const FILE_KEY_BYTES = 16
const NO_NONCE = Buffer.alloc(12)

/**
 * age's passphrase stanza, as the library has it too; here the key is stretched by Node outside the event's loop, where the library's own
 * takes seconds within it.
 * @see https://github.com/C2SP/C2SP/blob/main/age.md#scrypt-recipient-stanza
 */
export function passphraseRecipient(passphrase: string): Recipient {
  return {
    wrapFileKey: async (fileKey) => {
      const salt = randomBytes(SALT_BYTES)
      const cipher = createCipheriv('chacha20-poly1305', await stretched(passphrase, salt, WORK_FACTOR), NO_NONCE, { authTagLength: TAG_BYTES })
      const body = Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()])
      return [new Stanza(['scrypt', unpadded(salt), String(WORK_FACTOR)], body)]
    },
  }
}

/** Null when the passphrase is another one. */
export function passphraseIdentity(passphrase: string): Identity {
  return {
    unwrapFileKey: async (stanzas) => {
      const stanza = stanzas.find(({ args }) => args[0] === 'scrypt')
      if (stanza === undefined) return null
      if (stanzas.length !== 1) throw new Error('a passphrase stands beside other recipients, which age forbids')
      const [, salt = '', factor = ''] = stanza.args
      const bytes = Buffer.from(salt, 'base64')
      if (bytes.length !== SALT_BYTES || unpadded(bytes) !== salt) throw new Error('the passphrase’s salt is none')
      if (!/^[1-9]\d?$/.test(factor)) throw new Error('the passphrase’s work factor is none')
      if (Number(factor) > MOST_WORK_FACTOR)
        throw new Error(`the passphrase’s work factor ${factor} is above ${String(MOST_WORK_FACTOR)}, which takes too much memory`)
      if (stanza.body.length !== FILE_KEY_BYTES + TAG_BYTES) throw new Error('the key under the passphrase has another length')
      const decipher = createDecipheriv('chacha20-poly1305', await stretched(passphrase, bytes, Number(factor)), NO_NONCE, { authTagLength: TAG_BYTES })
      decipher.setAuthTag(stanza.body.subarray(FILE_KEY_BYTES))
      const fileKey = decipher.update(stanza.body.subarray(0, FILE_KEY_BYTES))
      try {
        decipher.final()
      } catch {
        return null
      }
      return new Uint8Array(fileKey)
    },
  }
}

function stretched(passphrase: string, salt: Uint8Array, workFactor: number): Promise<Buffer> {
  const N = 2 ** workFactor
  return new Promise((resolve, reject) => {
    scrypt(passphrase, Buffer.concat([Buffer.from(LABEL), salt]), 32, { N, r: 8, p: 1, maxmem: 128 * 8 * N + (1 << 20) }, (error, key) => {
      if (error === null) resolve(key)
      else reject(error)
    })
  })
}

const unpadded = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64').replace(/=+$/, '')
