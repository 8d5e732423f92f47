import { Decrypter, Encrypter } from 'age-encryption'
import { describe, expect, it } from 'vitest'
import { passphraseIdentity, passphraseRecipient } from '#electron/snapshot/envelope/passphrase.ts'

const text = 'a snapshot'

describe('a passphrase', { timeout: 60_000 }, () => {
  it('is read by the library, and reads what the library wrote', async () => {
    const ours = new Encrypter()
    ours.addRecipient(passphraseRecipient('pässwort'))
    const theirs = new Decrypter()
    theirs.addPassphrase('pässwort')
    expect(await theirs.decrypt(await ours.encrypt(text), 'text')).toBe(text)

    const encrypter = new Encrypter()
    encrypter.setPassphrase('pässwort')
    encrypter.setScryptWorkFactor(10)
    const file = await encrypter.encrypt(text)
    const decrypter = new Decrypter()
    decrypter.addIdentity(passphraseIdentity('pässwort'))
    expect(await decrypter.decrypt(file, 'text')).toBe(text)
    const wrong = new Decrypter()
    wrong.addIdentity(passphraseIdentity('passwort'))
    await expect(wrong.decrypt(file)).rejects.toThrow(/no identity matched/)
  })

  it('refuses a file that asks for more memory than there is', async () => {
    const identity = passphraseIdentity('x')
    const stanza = { args: ['scrypt', Buffer.alloc(16).toString('base64').replaceAll('=', ''), '30'], body: new Uint8Array(32) }
    await expect(identity.unwrapFileKey([stanza])).rejects.toThrow(/work factor 30 is above 20/)
  })
})
