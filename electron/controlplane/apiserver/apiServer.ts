import { groupVersion, type KubeObject } from '#shared/kubernetes/object.ts'
import type { Transport, UserInfo } from '#shared/kubernetes/transport.ts'
import { minorOf } from '#shared/kubernetes/schema/served.ts'
import type { Target } from '#shared/kubernetes/validation/kindRules.ts'
import { createErrors, updateErrors } from '#shared/kubernetes/validation/validation.ts'
import type { RbacPolicy } from '#shared/planning/rbac/evaluate.ts'
import { WebhookClient } from './admission/webhooks/webhookClient.ts'
import { createAdmission } from './admission/createAdmission.ts'
import { firstServiceAddress } from './admission/serviceAllocation.ts'
import { createAuditor } from './audit/createAuditor.ts'
import type { Auditor } from './audit/auditor.ts'
import { withAuthenticated } from './authentication/authenticator.ts'
import { createAuthenticator, storedObjects } from './authentication/createAuthenticator.ts'
import { ServiceAccountTokens } from './authentication/serviceAccountTokens.ts'
import { Authorizer } from './authorization/authorizer.ts'
import { NodeAuthorizer } from './authorization/nodeAuthorizer.ts'
import { NodeGraph } from './authorization/nodeGraph.ts'
import { nodeRules } from './bootstrap/rbacPolicy.ts'
import { bootstrap } from './bootstrap/bootstrap.ts'
import { InflightLimits } from './filters/inflightLimits.ts'
import { RequestPipeline } from './filters/requestPipeline.ts'
import { ApiHandler } from './handlers/apiHandler.ts'
import { versionInfo } from './handlers/discovery.ts'
import type { HealthCheck } from './handlers/health.ts'
import { InProcessTransport } from './inProcessTransport.ts'
import type { ApiServer, ApiServerOptions } from './interface.ts'
import { ApiServerMetrics } from './metrics/apiServerMetrics.ts'
import { metricsText } from './metrics/metricsText.ts'
import { ApiResources, type ApiResource } from './registry/apiResources.ts'
import { CustomResources, DEFINITIONS } from './registry/customResources.ts'
import { DefinitionController } from './registry/definitionController.ts'
import { RestStore, type Validation } from './registry/restStore.ts'
import { SecureServer } from './secureServer.ts'
import { DEFAULT_SETTINGS, type ApiServerSettings } from './settings.ts'
import { Compactor } from './storage/compactor.ts'
import { EncryptionConfiguration } from './storage/encryption/encryptionConfiguration.ts'
import { PLAIN_VALUES, SealedValues } from './storage/encryption/sealedValues.ts'
import { ShownValues } from './storage/shownValues.ts'
import { Store, type EtcdOperation } from './storage/store.ts'

const RBAC_KINDS = ['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings'] as const

/** An API server over one etcd. Nothing is read or written before `listen`. */
export function createApiServer(options: ApiServerOptions): ApiServer {
  return new EmbeddedApiServer(options)
}

class EmbeddedApiServer implements ApiServer {
  readonly #options: ApiServerOptions
  readonly #settings: ApiServerSettings
  readonly #metrics: ApiServerMetrics
  /** How metrics name what lies below a prefix. */
  readonly #etcdTypes = new Map<string, readonly string[]>()
  readonly #store: Store
  readonly #rest: RestStore
  readonly #handler: ApiHandler
  readonly #pipeline: RequestPipeline
  readonly #auditor: Auditor | null
  readonly #server: SecureServer
  readonly #aborter = new AbortController()
  #watchesEnd = new AbortController()
  #served: { resources: ApiResources; kubernetesVersion: string }
  readonly #customResources: CustomResources
  readonly #definitions: DefinitionController
  #address = ''
  #following: Promise<void> = Promise.resolve()
  #compacting: Promise<void> = Promise.resolve()
  #bootstrapped = false

  constructor(options: ApiServerOptions) {
    this.#options = options
    this.#settings = options.settings ?? DEFAULT_SETTINGS
    const settings = this.#settings
    const { etcd, clock, random, logger, nodes, serviceAccount, readOnly, tls } = options
    const { encryption } = settings
    this.#metrics = new ApiServerMetrics(options.kubernetesVersion)
    const metrics = this.#metrics
    const stored = encryption === undefined ? PLAIN_VALUES : new SealedValues(new EncryptionConfiguration(encryption), options.kubernetesVersion)
    const values = readOnly ? new ShownValues(stored, () => minorOf(this.#served.kubernetesVersion)) : stored
    this.#store = new Store({
      etcd,
      clock,
      logger,
      values,
      still: options.still ?? null,
      kindOf: (prefix) => this.#kindBelow(prefix),
      observe: (...observed) => {
        this.#observeEtcd(...observed)
      },
    })
    this.#served = { resources: new ApiResources(options.kubernetesVersion, [], settings.notServed), kubernetesVersion: options.kubernetesVersion }
    const bound = storedObjects(this.#store)
    const nowMs = (): number => clock.now()
    const tokens = new ServiceAccountTokens({
      issuers: settings.authentication.issuers.length === 0 ? [serviceAccount.issuer] : settings.authentication.issuers,
      signingKey: settings.authentication.serviceAccountSigningKey?.text ?? serviceAccount.privateKey,
      keys:
        settings.authentication.serviceAccountKeys.length === 0
          ? [serviceAccount.publicKey]
          : settings.authentication.serviceAccountKeys.map(({ text }) => text),
      audiences: settings.authentication.audiences,
      bound,
      nowMs,
    })
    const authorizer = new Authorizer({
      modes: settings.authorizationModes,
      policy: () => this.#policy(),
      node: new NodeAuthorizer(new NodeGraph(this.#store), nodeRules(options.kubernetesVersion)),
    })
    for (const kind of RBAC_KINDS)
      this.#store.collection(kind).onEvent(() => {
        authorizer.policyChanged()
      })
    const admission = createAdmission({
      settings: settings.admission,
      store: this.#store,
      random,
      authorizer,
      metrics,
      logger,
      nodes,
      clock,
      serviceClusterIpRange: options.serviceClusterIpRange,
      rest: () => this.#rest,
      served: () => ({ ...this.#served, minor: minorOf(this.#served.kubernetesVersion) }),
      nowMs,
    })
    const targets = new WeakMap<ApiResource, Map<string, Target>>()
    const target = (resource: ApiResource, subresource: string): Target => {
      const known = targets.get(resource) ?? new Map<string, Target>()
      targets.set(resource, known)
      const minor = minorOf(this.#served.kubernetesVersion)
      let made = known.get(subresource)
      if (made?.minor !== minor) {
        made = { ...resource, subresource, minor }
        known.set(subresource, made)
      }
      return made
    }
    const validation: Validation = {
      create: (object, resource) => createErrors(object, target(resource, '')),
      update: (before, after, resource, subresource) => updateErrors(after, before, target(resource, subresource)),
    }
    this.#rest = new RestStore({ store: this.#store, admission, validation, clock, random, logger })
    this.#customResources = new CustomResources(this.#store.collection(DEFINITIONS), new WebhookClient({ store: this.#store, nodes, clock }), () => {
      this.#serve(this.#served.kubernetesVersion)
    })
    this.#definitions = new DefinitionController({ rest: this.#rest, admission, resources: () => this.#served.resources, clock, logger })
    const authenticator = createAuthenticator(settings.authentication, { tokens, store: this.#store, nowMs, logger })
    this.#auditor = createAuditor(settings.audit, { metrics, random, nowMs, logger })
    this.#handler = new ApiHandler({
      rest: this.#rest,
      admission,
      authorizer,
      authenticator,
      tokens,
      bound,
      random,
      nodes,
      clock,
      logger,
      readOnly,
      served: () => this.#served,
      watchesEnd: () => this.#watchesEnd.signal,
      address: () => this.#address,
      healthChecks: this.#healthChecks(),
      pages: options.pages ?? {},
      metrics,
      metricsText: (signal) =>
        metricsText(
          { metrics, store: this.#store, etcd, resources: this.#served.resources, build: Object.values(versionInfo(this.#served.kubernetesVersion)) },
          signal,
        ),
    })
    this.#pipeline = new RequestPipeline({
      handler: this.#handler,
      metrics,
      limits: new InflightLimits({ maxReadOnly: settings.maxRequestsInflight, maxMutating: settings.maxMutatingRequestsInflight, metrics }),
      auditor: this.#auditor,
      resources: () => this.#served.resources,
      monotonicMs: () => performance.now(),
    })
    this.#server = new SecureServer({ handler: this.#pipeline, metrics, authenticator, tls, clock, logger })
  }

  async listen({ host, port }: { host: '127.0.0.1'; port: number }): Promise<number> {
    const { signal } = this.#aborter
    await this.#store.load(signal)
    const stop = this.#customResources.follow()
    this.#following = Promise.all([this.#store.follow(signal), this.#options.readOnly ? undefined : this.#definitions.run({ signal })]).then(stop)
    const bound = await this.#server.listen({ host, port })
    this.#address = `https://${host}:${String(bound)}`
    if (!this.#options.readOnly)
      await bootstrap(
        this.#rest,
        this.#served.resources,
        { clusterIp: firstServiceAddress(this.#options.serviceClusterIpRange), address: host, port: bound, kubernetesVersion: this.#served.kubernetesVersion },
        signal,
      )
    if (!this.#options.readOnly) this.#compacting = new Compactor(this.#options).run(signal)
    this.#bootstrapped = true
    return bound
  }

  transport(user: UserInfo): Transport {
    return new InProcessTransport(this.#pipeline, { ...user, groups: withAuthenticated(user.groups) }, this.#aborter.signal)
  }

  setServingCertificate(serving: { certificate: string; key: string }): void {
    this.#server.setServingCertificate(serving)
  }

  setKubernetesVersion(version: string): Promise<void> {
    this.#metrics.serve(version)
    this.#serve(version)
    const ended = this.#watchesEnd
    this.#watchesEnd = new AbortController()
    ended.abort(new Error(`the API server serves ${version} from now on`))
    return Promise.resolve()
  }

  #kindBelow(prefix: string): { apiVersion: string; kind: string } {
    const resource = this.#served.resources.list.find((each) => each.storagePrefix === prefix)
    return resource === undefined ? { apiVersion: 'v1', kind: 'Unknown' } : { apiVersion: groupVersion(resource.storage), kind: resource.kind }
  }

  #observeEtcd(operation: EtcdOperation, prefix: string, seconds: number): void {
    let type = this.#etcdTypes.get(prefix)
    if (type === undefined) this.#etcdTypes.set(prefix, (type = this.#etcdType(prefix)))
    const { etcdDurations, etcdRequests } = this.#metrics.now
    etcdDurations.observe([operation, ...type], seconds)
    etcdRequests.add([operation, ...type])
  }

  /** Go's type of the object, as in `*core.Pod`, the group and the resource. */
  #etcdType(prefix: string): string[] {
    const resource = this.#served.resources.list.find((each) => each.storagePrefix === prefix)
    if (resource === undefined) return ['', '', '']
    const { group, plural, kind, custom } = resource
    return [custom === undefined ? `*${group === '' ? 'core' : (group.split('.')[0] ?? '')}.${kind}` : '*unstructured.Unstructured', group, plural]
  }

  #serve(kubernetesVersion: string): void {
    this.#etcdTypes.clear()
    this.#served = { resources: new ApiResources(kubernetesVersion, this.#customResources.list, this.#settings.notServed), kubernetesVersion }
  }

  async close(): Promise<void> {
    this.#aborter.abort(new Error('the API server is shutting down'))
    await this.#server.close()
    await this.#following
    await this.#compacting
    this.#auditor?.close()
  }

  #policy(): RbacPolicy {
    const objects = (kind: (typeof RBAC_KINDS)[number]): KubeObject[] => [...this.#store.collection(kind).values()].map(({ object }) => object)
    return {
      roles: objects('roles'),
      clusterRoles: objects('clusterroles'),
      roleBindings: objects('rolebindings'),
      clusterRoleBindings: objects('clusterrolebindings'),
    }
  }

  /** Named as upstream's, where there is the same thing here to be well or not. */
  #healthChecks(): HealthCheck[] {
    const started = (name: string): HealthCheck => ({
      name: `poststarthook/${name}`,
      run: () => {
        if (!this.#bootstrapped) throw new Error('not finished')
      },
    })
    return [
      { name: 'ping', run: () => undefined },
      { name: 'log', run: () => undefined },
      { name: 'etcd', run: (signal) => this.#store.ping(signal) },
      {
        name: 'informer-sync',
        readyzOnly: true,
        run: () => {
          if (!this.#store.isFollowing) throw new Error('the watch of etcd is not running')
        },
      },
      ...['generic-apiserver-start-informers', 'bootstrap-controller', 'rbac/bootstrap-roles', 'scheduling/bootstrap-system-priority-classes'].map(started),
      {
        name: 'shutdown',
        readyzOnly: true,
        run: () => {
          if (this.#aborter.signal.aborted) throw new Error('process is shutting down')
        },
      },
    ]
  }
}
