import { dirname } from 'node:path'
import type { RestorePlanNode } from '#shared/contract/runbooks.ts'
import { stopAllCommand, STOPPED } from '../staticPods.ts'

/** etcd's manifest while etcd is stopped. */
const MANIFEST = `${STOPPED}/etcd.yaml`

/**
 * Where a member's data is on its node before, during and after a restore. A directory that cannot be moved, as a disk is mounted there,
 * or that leads elsewhere as a link, stays: its `member` is moved within it. Everything is moved on one disk, which is at once or not at all.
 */
export interface DataPlaces {
  /** The directory into which the restored data is brought. */
  upload: string
  /** The restored data until it takes its place. */
  fresh: string
  /** The data as it is now, and where it goes. */
  data: string
  dataAside: string
  /** Where kubeadm looks for the data, and where goes what is there. The same two where that is where it is. */
  live: string
  liveAside: string
  /** The manifest as it was. */
  manifestAside: string
}

export function placesOf({ dataPath, kubeadmPath, keptInPlace = [] }: RestorePlanNode, runId: string): DataPlaces {
  const [data, dataAside] = asideOf(dataPath, runId, keptInPlace.includes(dataPath))
  const [live, liveAside] = asideOf(kubeadmPath, runId, keptInPlace.includes(kubeadmPath))
  const upload = keptInPlace.includes(kubeadmPath) ? `${kubeadmPath}/drydock-${runId}` : `${kubeadmPath}.drydock-${runId}`
  const fresh = keptInPlace.includes(kubeadmPath) ? `${upload}/member` : upload
  return { upload, fresh, data, dataAside, live, liveAside, manifestAside: `/etc/kubernetes/etcd.yaml.before-${runId}` }
}

const asideOf = (path: string, runId: string, stays: boolean): [string, string] =>
  stays ? [`${path}/member`, `${path}/before-${runId}/member`] : [path, `${path}.before-${runId}`]

/** Matches a volume's path in a manifest, however it is quoted, with what stands around it; as a word in double quotes of a shell. */
const hostPath = (path: string): string => String.raw`([^a-zA-Z]path: *[\"']?)${path.replaceAll(/[.+*?]/g, '\\$&')}([\"']?([ ,}]|\$))`

/** Made within directories that stay, for what is in them. */
const foldersAside = ({ dataPath, kubeadmPath, keptInPlace = [] }: RestorePlanNode, runId: string): string[] =>
  [...new Set([dataPath, kubeadmPath])].filter((path) => keptInPlace.includes(path)).map((path) => dirname(asideOf(path, runId, true)[1]))

/**
 * The command that puts the restored data in place. What needs room is done first, and all of it may be done again from wherever it was
 * left: by a full disk, or by a node that went down.
 */
export function swapCommand(node: RestorePlanNode, runId: string): string {
  const { dataPath, kubeadmPath } = node
  const { upload, fresh, data, dataAside, live, liveAside, manifestAside } = placesOf(node, runId)
  const moves = dataPath !== kubeadmPath
  return [
    `{ [ -e ${upload}/member/snap/db ] || [ -e ${dataAside} ] || { echo "${upload} is not there" >&2; false; }; }`,
    ...(moves
      ? [
          `if [ ! -e ${manifestAside} ]; then cp -p ${MANIFEST} ${manifestAside}.part && mv ${manifestAside}.part ${manifestAside}; fi`,
          `cp -p ${manifestAside} ${MANIFEST}.part`,
          `sed -i -E "s#${hostPath(dataPath)}#\\1${kubeadmPath}\\2#" ${MANIFEST}.part`,
          // Where etcd found no folder, the kubelet would make an empty one.
          `{ grep -Eq "${hostPath(kubeadmPath)}" ${MANIFEST}.part || { echo "${MANIFEST} has no hostPath ${dataPath} in a form that is known" >&2; false; }; }`,
          `mv ${MANIFEST}.part ${MANIFEST}`,
          `{ diff ${manifestAside} ${MANIFEST} || true; }`,
        ]
      : []),
    ...foldersAside(node, runId).map((folder) => `mkdir -p -m 700 ${folder}`),
    `if [ ! -e ${dataAside} ]; then mv ${data} ${dataAside}; fi`,
    ...(moves ? [`if [ -e ${fresh} ] && [ -e ${live} ] && [ ! -e ${liveAside} ]; then mv ${live} ${liveAside}; fi`] : []),
    `if [ -e ${fresh} ]; then mv ${fresh} ${live}; fi`,
    ...(fresh === upload ? [] : [`if [ -e ${upload} ]; then rmdir ${upload}; fi`]),
    'sync',
  ].join(' && ')
}

/** The script that takes a swap back, however far it came, and may be run again. The control plane is stopped by it where it runs. */
export function swapBackCommand(node: RestorePlanNode, runId: string): string {
  const { fresh, data, dataAside, live, liveAside, manifestAside } = placesOf(node, runId)
  const moves = node.dataPath !== node.kubeadmPath
  return [
    `if [ -e ${dataAside} ] || [ -e ${manifestAside} ]; then ${stopAllCommand()}`,
    `if [ -e ${dataAside} ]; then if [ ! -e ${fresh} ] && [ -e ${live} ]; then mkdir -p -m 700 ${dirname(fresh)} && mv ${live} ${fresh} || exit 1; fi`,
    ...(moves ? [`if [ -e ${liveAside} ]; then mv ${liveAside} ${live} || exit 1; fi`] : []),
    `mv ${dataAside} ${data} || exit 1; fi`,
    // Last, as it tells whether there is something to take back.
    `if [ -e ${manifestAside} ]; then mv ${manifestAside} ${MANIFEST} || exit 1; fi`,
    'sync; fi',
    `rm -f ${manifestAside}.part ${MANIFEST}.part`,
    ...foldersAside(node, runId).map((folder) => `if [ -e ${folder} ]; then rmdir ${folder}; fi`),
  ].join('; ')
}
