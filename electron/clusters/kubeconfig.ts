import { readFile } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import { parse } from 'yaml'
import { listAt, mapAt, textAt } from '#shared/resources/fields.ts'

/** A credential plugin, as `users[].user.exec` has it. */
export interface ExecPlugin {
  apiVersion: string
  command: string
  args: string[]
  env: Record<string, string>
  provideClusterInfo: boolean
}

/** One context of a kubeconfig file with what it points to resolved; file contents are read when connecting. */
export interface KubeContext {
  /** Absolute path of the file it stands in. */
  path: string
  name: string
  isCurrent: boolean
  server: string
  namespace: string
  clusterName: string
  userName: string
  tlsServerName: string
  insecureSkipTlsVerify: boolean
  proxyUrl: string
  /** Each either inline PEM or a path. */
  ca: FileOrData
  clientCertificate: FileOrData
  clientKey: FileOrData
  token: FileOrData
  username: string
  password: string
  /** `as`, `as-groups`, `as-uid` and `as-user-extra`: whom every request is made as; without a user, nobody else. */
  impersonate: { user: string; groups: string[]; uid: string; extra: Record<string, string[]> }
  exec: ExecPlugin | null
  /** Why it cannot be used, e.g. a cluster that is not in the file; '' when it can. */
  problem: string
}

/** Text given in the file itself (decoded), a path relative to it resolved, or nothing. */
export interface FileOrData {
  data: string
  file: string
}

function fileOrData(entry: unknown, names: { data: string; file: string; encoded: boolean }, folder: string): FileOrData {
  const raw = textAt(entry, names.data)
  const file = textAt(entry, names.file)
  return {
    data: names.encoded && raw !== '' ? Buffer.from(raw, 'base64').toString('utf8') : raw,
    file: file === '' || isAbsolute(file) ? file : join(folder, file),
  }
}

/** The text, read from its file when it is not inline; '' when there is none. */
export async function readFileOrData(source: FileOrData): Promise<string> {
  if (source.data !== '') return source.data
  return source.file === '' ? '' : (await readFile(source.file, 'utf8')).trim()
}

function execPlugin(user: unknown, folder: string): ExecPlugin | null {
  const exec = mapAt(user, 'exec')
  const command = textAt(exec, 'command')
  if (command === '') return null
  return {
    apiVersion: textAt(exec, 'apiVersion'),
    // A relative path with a separator is relative to the file; a bare name is looked up on PATH, as client-go does.
    command: command.includes('/') && !isAbsolute(command) ? join(folder, command) : command,
    args: listAt(exec, 'args').map(String),
    env: Object.fromEntries(listAt(exec, 'env').map((each) => [textAt(each, 'name'), textAt(each, 'value')])),
    provideClusterInfo: textAt(exec, 'provideClusterInfo') === 'true',
  }
}

/** Reads the contexts of a kubeconfig's text. @throws Error when it is no YAML */
export function parseKubeconfig(text: string, path: string): KubeContext[] {
  const root: unknown = parse(text)
  const folder = dirname(path)
  const find = (list: string, field: string, name: string): unknown => {
    const entry = listAt(root, list).find((each) => textAt(each, 'name') === name)
    return entry === undefined ? undefined : mapAt(entry, field)
  }
  return listAt(root, 'contexts').map((entry) => {
    const context = mapAt(entry, 'context')
    const clusterName = textAt(context, 'cluster')
    const userName = textAt(context, 'user')
    const cluster = find('clusters', 'cluster', clusterName)
    const user = find('users', 'user', userName)
    const server = textAt(cluster, 'server')
    const proxyUrl = textAt(cluster, 'proxy-url')
    return {
      path,
      name: textAt(entry, 'name'),
      isCurrent: textAt(root, 'current-context') === textAt(entry, 'name'),
      server: server.replace(/\/+$/, ''),
      namespace: textAt(context, 'namespace') || 'default',
      clusterName,
      userName,
      tlsServerName: textAt(cluster, 'tls-server-name'),
      insecureSkipTlsVerify: textAt(cluster, 'insecure-skip-tls-verify') === 'true',
      proxyUrl,
      ca: fileOrData(cluster, { data: 'certificate-authority-data', file: 'certificate-authority', encoded: true }, folder),
      clientCertificate: fileOrData(user, { data: 'client-certificate-data', file: 'client-certificate', encoded: true }, folder),
      clientKey: fileOrData(user, { data: 'client-key-data', file: 'client-key', encoded: true }, folder),
      token: fileOrData(user, { data: 'token', file: 'tokenFile', encoded: false }, folder),
      username: textAt(user, 'username'),
      password: textAt(user, 'password'),
      impersonate: {
        user: textAt(user, 'as'),
        groups: listAt(user, 'as-groups').map(String),
        uid: textAt(user, 'as-uid'),
        extra: Object.fromEntries(Object.entries(mapAt(user, 'as-user-extra')).map(([key, values]) => [key, Array.isArray(values) ? values.map(String) : []])),
      },
      exec: execPlugin(user, folder),
      problem: problemOf({ cluster, clusterName, user, userName, server, proxyUrl }),
    }
  })
}

function problemOf(found: { cluster: unknown; clusterName: string; user: unknown; userName: string; server: string; proxyUrl: string }): string {
  if (found.cluster === undefined) return `cluster "${found.clusterName}" is not in the kubeconfig`
  if (found.user === undefined && found.userName !== '') return `user "${found.userName}" is not in the kubeconfig`
  if (!/^https?:\/\//.test(found.server)) return `server "${found.server}" is not an http or https address`
  if (found.proxyUrl !== '') return 'proxy-url is not supported yet'
  return ''
}
