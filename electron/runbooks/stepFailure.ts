/** Failures that have one cause wherever they show, and what can be done about it. */
const KNOWN: readonly { pattern: RegExp; advice: string }[] = [
  {
    // An API server whose etcd client finds no member says the third.
    pattern:
      /etcdserver: (request timed out|no leader|leader changed|not healthy)|etcd (cluster )?is unavailable|No connection established|context deadline exceeded/,
    advice:
      'etcd does not answer as a whole: it has probably lost its quorum, as more than half of its members have to be up. The API server can neither read nor write; pods run on. Bring the members back (etcdctl endpoint status --cluster; crictl ps -a on their nodes), then retry',
  },
  { pattern: /ENOSPC|[Nn]o space left on device/, advice: 'A disk is full: make room on the one that is named, then retry' },
]

/** What a step's failure says to the operator: the error's own words, and what can be done where that is known. */
export function failureText(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  const known = KNOWN.find(({ pattern }) => pattern.test(text))
  return known === undefined ? text : `${text.replace(/\.$/, '')}. ${known.advice}`
}
