import type { Backup } from '#shared/contract/backups.ts'
import type { UpgradeFinding } from '#shared/contract/runbooks.ts'
import type { EtcdClient } from '#shared/etcd/rpc.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { minorOf, servedResources } from '#shared/kubernetes/schema/served.ts'
import type { ClusterApi } from '../clusterApi.ts'
import type { NodeShell, NodeShellFactory } from '../nodeShell/nodeShell.ts'
import { readAhead } from '../nodeShell/readAhead.ts'
import { sideBySide } from '../sideBySide.ts'
import { kubeadmDataPath, readEtcdManifest } from '../restore/etcdManifest.ts'
import { addonFindings } from './addonFindings.ts'
import { certificateFindings } from './certificateFindings.ts'
import { configuredFlagFindings, kubeletFlagFindings, type Minors } from './flagFindings.ts'
import { configuredGateFindings, FLAG_AND_GATE_FILES, nodeGateFindings } from './gateFindings.ts'
import { manifestEditFindings } from './manifestEdits.ts'
import { isControlPlane } from './plan.ts'
import { webhookFindings } from './webhookFindings.ts'

/** What the wider preflight reads beside the API. */
export interface PreflightSources {
  api: ClusterApi
  shells: NodeShellFactory
  etcd(options: { signal: AbortSignal }): Promise<EtcdClient>
  backups: readonly Backup[]
  clusterId: string
  nowMs: number
}

const DAY_MS = 24 * 3600 * 1000
const MIB = 2 ** 20
/** etcd's own default; kubeadm sets none. */
const DEFAULT_QUOTA_BYTES = 2 * 2 ** 30
const QUOTA_WARNING_RATIO = 0.8
/** kubeadm pulls images and copies etcd's data beside it. */
const DISK_BLOCKING_BYTES = 1024 * MIB
const DISK_WARNING_BYTES = 4096 * MIB
/** `df -P` of a node: what the upgrade writes to. */
const DISK = 'df -Pk /var/lib/etcd /var/lib/kubelet /etc/kubernetes'
/** Objects of one kind that are named; the rest are counted. */
const NAMED = 3

/** What stands in an upgrade's way beside versions and health. Each part that cannot be read is a finding itself. */
export async function readPreflight(
  sources: PreflightSources,
  { currentVersion, targetVersion, signal }: { currentVersion: string; targetVersion: string; signal: AbortSignal },
): Promise<UpgradeFinding[]> {
  const minors = { from: minorOf(currentVersion), to: minorOf(targetVersion) }
  const parts = await Promise.all([
    onNodes(sources, { currentVersion, minors, signal }),
    removedApis(sources.api, minors, signal),
    etcdFindings(sources, signal),
    webhookFindings(sources.api, signal),
    addonFindings(sources.api, { targetVersion, signal }),
  ])
  return [...parts.flat(), ...backupFindings(sources)]
}

async function onNodes(
  { api, shells, nowMs }: PreflightSources,
  { currentVersion, minors, signal }: { currentVersion: string; minors: Minors; signal: AbortSignal },
): Promise<UpgradeFinding[]> {
  const nodes = await api.list('/api/v1/nodes', signal)
  const config = await api.get('/api/v1/namespaces/kube-system/configmaps/kubeadm-config', signal).catch(() => null)
  const configuration = (config?.['data'] as Record<string, string> | undefined)?.['ClusterConfiguration'] ?? ''
  const kubeadmPath = kubeadmDataPath(configuration)
  const found = await sideBySide(nodes, async (node): Promise<UpgradeFinding[]> => {
    const name = node.metadata.name ?? ''
    let connected: NodeShell
    try {
      connected = await shells(name, { signal })
    } catch (error) {
      signal.throwIfAborted()
      return [
        {
          level: 'blocking',
          title: `node ${name} is not reached by SSH`,
          cure: `${error instanceof Error ? error.message : String(error)}. The upgrade runs kubeadm and apt-get there.`,
        },
      ]
    }
    try {
      const shell = await readAhead(connected, [DISK, ...(minors.from === minors.to ? [] : FLAG_AND_GATE_FILES.map((file) => `cat ${file}`))], { signal })
      const found = [
        ...diskFindings(name, (await shell.run(DISK, { signal })).stdout),
        ...(await kubeletFlagFindings(shell, { name, minors, signal })),
        ...(await nodeGateFindings(shell, { name, minors, signal })),
      ]
      if (!isControlPlane(node)) return found
      return [
        ...found,
        ...(await trapFindings(shell, { name, kubeadmPath, signal })),
        ...(await manifestEditFindings(shell, { name, currentVersion, signal })),
        ...(await certificateFindings(shell, { name, nowMs, signal })),
      ]
    } catch (error) {
      signal.throwIfAborted()
      return [{ level: 'blocking', title: `nothing can be run on node ${name}`, cure: error instanceof Error ? error.message : String(error) }]
    } finally {
      connected.close()
    }
  })
  return [...configuredFlagFindings(configuration, minors), ...(await configuredGateFindings(api, configuration, { minors, signal })), ...found.flat()]
}

/** kubeadm writes etcd's manifest anew from its own configuration: where the path was edited by hand, the data of before comes back. */
async function trapFindings(
  shell: NodeShell,
  { name, kubeadmPath, signal }: { name: string; kubeadmPath: string; signal: AbortSignal },
): Promise<UpgradeFinding[]> {
  const { exitCode, stdout } = await shell.run('cat /etc/kubernetes/manifests/etcd.yaml', { signal })
  if (exitCode !== 0) return []
  try {
    const { dataPath } = readEtcdManifest(stdout)
    if (dataPath === kubeadmPath) return []
    return [
      {
        level: 'blocking',
        title: `etcd on ${name} keeps its data in ${dataPath}, but kubeadm will write ${kubeadmPath} into its manifest: the upgrade would bring back the data that is there`,
        cure: `Stop the control plane on ${name}, move ${kubeadmPath} away and ${dataPath} to ${kubeadmPath}, put the path back in /etc/kubernetes/manifests/etcd.yaml, and start it again; or restore a fresh backup with Drydock, which does this.`,
      },
    ]
  } catch (error) {
    return [
      {
        level: 'warning',
        title: `the etcd manifest on ${name} could not be compared with kubeadm's`,
        cure: error instanceof Error ? error.message : String(error),
      },
    ]
  }
}

function diskFindings(name: string, text: string): UpgradeFinding[] {
  const rows = text
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((cells) => cells.length >= 6)
  const worst = rows.map((cells) => ({ mount: cells[5] ?? '', freeBytes: Number(cells[3]) * 1024 })).sort((a, b) => a.freeBytes - b.freeBytes)[0]
  if (worst === undefined || worst.freeBytes >= DISK_WARNING_BYTES) return []
  return [
    {
      level: worst.freeBytes < DISK_BLOCKING_BYTES ? 'blocking' : 'warning',
      title: `${name} has ${String(Math.round(worst.freeBytes / MIB))} MiB free on ${worst.mount}`,
      cure: 'The upgrade pulls images and copies etcd’s data: make room, e.g. crictl rmi --prune, and delete old folders in /etc/kubernetes/tmp.',
    },
  ]
}

async function etcdFindings({ etcd }: PreflightSources, signal: AbortSignal): Promise<UpgradeFinding[]> {
  let client: EtcdClient
  try {
    client = await etcd({ signal })
  } catch (error) {
    signal.throwIfAborted()
    return [{ level: 'blocking', title: 'etcd is not reached, so it cannot be backed up', cure: error instanceof Error ? error.message : String(error) }]
  }
  try {
    const status = await client.status({ signal })
    if (status.leader === 0n) return [noQuorum('it has no leader')]
    const [members, alarms] = [await client.members({ signal }), await client.alarms({ signal })]
    const findings: UpgradeFinding[] = alarms.map(({ alarm }) => ({
      level: 'blocking',
      title: `etcd has the alarm ${String(alarm)}`,
      cure: 'NOSPACE: compact, defragment, then etcdctl alarm disarm. CORRUPT: replace the member. See the etcd page.',
    }))
    for (const { name, peerUrls } of members)
      if (name === '')
        findings.push({
          level: 'blocking',
          title: `an etcd member was added but never started (${peerUrls.join(', ')})`,
          cure: 'Start it, or remove it with etcdctl member remove.',
        })
    const quotaBytes = status.dbSizeQuotaBytes > 0 ? status.dbSizeQuotaBytes : DEFAULT_QUOTA_BYTES
    for (const error of status.errors) findings.push({ level: 'blocking', title: `etcd reports: ${error}`, cure: 'See the etcd page.' })
    if (status.dbSizeBytes > QUOTA_WARNING_RATIO * quotaBytes)
      findings.push({
        level: 'warning',
        title: `etcd's database has ${String(Math.round(status.dbSizeBytes / MIB))} MiB, its quota is ${String(Math.round(quotaBytes / MIB))} MiB`,
        cure: 'Defragment it, or raise --quota-backend-bytes, before it refuses writes.',
      })
    return findings
  } catch (error) {
    signal.throwIfAborted()
    return [noQuorum(error instanceof Error ? error.message : String(error))]
  } finally {
    await client.close()
  }
}

const noQuorum = (why: string): UpgradeFinding => ({
  level: 'blocking',
  title: `etcd does not answer as a whole (${why}): more than half of its members have to be up`,
  cure: 'Start the members that are down, and see etcdctl endpoint status --cluster and the etcd page. Members that are lost for good: restore the newest backup on all of them.',
})

function backupFindings({ backups, clusterId, nowMs }: PreflightSources): UpgradeFinding[] {
  const newest = backups
    .filter((backup) => backup.clusterId === clusterId && backup.verdict === 'good' && backup.present)
    .sort((a, b) => b.createdAtMs - a.createdAtMs)[0]
  if (newest !== undefined && nowMs - newest.createdAtMs < DAY_MS) return []
  return [
    {
      level: 'note',
      title:
        newest === undefined
          ? 'there is no verified backup of this cluster yet'
          : `the last verified backup is ${String(Math.floor((nowMs - newest.createdAtMs) / DAY_MS))} days old`,
      cure: 'The run makes and verifies one before it changes anything. Keep a copy off this machine, with /etc/kubernetes/pki.',
    },
  ]
}

/** API versions that the target no longer serves, where something still writes them: by the objects' managers and by the API server's own count. */
async function removedApis(api: ClusterApi, { from, to }: { from: number; to: number }, signal: AbortSignal): Promise<UpgradeFinding[]> {
  if (from === to) return []
  const key = ({ group, version, plural }: { group: string; version: string; plural: string }): string => `${group}/${version}/${plural}`
  const [now, then] = [servedResources(`v1.${String(from)}.0`), servedResources(`v1.${String(to)}.0`)]
  const kept = new Set(then.map(key))
  const removed = now.filter((resource) => !kept.has(key(resource)) && resource.verbs.includes('list'))
  const asked = await deprecatedRequests(api, signal)
  const findings: UpgradeFinding[] = []
  for (const resource of removed) {
    const groupVersion = resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
    const users = await writersOf(api, { groupVersion, plural: resource.plural }, signal)
    const named = users.slice(0, NAMED).join(', ') + (users.length > NAMED ? ` and ${String(users.length - NAMED)} more` : '')
    if (users.length > 0)
      findings.push({
        level: 'warning',
        title: `${resource.plural} of ${groupVersion}, which v1.${String(to)} no longer serves, are written as such: ${named}`,
        cure: 'The objects stay, but their manifests and controllers have to move to a version that is served: kubectl convert, or a newer chart.',
      })
    else if (asked.has(key(resource)))
      findings.push({
        level: 'warning',
        title: `something still asks for ${resource.plural} of ${groupVersion}, which v1.${String(to)} no longer serves`,
        cure: `Find the client in the API server's audit log (resource ${resource.plural}, version ${resource.version}) and update it.`,
      })
  }
  return findings
}

/** `namespace/name (manager)` of objects that somebody last wrote in a version. */
async function writersOf(api: ClusterApi, { groupVersion, plural }: { groupVersion: string; plural: string }, signal: AbortSignal): Promise<string[]> {
  const path = groupVersion.includes('/') ? `/apis/${groupVersion}/${plural}` : `/api/${groupVersion}/${plural}`
  const objects = await api.list(path, signal).catch((): KubeObject[] => {
    signal.throwIfAborted()
    return []
  })
  return objects.flatMap(({ metadata }) => {
    const writers = (metadata.managedFields ?? []).filter(({ apiVersion }) => apiVersion === groupVersion).map(({ manager }) => manager ?? '')
    // The control plane's own writes move with it.
    const foreign = writers.filter((manager) => !/^(kube-|kubelet$|kubeadm$)/.test(manager))
    return foreign.length === 0 ? [] : [`${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name ?? ''} (${foreign[0] ?? ''})`]
  })
}

/** `group/version/resource` that the API server counted requests for since it started. */
async function deprecatedRequests(api: ClusterApi, signal: AbortSignal): Promise<Set<string>> {
  const text = await api.text('/metrics', signal).catch(() => {
    signal.throwIfAborted()
    return ''
  })
  const found = new Set<string>()
  for (const [, labels = ''] of text.matchAll(/^apiserver_requested_deprecated_apis\{([^}]*)\} [1-9]/gm)) {
    const label = (name: string): string => new RegExp(`${name}="([^"]*)"`).exec(labels)?.[1] ?? ''
    found.add(`${label('group')}/${label('version')}/${label('resource')}`)
  }
  return found
}
