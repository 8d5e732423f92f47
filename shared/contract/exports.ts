import * as v from 'valibot'
import { LEAST_PASSPHRASE_CHARACTERS, PASSPHRASE_TOO_SHORT } from '#shared/planning/backups/passphrase.ts'
import { request } from './channel.ts'
import { clusterId } from './clusters.ts'

/** What an export wrote. */
export interface ExportReport {
  output: string
  /** Objects that lie there to be read. */
  exported: number
  encryptedSecrets: number
  /** Where those are, for `age -d`; '' without any. */
  secretsPath: string
  /** Why objects are not there, with how many. */
  leftOut: Record<string, number>
}

export const exportChannels = {
  /**
   * Every kind of a cluster, live or an opened snapshot, as YAML that can be applied again, on the machine where Drydock runs. `secrets` is
   * encrypted when a passphrase or recipients (`age1…`) are given.
   */
  'export.write': request<ExportReport>()(
    v.object({
      clusterId,
      /** An empty or new folder, or a file that ends in `.yaml`. */
      output: v.pipe(v.string(), v.minLength(1)),
      namespace: v.optional(v.string()),
      secrets: v.variant('how', [
        v.object({ how: v.literal('left-out') }),
        v.object({ how: v.literal('readable') }),
        v.object({ how: v.literal('passphrase'), passphrase: v.pipe(v.string(), v.minLength(LEAST_PASSPHRASE_CHARACTERS, PASSPHRASE_TOO_SHORT)) }),
        v.object({ how: v.literal('recipients'), recipients: v.pipe(v.array(v.string()), v.minLength(1)) }),
      ]),
    }),
  ),
} as const
