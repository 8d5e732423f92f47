import { readFileSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import { AUTHORIZATION_MODES, DEFAULT_SETTINGS, type ApiServerSettings, type AuthorizationMode, type NamedText } from './settings.ts'

/** kube-apiserver's flags as they were given; what is absent keeps its default. */
export interface ApiServerFlags {
  anonymousAuth?: boolean
  tokenAuthFile?: string
  basicAuthFile?: string
  enableBootstrapTokenAuth?: boolean
  serviceAccountKeyFile?: string[]
  serviceAccountSigningKeyFile?: string
  serviceAccountIssuer?: string[]
  apiAudiences?: string[]
  requestheaderAllowedNames?: string[]
  authorizationMode?: string[]
  enableAdmissionPlugins?: string[]
  disableAdmissionPlugins?: string[]
  auditPolicyFile?: string
  auditLogPath?: string
  auditLogMaxsize?: number
  auditLogMaxbackup?: number
  auditLogMaxage?: number
  encryptionProviderConfig?: string
  runtimeConfig?: string[]
  maxRequestsInflight?: number
  maxMutatingRequestsInflight?: number
}

const DEFAULT_LOG_MB = 100

function read(flag: string, path: string): NamedText {
  try {
    return { path, text: readFileSync(isAbsolute(path) ? path : resolve(path), 'utf8') }
  } catch (error) {
    throw new Error(`${flag}: ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

/** Reads the files flags name. @throws Error that names the flag */
export function readApiServerSettings(flags: ApiServerFlags): ApiServerSettings {
  const defaults = DEFAULT_SETTINGS
  const file = (flag: string, path: string | undefined): NamedText | undefined => (path === undefined || path === '' ? undefined : read(flag, path))
  const tokenFile = file('--token-auth-file', flags.tokenAuthFile)
  const basicAuthFile = file('--basic-auth-file', flags.basicAuthFile)
  const signingKey = file('--service-account-signing-key-file', flags.serviceAccountSigningKeyFile)
  const encryption = file('--encryption-provider-config', flags.encryptionProviderConfig)
  const audit = auditSettings(flags)
  return {
    authentication: {
      anonymous: flags.anonymousAuth ?? defaults.authentication.anonymous,
      ...(tokenFile === undefined ? {} : { tokenFile }),
      ...(basicAuthFile === undefined ? {} : { basicAuthFile }),
      bootstrapTokens: flags.enableBootstrapTokenAuth ?? defaults.authentication.bootstrapTokens,
      serviceAccountKeys: (flags.serviceAccountKeyFile ?? []).map((path) => read('--service-account-key-file', path)),
      ...(signingKey === undefined ? {} : { serviceAccountSigningKey: signingKey }),
      issuers: checkedIssuers(flags.serviceAccountIssuer ?? []),
      audiences: flags.apiAudiences ?? [],
      frontProxyNames: flags.requestheaderAllowedNames ?? defaults.authentication.frontProxyNames,
    },
    authorizationModes: checkedModes(flags.authorizationMode ?? [...defaults.authorizationModes]),
    admission: { enable: flags.enableAdmissionPlugins ?? defaults.admission.enable, disable: flags.disableAdmissionPlugins ?? [] },
    notServed: notServedOf(flags.runtimeConfig ?? []),
    ...(audit === undefined ? {} : { audit }),
    ...(encryption === undefined ? {} : { encryption }),
    maxRequestsInflight: flags.maxRequestsInflight ?? defaults.maxRequestsInflight,
    maxMutatingRequestsInflight: flags.maxMutatingRequestsInflight ?? defaults.maxMutatingRequestsInflight,
  }
}

function auditSettings(flags: ApiServerFlags): ApiServerSettings['audit'] {
  const { auditPolicyFile = '', auditLogPath = '' } = flags
  if (auditPolicyFile === '' && auditLogPath === '') return undefined
  if (auditPolicyFile === '') throw new Error('--audit-log-path needs --audit-policy-file: without a policy nothing is written')
  if (auditLogPath === '') throw new Error('--audit-policy-file needs --audit-log-path: say where to write, - is standard output')
  return {
    policy: read('--audit-policy-file', auditPolicyFile),
    logPath: auditLogPath,
    maxSizeMb: flags.auditLogMaxsize === undefined || flags.auditLogMaxsize === 0 ? DEFAULT_LOG_MB : flags.auditLogMaxsize,
    maxBackups: flags.auditLogMaxbackup ?? 0,
    maxAgeDays: flags.auditLogMaxage ?? 0,
  }
}

function checkedModes(modes: readonly string[]): AuthorizationMode[] {
  if (modes.length === 0) throw new Error('--authorization-mode needs at least one mode')
  return modes.map((mode) => {
    const known = AUTHORIZATION_MODES.find((each) => each === mode)
    if (known === undefined) throw new Error(`--authorization-mode: ${JSON.stringify(mode)} is not a valid mode; valid are ${AUTHORIZATION_MODES.join(', ')}`)
    return known
  })
}

/** `GROUP/VERSION=false` turns off; what is on by itself may be named with `=true` or nothing. */
function notServedOf(config: readonly string[]): string[] {
  return config.flatMap((each) => {
    const [name = '', value = 'true'] = each.split('=')
    if (!/^[a-z0-9.-]*\/?v\d\w*(\/[a-z]+)?$/.test(name) || (value !== 'true' && value !== 'false'))
      throw new Error(`--runtime-config: ${JSON.stringify(each)} is not GROUP/VERSION=false or GROUP/VERSION/RESOURCE=false`)
    return value === 'false' ? [name] : []
  })
}

function checkedIssuers(issuers: readonly string[]): string[] {
  for (const issuer of issuers)
    if (issuer.includes(':') && !URL.canParse(issuer)) throw new Error(`--service-account-issuer contained a ':' but was not a valid URL: ${issuer}`)
  return [...issuers]
}
