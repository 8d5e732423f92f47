import { timingSafeEqual } from 'node:crypto'
import type { Logger } from '#shared/base/logger.ts'
import type { UserInfo } from '#shared/kubernetes/transport.ts'
import { parseCsv } from './csv.ts'

/** `groups` of a record: the fourth column, several separated by commas. */
const groupsIn = (column: string | undefined): string[] => (column === undefined ? [] : column.split(','))

/**
 * Users by bearer token, from a file of `token,user,uid[,"group1,group2"]` (`--token-auth-file`).
 *
 * @throws Error as kube-apiserver's when a record is too short
 * @see kubernetes staging/src/k8s.io/apiserver/pkg/authentication/token/tokenfile
 */
export function readTokenFile(path: string, text: string, logger: Logger): ReadonlyMap<string, UserInfo> {
  const users = new Map<string, UserInfo>()
  for (const [index, record] of parseCsv(text).entries()) {
    const [token = '', username = '', uid = '', groups] = record
    if (record.length < 3) throw new Error(`token file '${path}' must have at least 3 columns (token, user name, user uid), found ${String(record.length)}`)
    if (token === '') {
      logger.warn('a record of the token file has no token and is left out', { path, record: index + 1 })
      continue
    }
    if (users.has(token)) logger.warn('a token stands twice in the token file; its last record counts', { path, record: index + 1 })
    users.set(token, { username, uid, groups: groupsIn(groups) })
  }
  return users
}

/** Users by name and password: what `--basic-auth-file` was until Kubernetes 1.19 removed it. */
export class PasswordFile {
  readonly #users = new Map<string, { password: Buffer; user: UserInfo }>()

  /** @param text records of `password,user,uid[,"group1,group2"]`; @throws Error when one is too short */
  constructor(path: string, text: string) {
    for (const record of parseCsv(text)) {
      const [password = '', username = '', uid = '', groups] = record
      if (record.length < 3)
        throw new Error(`password file '${path}' must have at least 3 columns (password, user name, user uid), found ${String(record.length)}`)
      this.#users.set(username, { password: Buffer.from(password), user: { username, uid, groups: groupsIn(groups) } })
    }
  }

  /** @returns null when there is no such user or the password is another */
  user(username: string, password: string): UserInfo | null {
    const known = this.#users.get(username)
    if (known === undefined) return null
    const given = Buffer.from(password)
    return given.length === known.password.length && timingSafeEqual(given, known.password) ? known.user : null
  }
}
