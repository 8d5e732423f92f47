/** What a path asks for, as upstream's RequestInfo. */
export type RequestInfo =
  | { isResource: false; path: string }
  | {
      isResource: true
      path: string
      group: string
      version: string
      resource: string
      namespace: string
      name: string
      subresource: string
      /** What follows the subresource, for proxies. */
      rest: string
      /** The path was `/api/v1/watch/…`. */
      watchPath: boolean
    }

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/**
 * Splits `/api/v1/namespaces/{ns}/{resource}/{name}/{subresource}` and its shorter forms. `/namespaces/{name}` and
 * `/namespaces/{name}/{status|finalize}` are the namespace itself.
 */
export function parseRequestPath(path: string): RequestInfo {
  const parts = path.split('/').filter((part) => part !== '')
  const grouped = parts[0] === 'apis'
  if ((parts[0] !== 'api' && !grouped) || parts.length < (grouped ? 4 : 3)) return { isResource: false, path }
  const group = grouped ? decode(parts[1] ?? '') : ''
  const version = parts[grouped ? 2 : 1] ?? ''
  let rest = parts.slice(grouped ? 3 : 2).map(decode)
  const watchPath = rest[0] === 'watch' && rest.length > 1
  if (watchPath) rest = rest.slice(1)
  let namespace = ''
  if (rest[0] === 'namespaces' && rest.length > 1) {
    namespace = rest[1] ?? ''
    const [, , third] = rest
    if (rest.length > 2 && !(group === '' && (third === 'status' || third === 'finalize'))) rest = rest.slice(2)
  }
  const [resource = '', name = '', subresource = '', ...more] = rest
  return { isResource: true, path, group, version, resource, namespace, name, subresource, rest: more.join('/'), watchPath }
}

/** The RBAC verb of a request. */
export function verbOf(method: string, info: RequestInfo, query: URLSearchParams): string {
  if (!info.isResource) return method.toLowerCase()
  switch (method) {
    case 'POST':
      return 'create'
    case 'PUT':
      return 'update'
    case 'PATCH':
      return 'patch'
    case 'DELETE':
      return info.name === '' ? 'deletecollection' : 'delete'
    default: {
      const watches = info.watchPath || isTrue(query.get('watch'))
      if (watches && info.subresource === '') return 'watch'
      return info.name === '' ? 'list' : 'get'
    }
  }
}

/** Query booleans as Go's conversion reads them: anything but empty, `0` and `false` is true. */
export function isTrue(value: string | null): boolean {
  return value !== null && value !== '0' && value.toLowerCase() !== 'false'
}
