import { parse } from 'yaml'
import { isObject } from '#shared/kubernetes/json.ts'

/** What a restore has to know of a member, from its static pod's manifest. */
export interface EtcdManifest {
  /** `--name` */
  name: string
  /** `--initial-advertise-peer-urls` */
  peerUrls: string
  /** Where the data is on the node: the hostPath that is mounted at `--data-dir`. */
  dataPath: string
  /** `--wal-dir`; '' where the log is within the data. */
  walDir: string
}

/** @throws Error that says what is missing */
export function readEtcdManifest(text: string): EtcdManifest {
  const pod: unknown = parse(text)
  const spec = isObject(pod) && isObject(pod['spec']) ? pod['spec'] : {}
  const [container] = objects(spec['containers'])
  const words = [...texts(container?.['command']), ...texts(container?.['args'])]
  const flag = (name: string): string => words.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3) ?? ''
  const dataDir = flag('data-dir')
  const mount = objects(container?.['volumeMounts']).find(({ mountPath }) => mountPath === dataDir)
  const volume = objects(spec['volumes']).find(({ name }) => name === mount?.['name'])
  const path = isObject(volume?.['hostPath']) ? volume['hostPath']['path'] : undefined
  const found = { name: flag('name'), peerUrls: flag('initial-advertise-peer-urls'), dataPath: typeof path === 'string' ? path.replace(/\/+$/, '') : '' }
  const missing = Object.entries(found).find(([, value]) => value === '')
  if (missing !== undefined) throw new Error(`the etcd manifest tells no ${missing[0]}: is it one that kubeadm wrote?`)
  return { ...found, walDir: flag('wal-dir') }
}

/** Where kubeadm puts etcd's data, by the cluster's own configuration. It writes the manifest anew from this at each upgrade. */
export function kubeadmDataPath(clusterConfiguration: string): string {
  const configuration: unknown = parse(clusterConfiguration)
  const etcd = isObject(configuration) && isObject(configuration['etcd']) ? configuration['etcd'] : {}
  const local = isObject(etcd['local']) ? etcd['local'] : {}
  return typeof local['dataDir'] === 'string' && local['dataDir'] !== '' ? local['dataDir'].replace(/\/+$/, '') : '/var/lib/etcd'
}

const objects = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? value.filter(isObject) : [])
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((word): word is string => typeof word === 'string') : [])
