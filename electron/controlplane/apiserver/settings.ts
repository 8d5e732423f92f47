/** A file an API server flag names, with what stands in it: errors name the path. */
export interface NamedText {
  path: string
  text: string
}

/** What kube-apiserver's flags decide, by their subjects. */
export interface ApiServerSettings {
  authentication: {
    /** `--anonymous-auth` */
    anonymous: boolean
    /** `--token-auth-file` */
    tokenFile?: NamedText
    /** `--basic-auth-file`, which Kubernetes 1.19 removed: for rehearsing clusters that still have it. */
    basicAuthFile?: NamedText
    /** `--enable-bootstrap-token-auth` */
    bootstrapTokens: boolean
    /** `--service-account-key-file`: PEM texts; none means the cluster's own `sa.pub`. */
    serviceAccountKeys: NamedText[]
    /** `--service-account-signing-key-file` */
    serviceAccountSigningKey?: NamedText
    /** `--service-account-issuer`; the first signs. None means the cluster's own. */
    issuers: string[]
    /** `--api-audiences` */
    audiences: string[]
    /** `--requestheader-allowed-names` */
    frontProxyNames: string[]
  }
  /** `--authorization-mode`, in its order. */
  authorizationModes: AuthorizationMode[]
  admission: {
    /** `--enable-admission-plugins`: on beside those that are on by themselves. */
    enable: string[]
    /** `--disable-admission-plugins` */
    disable: string[]
  }
  audit?: {
    /** `--audit-policy-file` */
    policy: NamedText
    /** `--audit-log-path`, `-` for standard output. */
    logPath: string
    /** `--audit-log-maxsize`, in megabytes. */
    maxSizeMb: number
    /** `--audit-log-maxbackup` */
    maxBackups: number
    /** `--audit-log-maxage` */
    maxAgeDays: number
  }
  /** `--runtime-config` with `=false`: `GROUP/VERSION` or `GROUP/VERSION/RESOURCE` that are not served. metrics.k8s.io is a cluster without metrics-server. */
  notServed: string[]
  /** `--encryption-provider-config` */
  encryption?: NamedText
  /** `--max-requests-inflight`; 0 is no limit. */
  maxRequestsInflight: number
  /** `--max-mutating-requests-inflight` */
  maxMutatingRequestsInflight: number
}

export const AUTHORIZATION_MODES = ['AlwaysAllow', 'AlwaysDeny', 'Node', 'RBAC'] as const
export type AuthorizationMode = (typeof AUTHORIZATION_MODES)[number]

/** As kubeadm sets up a control plane. */
export const DEFAULT_SETTINGS: ApiServerSettings = {
  authentication: { anonymous: true, bootstrapTokens: true, serviceAccountKeys: [], issuers: [], audiences: [], frontProxyNames: ['front-proxy-client'] },
  authorizationModes: ['Node', 'RBAC'],
  admission: { enable: ['NodeRestriction'], disable: [] },
  notServed: [],
  maxRequestsInflight: 400,
  maxMutatingRequestsInflight: 200,
}
