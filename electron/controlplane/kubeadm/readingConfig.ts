import { minorOfVersion } from '#shared/planning/upgrade/releases.ts'

/** Since this release kubeadm tells how to upload a configuration again. */
const FIRST_WITH_UPLOAD_HINT = 31

/** The lines with which a phase says where it reads the cluster's configuration. */
export function readingConfig(prefix: string, kubeadm: string): string {
  return minorOfVersion(kubeadm) < FIRST_WITH_UPLOAD_HINT
    ? `[${prefix}] Reading configuration from the cluster...\n[${prefix}] FYI: You can look at this config file with 'kubectl -n kube-system get cm kubeadm-config -o yaml'\n`
    : `[${prefix}] Reading configuration from the "kubeadm-config" ConfigMap in namespace "kube-system"...\n[${prefix}] Use 'kubeadm init phase upload-config kubeadm --config your-config-file' to re-upload it.\n`
}
