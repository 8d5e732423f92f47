/** kubeadm's control-plane components, in the order in which they are started. */
export const CONTROL_PLANE_COMPONENTS = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'] as const
export type ControlPlaneComponent = (typeof CONTROL_PLANE_COMPONENTS)[number]

const MANIFESTS = '/etc/kubernetes/manifests'
/** Where manifests are while their components are stopped; outside the kubelet's folder. */
export const STOPPED = '/etc/kubernetes/drydock-stopped'
/** The kubelet looks at its folder every 20 s, and gives a container 30 s to end. */
const GONE_SECONDS = 120

const waitGone = (component: string, orElse: string): string =>
  `n=0; while crictl ps | grep -q " ${component} "; do n=$((n+1)); if [ $n -gt ${String(GONE_SECONDS)} ]; then ${orElse}echo "${component} still runs after ${String(GONE_SECONDS)} s" >&2; exit 1; fi; sleep 1; done`

/** Takes a component's manifest away, waits until its container is gone, and puts the manifest back. A component a node does not have is passed over. */
export function restartCommand(component: ControlPlaneComponent): string {
  const manifest = `${component}.yaml`
  return [
    'crictl ps > /dev/null || exit 1',
    `mkdir -p ${STOPPED} || exit 1`,
    `if [ -e ${MANIFESTS}/${manifest} ]; then mv ${MANIFESTS}/${manifest} ${STOPPED}/ || exit 1; fi`,
    `[ -e ${STOPPED}/${manifest} ] || exit 0`,
    waitGone(component, `mv ${STOPPED}/${manifest} ${MANIFESTS}/; `),
    `mv ${STOPPED}/${manifest} ${MANIFESTS}/`,
  ].join('; ')
}

/** Takes all manifests away and waits until none of the components runs. */
export function stopAllCommand(): string {
  return [
    'crictl ps > /dev/null || exit 1',
    `mkdir -p ${STOPPED} || exit 1`,
    `for c in ${CONTROL_PLANE_COMPONENTS.join(' ')}; do if [ -e ${MANIFESTS}/$c.yaml ]; then mv ${MANIFESTS}/$c.yaml ${STOPPED}/ || exit 1; fi; done`,
    ...CONTROL_PLANE_COMPONENTS.map((component) => waitGone(component, '')),
  ].join('; ')
}

/** Puts the manifests of components back, so that the kubelet starts them. */
export function startCommand(components: readonly ControlPlaneComponent[]): string {
  return components.map((component) => `if [ -e ${STOPPED}/${component}.yaml ]; then mv ${STOPPED}/${component}.yaml ${MANIFESTS}/; fi`).join(' && ')
}
