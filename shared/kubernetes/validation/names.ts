const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const LABEL_RULE = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character"
const SUBDOMAIN_RULE =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"

function rule(text: string, example: string, pattern: string): string {
  const [first, ...rest] = example.split('|')
  const examples = rest.length === 0 ? `'${first ?? ''}'` : [first, ...rest].map((each) => `'${each ?? ''}'`).join(', or ')
  return `${text} (e.g. ${examples}, regex used for validation is '${pattern}')`
}

function longer(text: string, limit: number): string[] {
  return text.length > limit ? [`must be no more than ${String(limit)} characters`] : []
}

/** Each of these gives the reasons why a text is no such name; none when it is one. */
export function dnsLabelErrors(text: string): string[] {
  return [...longer(text, 63), ...(new RegExp(`^${LABEL}$`).test(text) ? [] : [rule(LABEL_RULE, 'my-name|123-abc', LABEL)])]
}

/** Names of most objects. */
export function dnsSubdomainErrors(text: string): string[] {
  const pattern = `${LABEL}(\\.${LABEL})*`
  return [...longer(text, 253), ...(new RegExp(`^${pattern}$`).test(text) ? [] : [rule(SUBDOMAIN_RULE, 'example.com', pattern)])]
}

/** Names of services: a label that starts with a letter. */
export function dns1035Errors(text: string): string[] {
  const pattern = '[a-z]([-a-z0-9]*[a-z0-9])?'
  const message =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character"
  return [...longer(text, 63), ...(new RegExp(`^${pattern}$`).test(text) ? [] : [rule(message, 'my-name|abc-123', pattern)])]
}

/** Names that become one segment of a path: roles, bindings. */
export function pathSegmentErrors(text: string): string[] {
  if (text === '.' || text === '..') return [`may not be '${text}'`]
  return ['/', '%'].filter((each) => text.includes(each)).map((each) => `may not contain '${each}'`)
}

/** Keys of labels, annotations, taints. */
export function qualifiedNameErrors(text: string): string[] {
  const pattern = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
  const parts = text.split('/')
  const message = rule(
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    'MyName|my.name|123-abc',
    pattern,
  )
  if (parts.length > 2) {
    const whole = rule(
      "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
      'MyName|my.name|123-abc',
      pattern,
    )
    return [`${whole} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`]
  }
  const name = parts.at(-1) ?? ''
  const errors: string[] = []
  if (parts.length === 2) {
    const prefix = parts[0] ?? ''
    if (prefix === '') errors.push('prefix part must be non-empty')
    else errors.push(...dnsSubdomainErrors(prefix).map((each) => `prefix part ${each}`))
  }
  if (name === '') errors.push('name part must be non-empty')
  else if (name.length > 63) errors.push('name part must be no more than 63 characters')
  if (!new RegExp(`^${pattern}$`).test(name)) errors.push(message)
  return errors
}

export function labelValueErrors(text: string): string[] {
  const pattern = '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?'
  const message =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
  return [...longer(text, 63), ...(new RegExp(`^${pattern}$`).test(text) ? [] : [rule(message, 'MyValue|my_value|12345', pattern)])]
}

/** Keys of config maps and secrets. */
export function configKeyErrors(text: string): string[] {
  const pattern = '[-._a-zA-Z0-9]+'
  const message = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
  const errors = [...longer(text, 253), ...(new RegExp(`^${pattern}$`).test(text) ? [] : [rule(message, 'key.name|KEY_NAME|key-name', pattern)])]
  if (text === '.') errors.push("must not be '.'")
  else if (text === '..') errors.push("must not be '..'")
  else if (text.startsWith('..')) errors.push("must not start with '..'")
  return errors
}

/** What a kind's objects may be called. */
export function nameErrors(kind: string, name: string): string[] {
  switch (kind) {
    case 'Namespace':
      return dnsLabelErrors(name)
    case 'Service':
      return dns1035Errors(name)
    case 'Role':
    case 'ClusterRole':
    case 'RoleBinding':
    case 'ClusterRoleBinding':
    case 'FlowSchema':
      return pathSegmentErrors(name)
    default:
      return dnsSubdomainErrors(name)
  }
}
