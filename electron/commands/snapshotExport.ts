import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import type { ExportReport } from '#shared/contract/exports.ts'
import type { ExportTarget } from '../snapshot/export/exportObjects.ts'
import { interruptible } from './interruptible.ts'
import { checkLength, givenPassphrase, linesOf, unlockable, withSnapshot, type UnlockFlags } from './snapshotSecrets.ts'

interface ExportFlags extends UnlockFlags {
  output: string
  namespace?: string
  kind?: string
  secrets: boolean
  secretsPassphraseFile?: string
  secretsRecipient: string[]
  secretsRecipientsFile?: string
  rev?: number
  kubeconfig?: string
  context?: string
  json: boolean
}

/** Loaded when it is asked for, as in snapshot.ts. */
const byObjects = () => import('./exportedObjects.ts')

/** `drydock snapshot export [FILE]`: objects of a snapshot, or of a running cluster, as they can be applied again. */
export function registerExport(snapshot: Command, wholeNumber: (text: string) => number): void {
  unlockable(snapshot.command('export [file]'))
    .description(
      'write every kind of a snapshot, or without FILE of the cluster of --kubeconfig, as YAML that can be applied: a folder per namespace and kind, or one file',
    )
    .requiredOption('-o, --output <path>', 'an empty or new folder; or a file whose name ends in .yaml')
    .option('--kubeconfig <file>', 'the cluster to export, in place of FILE (default: $KUBECONFIG, or ~/.kube/config)')
    .option('--context <name>', 'a context of the kubeconfig (default: its current one)')
    .option('-n, --namespace <name>', 'only this namespace, with its Namespace object')
    .option('--kind <kind>', 'only this kind, e.g. Deployment')
    .option('--secrets', 'Secrets too, readable for whoever may read the output', false)
    .option('--secrets-passphrase-file <file>', 'Secrets too, in one file that age encrypts with this passphrase; - is standard input')
    .option(
      '--secrets-recipient <key>',
      'Secrets too, in one file that age encrypts for this public key (age1…); may be repeated',
      (key: string, keys: string[]) => [...keys, key],
      [],
    )
    .option('--secrets-recipients-file <file>', 'public keys, one a line')
    .option('--rev <revision>', 'of a snapshot, as of this revision', wholeNumber)
    .option('--json', 'print the report as JSON', false)
    .action((file: string | undefined, flags: ExportFlags) =>
      interruptible(async (signal) => {
        const target: ExportTarget = { output: flags.output, namespace: flags.namespace, kind: flags.kind, secrets: await secretsOf(flags) }
        if (file === undefined) {
          if (flags.rev !== undefined) throw new Error('--rev is of a snapshot: a running cluster shows what is now')
          print(await (await byObjects()).exportRunning(flags, target, signal), flags)
        } else if (flags.kubeconfig !== undefined || flags.context !== undefined) throw new Error(`give either ${file} or a cluster, not both`)
        else print(await withSnapshot(file, flags, signal, async (path) => (await byObjects()).exportSnapshot(path, { target, rev: flags.rev, signal })), flags)
      }),
    )
}

async function secretsOf({ secrets, secretsPassphraseFile, secretsRecipient, secretsRecipientsFile }: ExportFlags): Promise<ExportTarget['secrets']> {
  const listed = secretsRecipientsFile === undefined ? [] : linesOf(await readFile(secretsRecipientsFile, 'utf8'))
  const recipients = [...secretsRecipient, ...listed]
  const ways = [secrets, secretsPassphraseFile !== undefined, recipients.length > 0].filter(Boolean)
  if (ways.length > 1) throw new Error('Secrets are written readable, or encrypted with a passphrase or for public keys: give one of these')
  if (secretsPassphraseFile !== undefined) {
    const passphrase = (await givenPassphrase(secretsPassphraseFile)) ?? ''
    checkLength(passphrase)
    return { compress: false, passphrase }
  }
  if (recipients.length > 0) return { compress: false, recipients }
  return secrets ? 'readable' : 'left-out'
}

function print(report: ExportReport, { json }: ExportFlags): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(report)}\n`)
    return
  }
  process.stdout.write(`${String(report.exported)} objects in ${report.output}\n`)
  if (report.secretsPath !== '') process.stdout.write(`${String(report.encryptedSecrets)} Secrets, encrypted, in ${report.secretsPath}\n`)
  for (const [why, count] of Object.entries(report.leftOut)) process.stdout.write(`left out: ${String(count)}, ${why}\n`)
}
