import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { UserInfo } from '#shared/kubernetes/transport.ts'

const conditionsOf = (request: KubeObject): JsonObject[] => {
  const status = isObject(request['status']) ? request['status'] : {}
  return Array.isArray(status['conditions']) ? status['conditions'].filter(isObject) : []
}

/** Says in the request itself who made it. */
export function prepareSigningRequest(request: KubeObject, user: UserInfo): void {
  const spec: JsonObject = { ...(isObject(request['spec']) ? request['spec'] : {}), username: user.username, groups: user.groups }
  if ((user.uid ?? '') === '') delete spec['uid']
  else spec['uid'] = user.uid
  if (Object.keys(user.extra ?? {}).length === 0) delete spec['extra']
  else spec['extra'] = user.extra
  request['spec'] = spec
  request['status'] = {}
}

/**
 * A signer cannot change what approvers said, and an approver only that.
 *
 * @param now metav1.Time for conditions that come without one
 * @see pkg/registry/certificates/certificates/strategy.go
 */
export function prepareSigningStatus(after: KubeObject, before: KubeObject, subresource: string, now: string): KubeObject {
  const old = conditionsOf(before)
  const conditions = conditionsOf(after).map((each) => ({ ...each }))
  if (subresource === 'status') for (const type of ['Approved', 'Denied']) keepConditions(conditions, old, type)
  for (const condition of conditions) {
    condition['lastUpdateTime'] ??= now
    const transition = old.find((each) => each['type'] === condition['type'] && each['status'] === condition['status'])?.['lastTransitionTime']
    condition['lastTransitionTime'] ??= transition ?? now
  }
  const source = subresource === 'approval' ? before : after
  const status: JsonObject = { ...(isObject(source['status']) ? source['status'] : {}), conditions }
  if (conditions.length === 0) delete status['conditions']
  return { ...before, metadata: after.metadata, status }
}

function keepConditions(conditions: JsonObject[], old: JsonObject[], type: string): void {
  const kept = old.filter((each) => each['type'] === type)
  const places = conditions.flatMap((each, index) => (each['type'] === type ? [index] : []))
  if (kept.length === places.length) for (const [index, place] of places.entries()) conditions[place] = { ...kept[index] }
}
