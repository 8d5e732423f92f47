import { InvalidArgumentError, type Command } from 'commander'

const collected = (text: string, known: string[] | undefined): string[] => [...(known ?? []), ...text.split(',').filter((each) => each !== '')]

function count(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('it must be a whole number of at least 0.')
  return value
}

function truth(text: string): boolean {
  if (text === 'true') return true
  if (text === 'false') return false
  throw new InvalidArgumentError('it must be true or false.')
}

/** Flags of `drydock cluster` that kube-apiserver has under the same names. */
export function addApiServerFlags(command: Command): Command {
  return command
    .option('--anonymous-auth <bool>', 'serve requests without credentials as system:anonymous (default: true)', truth)
    .option('--token-auth-file <file>', 'users by bearer token: token,user,uid,"group1,group2"')
    .option('--basic-auth-file <file>', 'users by password: password,user,uid,"groups" (removed from Kubernetes in 1.19; for rehearsing older clusters)')
    .option('--enable-bootstrap-token-auth <bool>', 'accept bootstrap tokens of kube-system (default: true)', truth)
    .option('--service-account-key-file <file>', 'PEM with keys that service account tokens may be signed with; may be repeated', collected)
    .option('--service-account-signing-key-file <file>', 'PEM of the key that signs new service account tokens')
    .option('--service-account-issuer <issuer>', 'issuer of service account tokens; repeated, the first signs and all are accepted', collected)
    .option('--api-audiences <list>', 'audiences of the API server (default: the issuers)', collected)
    .option('--requestheader-allowed-names <list>', 'common names the front proxy may have', collected)
    .option('--authorization-mode <list>', 'AlwaysAllow, AlwaysDeny, Node, RBAC (default: Node,RBAC)', collected)
    .option('--enable-admission-plugins <list>', 'admission plugins on beside the default ones (default: NodeRestriction)', collected)
    .option('--disable-admission-plugins <list>', 'admission plugins that are off', collected)
    .option('--audit-policy-file <file>', 'audit.k8s.io Policy: which requests are written, and how much')
    .option('--audit-log-path <file>', 'where audit events are written, - is standard output')
    .option('--audit-log-maxsize <megabytes>', 'size at which the audit log is put aside (default: 100)', count)
    .option('--audit-log-maxbackup <n>', 'audit logs put aside that are kept, 0 = all', count)
    .option('--audit-log-maxage <days>', 'days an audit log put aside is kept, 0 = for ever', count)
    .option(
      '--runtime-config <list>',
      'GROUP/VERSION=false or GROUP/VERSION/RESOURCE=false: not served; metrics.k8s.io/v1beta1=false is a cluster without metrics-server',
      collected,
    )
    .option('--encryption-provider-config <file>', 'EncryptionConfiguration: how stored objects are encrypted')
    .option('--max-requests-inflight <n>', 'reading requests served at once, 0 = no limit (default: 400)', count)
    .option('--max-mutating-requests-inflight <n>', 'changing requests served at once, 0 = no limit (default: 200)', count)
}
