/** What `crictl ps` shows, as the kubelet writes it. */
export const CONTAINERS = '/run/kubelet-containers'

export interface KubeletSettings {
  nodeName: string
  /** The node's own, within its network. */
  address: string
  /** Paths of the programs that manifests name. */
  programs: Record<string, string>
  sshd: string
  sshdConfig: string
  /** Paths of the sockets by which the machine outside reaches sshd and the API server. */
  sshSocket: string
  apiSocket: string
}
