import type { ApiAnswer, ApiConnection } from './apiConnection.ts'

const NAME = 'drydock-metrics'

/** Requests that bring every series of an API server into being which does not need a fault; what is made is taken away again. */
export async function loadMetrics(connection: ApiConnection): Promise<void> {
  const call = (method: string, path: string, body?: object, type = 'application/json'): Promise<ApiAnswer> =>
    connection.call({ method, path, ...(body === undefined ? {} : { body, headers: { 'content-type': type } }) })
  const maps = '/api/v1/namespaces/default/configmaps'
  await call('DELETE', `${maps}/${NAME}`)
  await call('POST', maps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: NAME } })
  await call('PATCH', `${maps}/${NAME}`, { data: { a: 'b' } }, 'application/merge-patch+json')
  await call(
    'PATCH',
    `${maps}/${NAME}?fieldManager=metrics&force=true`,
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: NAME } },
    'application/apply-patch+yaml',
  )
  await call('GET', maps)
  await call('GET', `${maps}?watch=true&timeoutSeconds=1`)
  await call('GET', '/apis/policy/v1beta1/poddisruptionbudgets')
  await call('DELETE', `${maps}/${NAME}`)
}
