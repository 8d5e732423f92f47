import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { deepEqual, isObject, objectAt } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isAlreadyExists } from '#shared/kubernetes/status.ts'
import { clusterObjects, kubeletConfigNames } from './clusterObjects.ts'
import type { NodeProgramsOptions } from './nodePrograms.ts'

/** What the phases `upload-config` and `addon` put into the cluster. */
export type UploadedPart = 'kubeadm' | 'kubelet' | 'coredns' | 'kube-proxy'

/** The address of the cluster's DNS is the tenth of its services, as kubeadm takes it. */
const dnsAddress = (serviceSubnet: string): string => serviceSubnet.replace(/\d+\/\d+$/, (end) => String(Number(end.split('/')[0]) + 10))

function namesOf(part: UploadedPart, kubeadm: string): string[] {
  switch (part) {
    case 'kubeadm':
      return ['kubeadm-config', 'kubeadm:nodes-kubeadm-config']
    case 'kubelet':
      return kubeletConfigNames(kubeadm).flatMap((name) => [name, `kubeadm:${name}`])
    case 'coredns':
      return ['coredns', 'system:coredns', 'kube-dns']
    case 'kube-proxy':
      return ['kube-proxy', 'kubeadm:node-proxier']
  }
}

/** An address that was given out and a Corefile that somebody may have changed stay. @see cmd/kubeadm/app/phases/addons/dns */
const isRetained = ({ kind, metadata: { name } }: KubeObject): boolean => kind === 'Service' || (kind === 'ConfigMap' && name === 'coredns')

/**
 * Creates the objects of a part, or makes those that are there what they should be.
 *
 * @param kubeadm the version of the program, by which images and names are chosen
 * @throws StatusError
 */
export async function uploadObjects(
  { admin, manifestOptions, apiUrl, rootDir }: NodeProgramsOptions,
  part: UploadedPart,
  kubeadm: string,
  signal: AbortSignal,
): Promise<void> {
  const { clusterName, serviceSubnet, podSubnet } = manifestOptions
  const ca = readFileSync(join(rootDir, 'etc/kubernetes/pki/ca.crt'), 'utf8')
  const all = clusterObjects({ kubernetesVersion: kubeadm, clusterName, serviceSubnet, podSubnet, dnsAddress: dnsAddress(serviceSubnet), apiUrl, ca })
  const names = namesOf(part, kubeadm)
  for (const [gvr, object] of all) {
    const { name = '', namespace } = object.metadata
    if (!names.includes(name)) continue
    try {
      await admin.create(gvr, { namespace }, object, signal)
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      const live = await admin.get(gvr, { namespace, name }, signal)
      const wanted = isRetained(object) ? live : replaced(live, object)
      if (!deepEqual(live, wanted)) await admin.update(gvr, { namespace, name }, wanted, signal)
    }
  }
}

/** The object as it should be, with the labels that others have put on it and the number of replicas that it was scaled to. */
function replaced(live: KubeObject, object: KubeObject): KubeObject {
  const { replicas } = objectAt(live['spec'])
  const metadata = { ...live.metadata, ...(object.metadata.labels === undefined ? {} : { labels: { ...live.metadata.labels, ...object.metadata.labels } }) }
  const spec = isObject(object['spec']) ? { spec: { ...object['spec'], ...(replicas === undefined ? {} : { replicas }) } } : {}
  return { ...live, ...object, ...spec, metadata }
}
