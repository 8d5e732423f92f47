import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { LEAST_PASSPHRASE_CHARACTERS, PASSPHRASE_TOO_SHORT } from '#shared/planning/backups/passphrase.ts'
import type { Sealing, Unlock } from '../snapshot/envelope/envelope.ts'
import { askHidden } from './askHidden.ts'

/** Flags that say what opens a file. A passphrase is never an argument: those can be read by everybody on the machine. */
export interface UnlockFlags {
  passphraseFile?: string
  identity?: string
}

export interface SealFlags extends UnlockFlags {
  compress: boolean
  encrypt: boolean
  recipient: string[]
  recipientsFile?: string
}

const PASSPHRASE_VARIABLE = 'DRYDOCK_PASSPHRASE'

/** For commands that read a snapshot, which may be compressed or encrypted. */
export function unlockable(command: Command): Command {
  return command
    .option('--passphrase-file <file>', `of an encrypted file; - is standard input (or ${PASSPHRASE_VARIABLE}, or asked for)`)
    .option('--identity <file>', 'age identities that open an encrypted file, as age-keygen writes them')
}

/** For commands that write one. */
export function sealable(command: Command): Command {
  return command
    .option('--compress', 'with zstd: `zstd -d` opens it', false)
    .option('--encrypt', 'with age and a passphrase: `age -d` opens it', false)
    .option('--passphrase-file <file>', `the passphrase; - is standard input (or ${PASSPHRASE_VARIABLE}, or asked for)`)
    .option(
      '--recipient <key>',
      'with age for this public key (age1…), in place of a passphrase; may be repeated',
      (key: string, keys: string[]) => [...keys, key],
      [],
    )
    .option('--recipients-file <file>', 'public keys, one a line')
}

/** @throws Error when flags contradict each other or no passphrase can be had */
export async function readSealing({ compress, encrypt, passphraseFile, recipient, recipientsFile }: SealFlags): Promise<Sealing> {
  const listed = recipientsFile === undefined ? [] : linesOf(await readFile(recipientsFile, 'utf8'))
  const recipients = [...recipient, ...listed]
  if (encrypt && recipients.length > 0) throw new Error('--encrypt takes a passphrase, --recipient a public key: give one of them')
  if (!encrypt) return { compress, recipients }
  const passphrase = (await givenPassphrase(passphraseFile)) ?? (await ask('Passphrase: '))
  checkLength(passphrase)
  if (passphraseFile === undefined && process.env[PASSPHRASE_VARIABLE] === undefined && (await ask('Once more: ')) !== passphrase)
    throw new Error('the two passphrases differ')
  return { compress, passphrase }
}

/** @throws Error for one that is too short to encrypt anything with */
export function checkLength(passphrase: string): void {
  if (passphrase.length < LEAST_PASSPHRASE_CHARACTERS) throw new Error(PASSPHRASE_TOO_SHORT)
}

/** Asks for a passphrase only where a file needs one. */
export async function readUnlock(path: string, { passphraseFile, identity }: UnlockFlags): Promise<Unlock> {
  const { layersOf } = await import('../snapshot/envelope/envelope.ts')
  const { needs } = await layersOf(path)
  if (needs === 'passphrase') return { passphrase: (await givenPassphrase(passphraseFile)) ?? (await ask(`Passphrase of ${path}: `)) }
  if (needs !== 'identity') return {}
  if (identity === undefined) throw new Error(`${path} is encrypted for a public key: give --identity FILE, as age-keygen wrote it`)
  return { identities: linesOf(await readFile(identity, 'utf8')) }
}

/** Gives the snapshot in a file to `use`, unpacked into a folder of its own where that is needed. */
export async function withSnapshot<T>(path: string, flags: UnlockFlags, signal: AbortSignal, use: (plainPath: string) => Promise<T>): Promise<T> {
  if (await isPlain(path)) return use(path)
  const { withPlain } = await import('../snapshot/envelope/plainFile.ts')
  return withPlain(path, { unlock: await readUnlock(path, flags), directory: unpackDirectory(), signal }, (file) => use(file.path))
}

export const unpackDirectory = (): string => join(tmpdir(), `drydock-${String(process.getuid?.() ?? 0)}`)

/** Told by the first bytes, without loading what opens the others. */
async function isPlain(path: string): Promise<boolean> {
  const { open } = await import('node:fs/promises')
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(8), 0, 8, 0)
    const head = buffer.subarray(0, bytesRead)
    return !(
      head.toString('latin1').startsWith('age-') ||
      head.toString('latin1').startsWith('PK\x03\x04') ||
      (bytesRead >= 4 && head.readUInt32LE(0) === 0xfd2fb528)
    )
  } finally {
    await file.close()
  }
}

/** Of a file, of standard input (`-`), or of the environment; null where none is given. */
export async function givenPassphrase(file: string | undefined): Promise<string | null> {
  const given = file === undefined ? process.env[PASSPHRASE_VARIABLE] : file === '-' ? await standardInput() : await readFile(file, 'utf8')
  return given === undefined ? null : given.replace(/\r?\n$/, '')
}

async function standardInput(): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

async function ask(question: string): Promise<string> {
  if (!process.stdin.isTTY) throw new Error(`a passphrase is needed: give --passphrase-file FILE (- for standard input) or set ${PASSPHRASE_VARIABLE}`)
  return askHidden(question)
}

/** Without comments and empty lines. */
export const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
