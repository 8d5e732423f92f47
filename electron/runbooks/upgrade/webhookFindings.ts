import type { UpgradeFinding } from '#shared/contract/runbooks.ts'
import { isObject } from '#shared/kubernetes/json.ts'
import { matchesLabelSelector } from '#shared/kubernetes/labelSelector.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import type { ClusterApi } from '../clusterApi.ts'

const GROUP = '/apis/admissionregistration.k8s.io/v1'
/** What an upgrade writes: kubeadm, the kubelets and the controllers that replace what a drain evicts. */
const WRITTEN = new Set([
  'pods',
  'nodes',
  'configmaps',
  'secrets',
  'daemonsets',
  'deployments',
  'replicasets',
  'leases',
  'serviceaccounts',
  'roles',
  'rolebindings',
  'clusterroles',
  'clusterrolebindings',
])

interface Webhook {
  name: string
  configuration: string
  service: { namespace: string; name: string } | null
  resources: string[]
  namespaceSelector: unknown
}

/** Webhooks whose failure stops what they are asked about: those nobody answers, and those that an upgrade's own pods have to pass. */
export async function webhookFindings(api: ClusterApi, signal: AbortSignal): Promise<UpgradeFinding[]> {
  const webhooks = (await Promise.all(['validatingwebhookconfigurations', 'mutatingwebhookconfigurations'].map((plural) => read(api, plural, signal)))).flat()
  if (webhooks.length === 0) return []
  const system = await api.get('/api/v1/namespaces/kube-system', signal)
  const labels = system.metadata.labels ?? {}
  const found = await Promise.all(
    webhooks.map(async (webhook): Promise<UpgradeFinding[]> => {
      const asked = webhook.resources.filter((resource) => resource === '*' || WRITTEN.has(resource))
      const inSystem = matchesLabelSelector(webhook.namespaceSelector ?? {}, labels)
      const endpoints = webhook.service === null ? null : await readyEndpoints(api, webhook.service, signal)
      const who = `webhook ${webhook.name} of ${webhook.configuration}`
      const off = `Have its pods run, or take it out for the time of the upgrade (keep a copy): kubectl get ${webhook.configuration} -o yaml`
      if (endpoints === 0)
        return [
          {
            level: asked.length > 0 ? 'blocking' : 'warning',
            title: `${who} refuses ${webhook.resources.join(', ') || 'nothing'} when it is not answered (failurePolicy Fail), and its service ${webhook.service?.namespace ?? ''}/${webhook.service?.name ?? ''} has no ready endpoint`,
            cure: off,
          },
        ]
      if (!inSystem || asked.length === 0) return []
      return [
        {
          level: 'warning',
          title: `${who} is asked about ${asked.join(', ')} in kube-system too, and refuses when it is not answered${endpoints === 1 ? '; it has a single endpoint, which a drain takes away' : ''}`,
          cure: `Leave kube-system out by its namespaceSelector (kubernetes.io/metadata.name NotIn [kube-system])${endpoints === 1 ? ', or run a second replica on another node' : ''}.`,
        },
      ]
    }),
  )
  return found.flat()
}

async function read(api: ClusterApi, plural: string, signal: AbortSignal): Promise<Webhook[]> {
  const objects = await api.list(`${GROUP}/${plural}`, signal).catch((error: unknown): KubeObject[] => {
    if (!isNotFound(error)) throw error
    return []
  })
  return objects.flatMap((object) => {
    const hooks = Array.isArray(object['webhooks']) ? object['webhooks'].filter(isObject) : []
    return hooks
      .filter((hook) => (hook['failurePolicy'] ?? 'Fail') === 'Fail')
      .map((hook): Webhook => {
        const client = isObject(hook['clientConfig']) ? hook['clientConfig'] : {}
        const service = isObject(client['service']) ? client['service'] : null
        const rules = Array.isArray(hook['rules']) ? hook['rules'].filter(isObject) : []
        return {
          name: text(hook['name']),
          configuration: `${plural.replace(/s$/, '')}/${object.metadata.name ?? ''}`,
          service: service === null ? null : { namespace: text(service['namespace']), name: text(service['name']) },
          resources: [...new Set(rules.flatMap((rule) => (Array.isArray(rule['resources']) ? rule['resources'].map(String) : [])).map(withoutSubresource))],
          namespaceSelector: hook['namespaceSelector'],
        }
      })
  })
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const withoutSubresource = (resource: string): string => resource.split('/')[0] ?? resource

/** Addresses that are ready; 0 too when there is no such service. */
async function readyEndpoints(api: ClusterApi, { namespace, name }: { namespace: string; name: string }, signal: AbortSignal): Promise<number> {
  try {
    const endpoints = await api.get(`/api/v1/namespaces/${encodeURIComponent(namespace)}/endpoints/${encodeURIComponent(name)}`, signal)
    const subsets = Array.isArray(endpoints['subsets']) ? endpoints['subsets'].filter(isObject) : []
    return subsets.reduce((sum, { addresses }) => sum + (Array.isArray(addresses) ? addresses.length : 0), 0)
  } catch (error) {
    if (isNotFound(error)) return 0
    throw error
  }
}
