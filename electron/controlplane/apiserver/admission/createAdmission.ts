import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Random } from '#shared/base/random.ts'
import type { Authorizer } from '../authorization/authorizer.ts'
import type { NodeConnection } from '../interface.ts'
import type { ApiServerMetrics } from '../metrics/apiServerMetrics.ts'
import type { ApiResources } from '../registry/apiResources.ts'
import type { RestStore } from '../registry/restStore.ts'
import type { ApiServerSettings } from '../settings.ts'
import type { Store } from '../storage/store.ts'
import { Admission, type AdmissionPlugin } from './admission.ts'
import { CertificateApproval, CertificateSigning, CertificateSubjectRestriction } from './certificateAdmission.ts'
import { DefaultIngressClass, RuntimeClassAdmission } from './classAdmission.ts'
import { LimitRanger } from './limitRanger.ts'
import { NamespaceLifecycle } from './namespaceLifecycle.ts'
import { NodeRestriction } from './nodeRestriction.ts'
import { DefaultTolerationSeconds, PriorityAdmission, ServiceAccountAdmission, TaintNodesByCondition } from './podAdmission.ts'
import { PodSecurity } from './podSecurity.ts'
import { RbacEscalation } from './rbacEscalation.ts'
import { ResourceQuota } from './resourceQuota.ts'
import { AdmissionExpressions } from './expressions/admissionExpressions.ts'
import { MatchConditions } from './expressions/matchConditions.ts'
import { ServiceAllocation } from './serviceAllocation.ts'
import { DefaultStorageClass, PersistentVolumeClaimResize, StorageObjectInUseProtection } from './storageAdmission.ts'
import { ValidatingAdmissionPolicy } from './validatingAdmissionPolicy.ts'
import { WebhookClient } from './webhooks/webhookClient.ts'
import { MutatingAdmissionWebhook, ValidatingAdmissionWebhook } from './webhooks/webhookPlugins.ts'

export interface AdmissionOptions {
  settings: ApiServerSettings['admission']
  store: Store
  random: Random
  authorizer: Authorizer
  metrics: ApiServerMetrics
  logger: Logger
  nodes: NodeConnection
  clock: Clock
  serviceClusterIpRange: string
  rest: () => RestStore
  served: () => { resources: ApiResources; kubernetesVersion: string; minor: number }
  nowMs: () => number
}

/** Upstream's plugins that are not built here; asking for one is an error, never silence. */
const NOT_BUILT = [
  'AlwaysAdmit',
  'AlwaysDeny',
  'AlwaysPullImages',
  'ClusterTrustBundleAttest',
  'DenyServiceExternalIPs',
  'EventRateLimit',
  'ExtendedResourceToleration',
  'ImagePolicyWebhook',
  'LimitPodHardAntiAffinityTopology',
  'MutatingAdmissionPolicy',
  'NamespaceAutoProvision',
  'NamespaceExists',
  'OwnerReferencesPermissionEnforcement',
  'PersistentVolumeLabel',
  'PodNodeSelector',
  'PodSecurityPolicy',
  'PodTolerationRestriction',
  'SecurityContextDeny',
]

interface Registered {
  plugin: AdmissionPlugin
  /** On without being asked for. */
  byDefault: boolean
}

/** Releases since which a plugin is on: before, it is not there. */
const POD_SECURITY_SINCE = 23

/**
 * The plugins in upstream's order, on or off as the flags say. Steps that upstream has in its registry, after admission
 * changed an object (addresses of services, escalation), stand at the end and are always on.
 *
 * @throws Error that names a plugin that does not exist or is not built
 */
export function createAdmission(options: AdmissionOptions): Admission {
  const { store, random, authorizer, metrics, settings, rest, served, nowMs } = options
  const on = (plugin: AdmissionPlugin): Registered => ({ plugin, byDefault: true })
  const registered: Registered[] = [
    on(new NamespaceLifecycle(store)),
    on(new LimitRanger(store)),
    on(new ServiceAccountAdmission(store, random, () => served().minor)),
    { plugin: new NodeRestriction(store), byDefault: false },
    on(new TaintNodesByCondition()),
    on(new Since(new PodSecurity(store), () => served().minor >= POD_SECURITY_SINCE)),
    on(new PriorityAdmission(store)),
    on(new DefaultTolerationSeconds()),
    on(new DefaultStorageClass(store)),
    on(new StorageObjectInUseProtection()),
    on(new PersistentVolumeClaimResize(store)),
    on(new RuntimeClassAdmission(store)),
    on(new CertificateApproval(authorizer)),
    on(new CertificateSigning(authorizer)),
    on(new CertificateSubjectRestriction()),
    on(new DefaultIngressClass(store)),
  ]
  const expressions = new AdmissionExpressions({ authorizer, store })
  const conditions = new MatchConditions(expressions)
  const client = new WebhookClient({ store, nodes: options.nodes, clock: options.clock })
  const hooks = { store, resources: () => served().resources, client, conditions, random, metrics, logger: options.logger }
  registered.push(on(new MutatingAdmissionWebhook(hooks)))
  const last: Registered[] = [
    on(new ValidatingAdmissionPolicy({ store, resources: () => served().resources, expressions, conditions })),
    on(new ValidatingAdmissionWebhook(hooks)),
    on(new ResourceQuota({ rest, nowMs, quotaResource: () => served().resources.byKind('', 'ResourceQuota') })),
  ]
  const all = [...registered, ...last]
  checkNames(settings, all)
  const isOn = ({ plugin, byDefault }: Registered): boolean => !settings.disable.includes(plugin.name) && (byDefault || settings.enable.includes(plugin.name))
  const plugins = (list: readonly Registered[]): AdmissionPlugin[] => list.filter(isOn).map(({ plugin }) => plugin)
  return new Admission(
    [...plugins(registered), new ServiceAllocation(store, random, options.serviceClusterIpRange), new RbacEscalation(authorizer), ...plugins(last)],
    metrics,
  )
}

function checkNames({ enable, disable }: ApiServerSettings['admission'], all: readonly Registered[]): void {
  const known = new Set(all.map(({ plugin }) => plugin.name))
  for (const [flag, names] of [
    ['--enable-admission-plugins', enable],
    ['--disable-admission-plugins', disable],
  ] as const)
    for (const name of names) {
      if (known.has(name)) continue
      if (!NOT_BUILT.includes(name)) throw new Error(`${flag}: unknown plugin ${JSON.stringify(name)}; known are ${[...known].sort().join(', ')}`)
      // What is not there cannot be on: turning it off is no mistake.
      if (flag === '--enable-admission-plugins') throw new Error(`${flag}: ${name} is not built; built are ${[...known].sort().join(', ')}`)
    }
  const both = enable.find((name) => disable.includes(name))
  if (both !== undefined) throw new Error(`${both} in enable-admission-plugins and disable-admission-plugins overlapped`)
}

/** A plugin that releases before a certain one do not have. */
class Since implements AdmissionPlugin {
  readonly name: string
  readonly #plugin: AdmissionPlugin
  readonly #here: () => boolean

  constructor(plugin: AdmissionPlugin, here: () => boolean) {
    this.name = plugin.name
    this.#plugin = plugin
    this.#here = here
  }

  admit(request: Parameters<NonNullable<AdmissionPlugin['admit']>>[0]): void | Promise<void> {
    if (this.#here()) return this.#plugin.admit?.(request)
  }

  validate(request: Parameters<NonNullable<AdmissionPlugin['validate']>>[0]): void | Promise<void> {
    if (this.#here()) return this.#plugin.validate?.(request)
  }
}
