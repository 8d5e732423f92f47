import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'

/** v1beta1's service by name and number or name of its port; v1 has both within `service`. */
function backendToV1({ serviceName, servicePort, ...rest }: JsonObject): JsonObject {
  if (typeof serviceName !== 'string' || serviceName === '') return rest
  const port = typeof servicePort === 'string' ? { name: servicePort } : { number: servicePort ?? 0 }
  return { ...rest, service: { name: serviceName, port } }
}

function backendToV1beta1({ service, ...rest }: JsonObject): JsonObject {
  if (!isObject(service)) return rest
  const port = isObject(service['port']) ? service['port'] : {}
  const named = typeof port['name'] === 'string' && port['name'] !== ''
  return { ...rest, serviceName: service['name'], servicePort: named ? port['name'] : (port['number'] ?? 0) }
}

function withBackends(spec: JsonObject, change: (backend: JsonObject) => JsonObject): JsonObject {
  if (!Array.isArray(spec['rules'])) return spec
  const rules = (spec['rules'] as unknown[]).map((rule) => {
    if (!isObject(rule) || !isObject(rule['http']) || !Array.isArray(rule['http']['paths'])) return rule
    const paths = (rule['http']['paths'] as unknown[]).map((path) =>
      isObject(path) && isObject(path['backend']) ? { ...path, backend: change(path['backend']) } : path,
    )
    return { ...rule, http: { ...rule['http'], paths } }
  })
  return { ...spec, rules }
}

/**
 * An Ingress between extensions/v1beta1 or networking.k8s.io/v1beta1, in which releases before 1.22 keep it, and v1.
 *
 * @see pkg/apis/networking/v1beta1/conversion.go
 */
export function convertIngress(object: KubeObject, to: 'v1' | 'v1beta1'): KubeObject {
  const { spec } = object
  if (!isObject(spec)) return object
  const { backend, defaultBackend, ...rest } = spec
  if (to === 'v1') {
    const changed = withBackends(rest, backendToV1)
    return { ...object, spec: { ...(isObject(backend) ? { defaultBackend: backendToV1(backend) } : {}), ...changed } }
  }
  const changed = withBackends(rest, backendToV1beta1)
  return { ...object, spec: { ...(isObject(defaultBackend) ? { backend: backendToV1beta1(defaultBackend) } : {}), ...changed } }
}
