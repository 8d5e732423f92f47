import { setters } from './baselineChecks.ts'
import type { Check } from './checks.ts'
import { containerList, containersOf, counted, objectsAt, podSecurity, quotedList, textAt, textsAt, type PodView } from './podView.ts'
import { objectAt } from '../../kubernetes/json.ts'

/** Volumes that hold nothing of the node. */
const ALLOWED_VOLUMES = new Set(['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'persistentVolumeClaim', 'projected', 'secret', 'image'])
/** Since when Windows pods need not say what Linux alone knows. */
const WINDOWS_EXEMPT_SINCE = 25
const RUN_AS_USER_SINCE = 23
const SECCOMP_SINCE = 19
const ESCALATION_SINCE = 8
const CAPABILITIES_SINCE = 22

const isWindows = ({ spec }: PodView, minor: number): boolean => minor >= WINDOWS_EXEMPT_SINCE && objectAt(spec['os'])['name'] === 'windows'

/** The checks that level `restricted` adds, in the order of their ids. */
export const RESTRICTED_CHECKS: readonly Check[] = [
  {
    id: 'allowPrivilegeEscalation',
    since: ESCALATION_SINCE,
    run: (pod, minor) => {
      if (isWindows(pod, minor)) return null
      const names = containersOf(pod).flatMap(({ name, security }) => (security['allowPrivilegeEscalation'] === false ? [] : [name]))
      return names.length === 0
        ? null
        : { reason: 'allowPrivilegeEscalation != false', detail: `${containerList(names)} must set securityContext.allowPrivilegeEscalation=false` }
    },
  },
  {
    id: 'capabilities_restricted',
    overrides: ['capabilities_baseline'],
    since: CAPABILITIES_SINCE,
    run: (pod, minor) => {
      if (isWindows(pod, minor)) return null
      const found = containersOf(pod).map(({ name, security }) => {
        const { add, drop } = objectAt(security['capabilities'])
        return { name, dropsAll: textsAt(drop).includes('ALL'), added: textsAt(add).filter((each) => each !== 'NET_BIND_SERVICE') }
      })
      const [keeping, adding] = [found.filter(({ dropsAll }) => !dropsAll), found.filter(({ added }) => added.length > 0)]
      const details = [
        ...(keeping.length === 0 ? [] : [`${containerList(keeping.map(({ name }) => name))} must set securityContext.capabilities.drop=["ALL"]`]),
        ...(adding.length === 0
          ? []
          : [
              `${containerList(adding.map(({ name }) => name))} must not include ${quotedList([...new Set(adding.flatMap(({ added }) => added))].sort())} in securityContext.capabilities.add`,
            ]),
      ]
      return details.length === 0 ? null : { reason: 'unrestricted capabilities', detail: details.join('; ') }
    },
  },
  {
    id: 'restrictedVolumes',
    overrides: ['hostPathVolumes'],
    run: ({ spec }) => {
      const bad = objectsAt(spec['volumes']).flatMap((volume) => {
        const type = Object.keys(volume).find((field) => field !== 'name' && volume[field] !== undefined)
        return type === undefined || ALLOWED_VOLUMES.has(type) ? [] : [{ name: textAt(volume['name']), type }]
      })
      if (bad.length === 0) return null
      const types = [...new Set(bad.map(({ type }) => type))].sort()
      const [volumes, verb] = [counted('volume', 'volumes', bad.length), counted('uses', 'use', bad.length)]
      return {
        reason: 'restricted volume types',
        detail: `${volumes} ${quotedList(bad.map(({ name }) => name))} ${verb} restricted volume ${counted('type', 'types', types.length)} ${quotedList(types)}`,
      }
    },
  },
  {
    id: 'runAsNonRoot',
    run: (pod) => {
      const own = podSecurity(pod)['runAsNonRoot']
      const all = containersOf(pod)
      const setFalse = all.flatMap(({ name, security }) => (security['runAsNonRoot'] === false ? [name] : []))
      const who = setters(own === false && all.some(({ security }) => security['runAsNonRoot'] !== true), setFalse)
      if (who !== '') return { reason: 'runAsNonRoot != true', detail: `${who} must not set securityContext.runAsNonRoot=false` }
      const unset = own === true ? [] : all.flatMap(({ name, security }) => (security['runAsNonRoot'] === undefined ? [name] : []))
      return unset.length === 0 ? null : { reason: 'runAsNonRoot != true', detail: `pod or ${containerList(unset)} must set securityContext.runAsNonRoot=true` }
    },
  },
  {
    id: 'runAsUser',
    since: RUN_AS_USER_SINCE,
    run: (pod) => {
      const who = setters(
        podSecurity(pod)['runAsUser'] === 0,
        containersOf(pod).flatMap(({ name, security }) => (security['runAsUser'] === 0 ? [name] : [])),
      )
      return who === '' ? null : { reason: 'runAsUser=0', detail: `${who} must not set runAsUser=0` }
    },
  },
  {
    id: 'seccompProfile_restricted',
    overrides: ['seccompProfile_baseline'],
    since: SECCOMP_SINCE,
    run: (pod, minor) => {
      if (isWindows(pod, minor)) return null
      const typeOf = (security: object): string => textAt(objectAt(objectAt(security)['seccompProfile'])['type'])
      const good = (type: string): boolean => type === 'RuntimeDefault' || type === 'Localhost'
      const own = typeOf(podSecurity(pod))
      const all = containersOf(pod).map(({ name, security }) => ({ name, type: typeOf(security) }))
      const bad = all.filter(({ type }) => type !== '' && !good(type))
      const podIsBad = own !== '' && !good(own) && all.some(({ type }) => type === '')
      if (podIsBad || bad.length > 0) {
        const values = [...new Set([...(podIsBad ? [own] : []), ...bad.map(({ type }) => type)])].sort()
        const who = setters(
          podIsBad,
          bad.map(({ name }) => name),
        )
        return { reason: 'seccompProfile', detail: `${who} must not set securityContext.seccompProfile.type to ${quotedList(values)}` }
      }
      const unset = good(own) ? [] : all.flatMap(({ name, type }) => (type === '' ? [name] : []))
      return unset.length === 0
        ? null
        : { reason: 'seccompProfile', detail: `pod or ${containerList(unset)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"` }
    },
  },
]
