import { readFile } from 'node:fs/promises'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import type { SealingInput, UnlockInput } from '#shared/contract/backups.ts'
import type { Sealing, Unlock } from './envelope.ts'

/**
 * How a file is to be written, and what opens it again for verifying. Who encrypts for somebody else's key cannot open the file: a key
 * of its own, made for this file and forgotten with this call's result, is one more recipient, so that what was written can be read back.
 */
export async function sealingOf(input: SealingInput | undefined): Promise<{ sealing: Sealing; unlock: Unlock }> {
  const { compress = false, passphrase, recipients = [] } = input ?? {}
  const wanted = recipients.map((each) => each.trim()).filter((each) => each !== '')
  if (wanted.length === 0) return { sealing: { compress, passphrase }, unlock: { passphrase } }
  const identity = await generateX25519Identity()
  return { sealing: { compress, passphrase, recipients: [...wanted, await identityToRecipient(identity)] }, unlock: { identities: [identity] } }
}

/** @throws the system's error when the file of identities cannot be read */
export async function unlockOf(input: UnlockInput | undefined): Promise<Unlock> {
  const { passphrase, identity = '', identityFile = '' } = input ?? {}
  const text = `${identity}\n${identityFile === '' ? '' : await readFile(identityFile, 'utf8')}`
  return { passphrase: passphrase === '' ? undefined : passphrase, identities: identitiesIn(text) }
}

/** The keys in a file as age-keygen writes it. */
export function identitiesIn(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
}
