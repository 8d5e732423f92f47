import type { UserInfo } from '#shared/kubernetes/transport.ts'

/** What becomes known about a request while it is answered: the audit log and the metrics read it afterwards. */
export interface RequestRecord {
  /** Path and query as sent. */
  readonly uri: string
  /** Addresses it came from; empty inside this process. */
  readonly sourceIps: readonly string[]
  /** The user the request is made as, when the asker impersonates one. */
  impersonated?: UserInfo
  /** Of the audit event, by key. */
  readonly annotations: Record<string, string>
}

export const newRequestRecord = (uri: string, sourceIps: readonly string[]): RequestRecord => ({ uri, sourceIps, annotations: {} })
