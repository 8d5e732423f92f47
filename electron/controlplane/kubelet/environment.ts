import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { CONFIG_MAPS, SECRETS, type ApiClient } from './apiClient.ts'
import { fieldText, resourceText, type PodFacts } from './downwardApi.ts'
import { expand } from './expansion.ts'
import type { Container, EnvFromSource, EnvVar, KeyRef } from './types.ts'

/** A container's configuration that cannot be made; the message is the kubelet's. */
export class ConfigFault extends Error {
  override readonly name = 'ConfigFault'
}

export interface ServiceFacts {
  name: string
  namespace: string
  clusterIP: string
  ports: readonly { name?: string; port: number; protocol?: string }[]
}

export interface EnvironmentSources {
  api: ApiClient
  facts: PodFacts
  services: readonly ServiceFacts[]
}

const VARIABLE = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/

/**
 * The variables a container's process starts with: those of `envFrom`, then `env` in its order, then Services'.
 *
 * @returns also the keys that are no variables' names, by where they came from
 * @throws ConfigFault
 * @see kubernetes pkg/kubelet/kubelet_pods.go makeEnvironmentVariables
 */
export async function containerEnvironment(
  container: Container,
  sources: EnvironmentSources,
  signal: AbortSignal,
): Promise<{ env: Map<string, string>; skipped: string[] }> {
  const { pod } = sources.facts
  const services = serviceVariables(sources.services, pod.metadata.namespace ?? 'default', pod.spec.enableServiceLinks ?? true)
  const env = new Map<string, string>()
  const skipped: string[] = []
  for (const source of container.envFrom ?? []) skipped.push(...(await addAll(env, source, sources, signal)))
  for (const variable of container.env ?? []) {
    const value = await valueOf(variable, container, sources, { env, services, signal })
    if (value !== null) env.set(variable.name, value)
  }
  for (const [name, value] of services) if (!env.has(name)) env.set(name, value)
  return { env, skipped }
}

async function addAll(env: Map<string, string>, source: EnvFromSource, sources: EnvironmentSources, signal: AbortSignal): Promise<string[]> {
  const { configMapRef, secretRef, prefix = '' } = source
  const ref = configMapRef ?? secretRef
  if (ref === undefined) return []
  const kind = configMapRef === undefined ? 'secret' : 'configmap'
  const object = await find(kind, ref, sources, signal)
  if (object === null) return []
  const invalid: string[] = []
  for (const [key, text] of Object.entries((object['data'] ?? {}) as Record<string, string>)) {
    const name = `${prefix}${key}`
    if (VARIABLE.test(name)) env.set(name, kind === 'secret' ? Buffer.from(text, 'base64').toString('utf8') : text)
    else invalid.push(name)
  }
  if (invalid.length === 0) return []
  const where = `${kind === 'secret' ? 'secret' : 'configMap'} ${sources.facts.pod.metadata.namespace ?? 'default'}/${ref.name ?? ''}`
  return [`Keys [${invalid.sort().join(', ')}] from the EnvFrom ${where} were skipped since they are considered invalid environment variable names.`]
}

async function valueOf(
  { value = '', valueFrom }: EnvVar,
  container: Container,
  sources: EnvironmentSources,
  { env, services, signal }: { env: ReadonlyMap<string, string>; services: ReadonlyMap<string, string>; signal: AbortSignal },
): Promise<string | null> {
  if (value !== '' || valueFrom === undefined) return expand(value, (name) => env.get(name) ?? services.get(name))
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = valueFrom
  if (fieldRef !== undefined) return fieldText(fieldRef.fieldPath, sources.facts)
  if (resourceFieldRef !== undefined) return resourceText(resourceFieldRef, container, sources.facts)
  if (configMapKeyRef !== undefined) return keyOf('configmap', configMapKeyRef, sources, signal)
  if (secretKeyRef !== undefined) {
    const text = await keyOf('secret', secretKeyRef, sources, signal)
    return text === null ? null : Buffer.from(text, 'base64').toString('utf8')
  }
  return ''
}

async function keyOf(kind: 'configmap' | 'secret', ref: KeyRef, sources: EnvironmentSources, signal: AbortSignal): Promise<string | null> {
  const object = await find(kind, ref, sources, signal)
  if (object === null) return null
  const text = ((object['data'] ?? {}) as Record<string, string>)[ref.key]
  if (text !== undefined) return text
  if (ref.optional === true) return null
  const where = `${kind === 'secret' ? 'Secret' : 'ConfigMap'} ${sources.facts.pod.metadata.namespace ?? 'default'}/${ref.name ?? ''}`
  throw new ConfigFault(`couldn't find key ${ref.key} in ${where}`)
}

async function find(
  kind: 'configmap' | 'secret',
  { name = '', optional = false }: { name?: string; optional?: boolean },
  { api, facts }: EnvironmentSources,
  signal: AbortSignal,
): Promise<KubeObject | null> {
  try {
    return await api.get({ gvr: kind === 'configmap' ? CONFIG_MAPS : SECRETS, namespace: facts.pod.metadata.namespace ?? 'default', name }, signal)
  } catch (error) {
    if (!isNotFound(error)) throw error
    if (optional) return null
    throw new ConfigFault(`${kind} ${JSON.stringify(name)} not found`)
  }
}

/** The API server's Service always, the namespace's when the pod wants their links. @see kubernetes pkg/kubelet/envvars */
function serviceVariables(services: readonly ServiceFacts[], namespace: string, links: boolean): Map<string, string> {
  const variables = new Map<string, string>()
  const chosen = new Map<string, ServiceFacts>()
  for (const service of services) {
    if (service.clusterIP === '' || service.clusterIP === 'None') continue
    const isMaster = service.namespace === 'default' && service.name === 'kubernetes'
    if (isMaster && !chosen.has(service.name)) chosen.set(service.name, service)
    if (links && service.namespace === namespace) chosen.set(service.name, service)
  }
  for (const { name, clusterIP, ports } of [...chosen.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const upper = (text: string): string => text.toUpperCase().replaceAll('-', '_')
    const prefix = upper(name)
    const first = ports[0]
    variables.set(`${prefix}_SERVICE_HOST`, clusterIP)
    if (first === undefined) continue
    variables.set(`${prefix}_SERVICE_PORT`, String(first.port))
    for (const port of ports) if ((port.name ?? '') !== '') variables.set(`${prefix}_SERVICE_PORT_${upper(port.name ?? '')}`, String(port.port))
    const url = ({ port, protocol = 'TCP' }: { port: number; protocol?: string }): string => `${protocol.toLowerCase()}://${clusterIP}:${String(port)}`
    variables.set(`${prefix}_PORT`, url(first))
    for (const port of ports) {
      const link = `${prefix}_PORT_${String(port.port)}_${(port.protocol ?? 'TCP').toUpperCase()}`
      variables.set(link, url(port))
      variables.set(`${link}_PROTO`, (port.protocol ?? 'TCP').toLowerCase())
      variables.set(`${link}_PORT`, String(port.port))
      variables.set(`${link}_ADDR`, clusterIP)
    }
  }
  return variables
}
