import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Whether a node that was prepared once has been reset since: it has no cluster until it joins one again. */
export function isResetNode(rootDir: string): boolean {
  return existsSync(join(rootDir, 'etc/hostname')) && !existsSync(join(rootDir, 'var/lib/kubelet/config.yaml'))
}

/** Without its kubeconfig a kubelet ends as soon as it is started. */
export function isKubeletConfigured(rootDir: string): boolean {
  return existsSync(join(rootDir, 'etc/kubernetes/kubelet.conf'))
}

export function runsControlPlane(rootDir: string): boolean {
  return existsSync(join(rootDir, 'etc/kubernetes/manifests/kube-apiserver.yaml'))
}
