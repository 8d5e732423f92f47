import { isObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { Transport, UserInfo } from '#shared/kubernetes/transport.ts'
import { metadataErrors, metadataUpdateErrors } from '#shared/kubernetes/validation/metadata.ts'
import type { RbacPolicy } from '#shared/planning/rbac/evaluate.ts'
import { Admission } from './admission/admission.ts'
import { NamespaceLifecycle } from './admission/namespaceLifecycle.ts'
import { DefaultTolerationSeconds, PriorityAdmission, ServiceAccountAdmission, TaintNodesByCondition } from './admission/podAdmission.ts'
import { firstServiceAddress, ServiceAllocation } from './admission/serviceAllocation.ts'
import { Authenticator, withAuthenticated } from './authentication/authenticator.ts'
import { ServiceAccountTokens, type ServiceAccountClaims } from './authentication/serviceAccountTokens.ts'
import { Authorizer } from './authorization/authorizer.ts'
import { bootstrap } from './bootstrap/bootstrap.ts'
import { ApiHandler } from './handlers/apiHandler.ts'
import { InProcessTransport } from './inProcessTransport.ts'
import type { ApiServer, ApiServerOptions } from './interface.ts'
import { ApiResources } from './registry/apiResources.ts'
import { RestStore } from './registry/restStore.ts'
import { SecureServer } from './secureServer.ts'
import { Store } from './storage/store.ts'

const RBAC_KINDS = ['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings'] as const

/** An API server over one etcd. Nothing is read or written before `listen`. */
export function createApiServer(options: ApiServerOptions): ApiServer {
  return new EmbeddedApiServer(options)
}

class EmbeddedApiServer implements ApiServer {
  readonly #options: ApiServerOptions
  readonly #store: Store
  readonly #rest: RestStore
  readonly #handler: ApiHandler
  readonly #server: SecureServer
  readonly #aborter = new AbortController()
  #served: { resources: ApiResources; kubernetesVersion: string }
  #address = ''
  #following: Promise<void> = Promise.resolve()

  constructor(options: ApiServerOptions) {
    this.#options = options
    const { etcd, clock, random, logger, nodes, serviceAccount, readOnly, tls } = options
    this.#store = new Store({ etcd, clock, logger })
    this.#served = { resources: new ApiResources(options.kubernetesVersion), kubernetesVersion: options.kubernetesVersion }
    const admission = new Admission([
      new NamespaceLifecycle(this.#store),
      new ServiceAccountAdmission(this.#store, random),
      new PriorityAdmission(this.#store),
      new DefaultTolerationSeconds(),
      new TaintNodesByCondition(),
      new ServiceAllocation(this.#store, random, options.serviceClusterIpRange),
    ])
    const validation = {
      create: (object: KubeObject, resource: { namespaced: boolean }) => metadataErrors(object, resource.namespaced),
      update: (before: KubeObject, after: KubeObject, resource: { namespaced: boolean }) => [
        ...metadataUpdateErrors(before, after),
        ...metadataErrors(after, resource.namespaced),
      ],
    }
    this.#rest = new RestStore({ store: this.#store, admission, validation, clock, random, logger })
    const tokens = new ServiceAccountTokens(serviceAccount)
    const authorizer = new Authorizer(() => this.#policy())
    for (const kind of RBAC_KINDS)
      this.#store.collection(kind).onEvent(() => {
        authorizer.policyChanged()
      })
    const authenticator = new Authenticator({
      tokens,
      stillExists: (claims) => this.#stillExists(claims),
      bootstrapToken: (id, secret) => this.#bootstrapToken(id, secret),
      nowMs: () => clock.now(),
    })
    this.#handler = new ApiHandler({
      rest: this.#rest,
      admission,
      authorizer,
      authenticator,
      tokens,
      nodes,
      clock,
      logger,
      readOnly,
      served: () => this.#served,
      address: () => this.#address,
    })
    this.#server = new SecureServer({ handler: this.#handler, authenticator, tls, clock, logger })
  }

  async listen({ host, port }: { host: '127.0.0.1'; port: number }): Promise<number> {
    const { signal } = this.#aborter
    await this.#store.load(signal)
    this.#following = this.#store.follow(signal)
    const bound = await this.#server.listen({ host, port })
    this.#address = `https://${host}:${String(bound)}`
    if (!this.#options.readOnly)
      await bootstrap(
        this.#rest,
        this.#served.resources,
        { clusterIp: firstServiceAddress(this.#options.serviceClusterIpRange), address: host, port: bound },
        signal,
      )
    return bound
  }

  transport(user: UserInfo): Transport {
    return new InProcessTransport(this.#handler, { ...user, groups: withAuthenticated(user.groups) }, this.#aborter.signal)
  }

  setKubernetesVersion(version: string): Promise<void> {
    this.#served = { resources: new ApiResources(version), kubernetesVersion: version }
    return Promise.resolve()
  }

  async close(): Promise<void> {
    this.#aborter.abort(new Error('the API server is shutting down'))
    await this.#server.close()
    await this.#following
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

  #stillExists(claims: ServiceAccountClaims): boolean {
    const { namespace, serviceaccount, pod, secret } = claims['kubernetes.io']
    const has = (prefix: string, named: { name: string; uid: string }): boolean =>
      this.#store.collection(prefix).get(`/registry/${prefix}/${namespace}/${named.name}`)?.object.metadata.uid === named.uid
    return has('serviceaccounts', serviceaccount) && (pod === undefined || has('pods', pod)) && (secret === undefined || has('secrets', secret))
  }

  /** Secrets `bootstrap-token-<id>` of kube-system; their values are base64. */
  #bootstrapToken(id: string, secret: string): UserInfo | null {
    const entry = this.#store.collection('secrets').get(`/registry/secrets/kube-system/bootstrap-token-${id}`)
    const data = entry?.object['data']
    if (!isObject(data) || entry?.object['type'] !== 'bootstrap.kubernetes.io/token') return null
    const value = (name: string): string => (typeof data[name] === 'string' ? Buffer.from(data[name], 'base64').toString('utf8') : '')
    if (value('token-secret') !== secret || value('usage-bootstrap-authentication') !== 'true') return null
    const expiration = value('expiration')
    if (expiration !== '' && Date.parse(expiration) <= this.#options.clock.now()) return null
    const extra = value('auth-extra-groups')
      .split(',')
      .filter((group) => group !== '')
    return { username: `system:bootstrap:${id}`, groups: withAuthenticated(['system:bootstrappers', ...extra]) }
  }
}
