import { deepEqual, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import { matchesLabelSelector } from '#shared/kubernetes/labelSelector.ts'
import { CLUSTER_ROLES } from '#electron/client/resources.ts'
import { keyOf, objectsAt, type Controller, type ControllerContext } from '../../controller.ts'

/** Writes into ClusterRoles with an aggregationRule the rules of the roles it selects. */
export function clusterRoleAggregationController(context: ControllerContext): Controller {
  const { client } = context
  const roles = context.informer(CLUSTER_ROLES)
  const queue = context.queue('clusterrole-aggregation', sync, 1)
  roles.onEvent(() => {
    for (const role of roles.list()) if (role['aggregationRule'] !== undefined) queue.add(keyOf(role))
  })

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const role = roles.get('', key.slice(1))
    if (role === undefined || role['aggregationRule'] === undefined) return
    const name = role.metadata.name ?? ''
    const selectors = objectsAt(objectAt(role['aggregationRule'])['clusterRoleSelectors'])
    const rules: JsonObject[] = []
    for (const selector of selectors) {
      const selected = roles.list().filter((each) => each.metadata.name !== name && matchesLabelSelector(selector, each.metadata.labels ?? {}))
      selected.sort((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1))
      for (const each of selected) for (const rule of objectsAt(each['rules'])) if (!rules.some((known) => deepEqual(known, rule))) rules.push(rule)
    }
    if (deepEqual(objectsAt(role['rules']), rules)) return
    await client.update(CLUSTER_ROLES, { name }, { ...role, rules }, signal)
  }

  return { name: 'clusterrole-aggregation', run: (signal) => queue.run(signal) }
}
