import type { Check } from './checks.ts'
import { containerList, containersOf, counted, objectsAt, podSecurity, quotedList, textAt, textsAt } from './podView.ts'
import { objectAt } from '../../kubernetes/json.ts'

const ALLOWED_CAPABILITIES = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
])

const SYSCTLS_SINCE: readonly (readonly [minor: number, names: readonly string[]])[] = [
  [
    0,
    ['kernel.shm_rmid_forced', 'net.ipv4.ip_local_port_range', 'net.ipv4.tcp_syncookies', 'net.ipv4.ping_group_range', 'net.ipv4.ip_unprivileged_port_start'],
  ],
  [27, ['net.ipv4.ip_local_reserved_ports']],
  [29, ['net.ipv4.tcp_keepalive_time', 'net.ipv4.tcp_fin_timeout', 'net.ipv4.tcp_keepalive_intvl', 'net.ipv4.tcp_keepalive_probes']],
  [32, ['net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem']],
]

const SELINUX_TYPES = new Set(['', 'container_t', 'container_init_t', 'container_kvm_t'])
/** Of containers that run a system; allowed since 1.31. */
const SELINUX_ENGINE = 'container_engine_t'
const APPARMOR = 'container.apparmor.security.beta.kubernetes.io/'

/** Who set something, in messages: the pod, containers, or both. */
export function setters(pod: boolean, containers: readonly string[]): string {
  return [...(pod ? ['pod'] : []), ...(containers.length === 0 ? [] : [containerList(containers)])].join(' and ')
}

/** The checks of level `baseline`, in the order of their ids. Names and texts are upstream's (k8s.io/pod-security-admission/policy). */
export const BASELINE_CHECKS: readonly Check[] = [
  {
    id: 'appArmorProfile',
    run: (pod) => {
      const bad = Object.entries(pod.annotations).filter(
        ([name, value]) => name.startsWith(APPARMOR) && value !== '' && value !== 'runtime/default' && !textAt(value).startsWith('localhost/'),
      )
      const unconfined = (security: object): boolean => textAt(objectAt(objectAt(security)['appArmorProfile'])['type']) === 'Unconfined'
      const byField = setters(
        unconfined(podSecurity(pod)),
        containersOf(pod).flatMap(({ name, security }) => (unconfined(security) ? [name] : [])),
      )
      const details = [
        ...(bad.length === 0
          ? []
          : [
              `${counted('annotation', 'annotations', bad.length)} ${bad
                .map(([name, value]) => `${JSON.stringify(name)}=${JSON.stringify(value)}`)
                .sort()
                .join(', ')}`,
            ]),
        ...(byField === '' ? [] : [`${byField} must not set AppArmor profile type to "Unconfined"`]),
      ]
      return details.length === 0
        ? null
        : { reason: counted('forbidden AppArmor profile', 'forbidden AppArmor profiles', bad.length + (byField === '' ? 0 : 1)), detail: details.join('; ') }
    },
  },
  {
    id: 'capabilities_baseline',
    run: (pod) => {
      const found = containersOf(pod).map(({ name, security }) => ({
        name,
        added: textsAt(objectAt(security['capabilities'])['add']).filter((each) => !ALLOWED_CAPABILITIES.has(each)),
      }))
      const names = found.filter(({ added }) => added.length > 0).map(({ name }) => name)
      if (names.length === 0) return null
      const added = [...new Set(found.flatMap((each) => each.added))].sort()
      return { reason: 'non-default capabilities', detail: `${containerList(names)} must not include ${quotedList(added)} in securityContext.capabilities.add` }
    },
  },
  {
    id: 'hostNamespaces',
    run: ({ spec }) => {
      const shared = ['hostNetwork', 'hostPID', 'hostIPC'].filter((field) => spec[field] === true).map((field) => `${field}=true`)
      return shared.length === 0 ? null : { reason: 'host namespaces', detail: shared.join(', ') }
    },
  },
  {
    id: 'hostPathVolumes',
    run: ({ spec }) => {
      const names = objectsAt(spec['volumes']).flatMap((volume) => (volume['hostPath'] === undefined ? [] : [textAt(volume['name'])]))
      return names.length === 0 ? null : { reason: 'hostPath volumes', detail: `${counted('volume', 'volumes', names.length)} ${quotedList(names)}` }
    },
  },
  {
    id: 'hostPorts',
    run: (pod) => {
      const found = containersOf(pod).map(({ name, container }) => ({
        name,
        ports: objectsAt(container['ports']).flatMap(({ hostPort }) => (typeof hostPort === 'number' && hostPort !== 0 ? [String(hostPort)] : [])),
      }))
      const names = found.filter(({ ports }) => ports.length > 0).map(({ name }) => name)
      if (names.length === 0) return null
      const ports = [...new Set(found.flatMap((each) => each.ports))].sort()
      const verb = counted('uses', 'use', names.length)
      return { reason: 'hostPort', detail: `${containerList(names)} ${verb} ${counted('hostPort', 'hostPorts', ports.length)} ${ports.join(', ')}` }
    },
  },
  {
    id: 'privileged',
    run: (pod) => {
      const names = containersOf(pod).flatMap(({ name, security }) => (security['privileged'] === true ? [name] : []))
      return names.length === 0 ? null : { reason: 'privileged', detail: `${containerList(names)} must not set securityContext.privileged=true` }
    },
  },
  {
    id: 'procMount',
    run: (pod) => {
      const found = containersOf(pod).filter(({ security }) => !['', 'Default'].includes(textAt(security['procMount'])))
      if (found.length === 0) return null
      const values = [...new Set(found.map(({ security }) => textAt(security['procMount'])))].sort()
      return { reason: 'procMount', detail: `${containerList(found.map(({ name }) => name))} must not set securityContext.procMount to ${quotedList(values)}` }
    },
  },
  {
    id: 'seLinuxOptions',
    run: (pod, minor) => {
      const bad = new Set<string>()
      const isBad = (security: object): boolean => {
        const { type, user, role } = objectAt(objectAt(security)['seLinuxOptions'])
        const badType = !SELINUX_TYPES.has(textAt(type)) && !(minor >= 31 && type === SELINUX_ENGINE)
        if (badType) bad.add(`type ${JSON.stringify(type)}`)
        if (textAt(user) !== '') bad.add('user may not be set')
        if (textAt(role) !== '') bad.add('role may not be set')
        return badType || textAt(user) !== '' || textAt(role) !== ''
      }
      const who = setters(
        isBad(podSecurity(pod)),
        containersOf(pod).flatMap(({ name, security }) => (isBad(security) ? [name] : [])),
      )
      return who === '' ? null : { reason: 'seLinuxOptions', detail: `${who} set forbidden securityContext.seLinuxOptions: ${[...bad].join('; ')}` }
    },
  },
  {
    id: 'seccompProfile_baseline',
    run: (pod) => {
      const bad = (security: object): boolean => textAt(objectAt(objectAt(security)['seccompProfile'])['type']) === 'Unconfined'
      const who = setters(
        bad(podSecurity(pod)),
        containersOf(pod).flatMap(({ name, security }) => (bad(security) ? [name] : [])),
      )
      return who === '' ? null : { reason: 'seccompProfile', detail: `${who} must not set securityContext.seccompProfile.type to "Unconfined"` }
    },
  },
  {
    id: 'sysctls',
    run: (pod, minor) => {
      const allowed = new Set(SYSCTLS_SINCE.flatMap(([since, names]) => (minor >= since ? names : [])))
      const bad = objectsAt(podSecurity(pod)['sysctls']).flatMap(({ name }) => (allowed.has(textAt(name)) ? [] : [textAt(name)]))
      return bad.length === 0 ? null : { reason: 'forbidden sysctls', detail: bad.join(', ') }
    },
  },
  {
    id: 'windowsHostProcess',
    run: (pod) => {
      const bad = (security: object): boolean => objectAt(objectAt(security)['windowsOptions'])['hostProcess'] === true
      const who = setters(
        bad(podSecurity(pod)),
        containersOf(pod).flatMap(({ name, security }) => (bad(security) ? [name] : [])),
      )
      return who === '' ? null : { reason: 'hostProcess', detail: `${who} must not set securityContext.windowsOptions.hostProcess=true` }
    },
  },
]
