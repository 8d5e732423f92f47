import * as v from 'valibot'
import { request, subscription } from './channel.ts'

export const settings = v.object({
  theme: v.picklist(['system', 'light', 'dark']),
  kubeconfigPaths: v.array(v.string()),
  backupDirectory: v.string(),
  /** How nodes are reached, in OpenSSH's format; '' for ~/.ssh/config. */
  sshConfigFile: v.string(),
  metricsRetentionHours: v.number(),
  firstRunCardClosed: v.boolean(),
})
export type Settings = v.InferOutput<typeof settings>

export const settingsChannels = {
  'settings.watch': subscription<Settings>()(v.object({})),
  'settings.change': request<null>()(v.partial(settings)),
  /** For sudo on a cluster's nodes, until Drydock ends; it is written nowhere. '' forgets it. */
  'settings.giveSudoPassword': request<null>()(v.object({ clusterId: v.string(), password: v.string() })),
  'app.info': request<{ version: string; dataDirectory: string; shell: 'desktop' | 'browser'; nodeVersion: string; platform: string }>()(v.object({})),
} as const
