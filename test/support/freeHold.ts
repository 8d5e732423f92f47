import type { Hold } from '#electron/runbooks/clusterHold.ts'
import type { ClusterIdentity } from '#electron/runbooks/runbook.ts'

/** The hold on a cluster that nobody else asks for. */
export const freeHold = (): Promise<Hold> => Promise.resolve({ lost: new AbortController().signal, release: () => Promise.resolve() })

/** A cluster nobody made a twin of. */
export const noCluster = (): Promise<ClusterIdentity> => Promise.resolve({ clusterUid: '', onTwin: false })
