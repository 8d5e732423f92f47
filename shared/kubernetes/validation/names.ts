import { memoized } from '../../base/memo.ts'
import { byteLength } from './values.ts'

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const LABEL_RULE = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character"
const SUBDOMAIN_RULE =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"

/** Upstream's sentence about a regular expression; the two spaces before "or" are its own. */
export function rule(text: string, example: string, pattern: string): string {
  if (example === '') return `${text} (regex used for validation is '${pattern}')`
  const examples = example
    .split('|')
    .map((each) => `'${each}', `)
    .join(' or ')
  return `${text} (e.g. ${examples}regex used for validation is '${pattern}')`
}

/** Whether a text is of a form as a whole; compiled once. */
function whole(pattern: string): (text: string) => boolean {
  const expression = new RegExp(`^${pattern}$`)
  return (text) => expression.test(text)
}

function longer(text: string, limit: number): string[] {
  return byteLength(text) > limit ? [`must be no more than ${String(limit)} characters`] : []
}

/** Each of these gives the reasons why a text is no such name; none when it is one. */
export function dnsLabelErrors(text: string): string[] {
  return [...longer(text, 63), ...(isLabel(text) ? [] : [rule(LABEL_RULE, 'my-name|123-abc', LABEL)])]
}

const isLabel = whole(LABEL)

/** Names of most objects. */
export function dnsSubdomainErrors(text: string): string[] {
  return [...longer(text, 253), ...(isSubdomain(text) ? [] : [rule(SUBDOMAIN_RULE, 'example.com', SUBDOMAIN)])]
}

const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`
const isSubdomain = whole(SUBDOMAIN)

/** Names of services: a label that starts with a letter. */
export function dns1035Errors(text: string): string[] {
  const message =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character"
  return [...longer(text, 63), ...(isDns1035(text) ? [] : [rule(message, 'my-name|abc-123', LABEL_1035)])]
}

const LABEL_1035 = '[a-z]([-a-z0-9]*[a-z0-9])?'
const isDns1035 = whole(LABEL_1035)

/** Names that become one segment of a path: roles, bindings. */
export function pathSegmentErrors(text: string): string[] {
  if (text === '.' || text === '..') return [`may not be '${text}'`]
  return ['/', '%'].filter((each) => text.includes(each)).map((each) => `may not contain '${each}'`)
}

/** Keys of labels, annotations, taints. */
export function qualifiedNameErrors(text: string): string[] {
  // Nearly all are keys that were seen before.
  return [...knownQualifiedName(text)]
}

/** Whether `qualifiedNameErrors` finds nothing. */
export function isQualifiedName(text: string): boolean {
  return knownQualifiedName(text).length === 0
}

const QUALIFIED = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const isQualified = whole(QUALIFIED)
const knownQualifiedName = memoized(findQualifiedNameErrors, 4096)

function findQualifiedNameErrors(text: string): readonly string[] {
  const parts = text.split('/')
  if (parts.length > 2) {
    const sentence = rule(
      "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
      'MyName|my.name|123-abc',
      QUALIFIED,
    )
    return [`${sentence} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`]
  }
  const name = parts.at(-1) ?? ''
  const errors: string[] = []
  if (parts.length === 2) {
    const prefix = parts[0] ?? ''
    if (prefix === '') errors.push('prefix part must be non-empty')
    else errors.push(...dnsSubdomainErrors(prefix).map((each) => `prefix part ${each}`))
  }
  if (name === '') errors.push('name part must be non-empty')
  else if (byteLength(name) > 63) errors.push('name part must be no more than 63 characters')
  if (!isQualified(name))
    errors.push(
      rule(
        "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        'MyName|my.name|123-abc',
        QUALIFIED,
      ),
    )
  return errors
}

export function labelValueErrors(text: string): string[] {
  const message =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
  return [...longer(text, 63), ...(isLabelValueText(text) ? [] : [rule(message, 'MyValue|my_value|12345', LABEL_VALUE)])]
}

const LABEL_VALUE = '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?'
const isLabelValueText = whole(LABEL_VALUE)

/** Whether `labelValueErrors` finds nothing. */
export function isLabelValue(text: string): boolean {
  return text.length <= 63 && isLabelValueText(text)
}

/** Keys of config maps and secrets. */
export function configKeyErrors(text: string): string[] {
  const message = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
  const errors = [...longer(text, 253), ...(isConfigKey(text) ? [] : [rule(message, 'key.name|KEY_NAME|key-name', CONFIG_KEY)])]
  return [...errors, ...dotErrors(text)]
}

const CONFIG_KEY = '[-._a-zA-Z0-9]+'
const isConfigKey = whole(CONFIG_KEY)

function dotErrors(text: string): string[] {
  if (text === '.') return ["must not be '.'"]
  if (text === '..') return ["must not be '..'"]
  return text.startsWith('..') ? ["must not start with '..'"] : []
}

/** `*.` and a DNS subdomain. */
export function wildcardSubdomainErrors(text: string): string[] {
  const pattern = `\\*\\.${LABEL}(\\.${LABEL})*`
  const message =
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
  return [...longer(text, 253), ...(new RegExp(`^${pattern}$`).test(text) ? [] : [rule(message, '*.example.com', pattern)])]
}

/** Names of environment variables. */
export function envVarNameErrors(text: string): string[] {
  const message = "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit"
  return [...(isEnvVarName(text) ? [] : [rule(message, 'my.env-name|MY_ENV.NAME|MyEnvName1', ENV_NAME)]), ...dotErrors(text)]
}

const ENV_NAME = '[-._a-zA-Z][-._a-zA-Z0-9]*'
const isEnvVarName = whole(ENV_NAME)

export function httpHeaderNameErrors(text: string): string[] {
  return isHttpHeaderName(text) ? [] : [rule("a valid HTTP header must consist of alphanumeric characters or '-'", 'X-Header-Name', HEADER_NAME)]
}

const HEADER_NAME = '[-A-Za-z0-9]+'
const isHttpHeaderName = whole(HEADER_NAME)

export function percentErrors(text: string): string[] {
  const pattern = '[0-9]+%'
  return new RegExp(`^${pattern}$`).test(text) ? [] : [rule("a valid percent string must be a numeric string followed by an ending '%'", '1%|93%', pattern)]
}

/** Names of ports in containers and services' targets (IANA service names). */
export function portNameErrors(text: string): string[] {
  const errors = longer(text, 15)
  if (!/^[-a-z0-9]+$/.test(text)) errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)')
  if (!/[a-z]/.test(text)) errors.push('must contain at least one letter or number (a-z, 0-9)')
  if (text.includes('--')) errors.push('must not contain consecutive hyphens')
  if (text.startsWith('-') || text.endsWith('-')) errors.push('must not begin or end with a hyphen')
  return errors
}

export function rangeError(low: number, high: number): string {
  return `must be between ${String(low)} and ${String(high)}, inclusive`
}

export function portNumberErrors(port: number): string[] {
  return port >= 1 && port <= 65_535 ? [] : [rangeError(1, 65_535)]
}

/** User and group ids. */
export function idErrors(id: number): string[] {
  return id >= 0 && id <= 2_147_483_647 ? [] : [rangeError(0, 2_147_483_647)]
}

/** How a kind's objects may be called; `prefix` is true for generateName, whose end is cut off before something is added. */
export type NameRule = (name: string, prefix: boolean) => string[]

/** Upstream replaces the last two characters of a prefix that ends in a hyphen. */
function masked(name: string, prefix: boolean): string {
  return prefix && name.endsWith('-') ? `${name.slice(0, -2)}a` : name
}

export const subdomainName: NameRule = (name, prefix) => dnsSubdomainErrors(masked(name, prefix))
export const labelName: NameRule = (name, prefix) => dnsLabelErrors(masked(name, prefix))
export const label1035Name: NameRule = (name, prefix) => dns1035Errors(masked(name, prefix))
export const pathSegmentName: NameRule = (name, prefix) =>
  prefix ? ['/', '%'].filter((each) => name.includes(each)).map((each) => `may not contain '${each}'`) : pathSegmentErrors(name)
/** Of roles and bindings, whose beginning is looked at as a whole name. @see pkg/apis/rbac/validation ValidateRBACName */
export const rbacName: NameRule = pathSegmentErrors
/** Any name that the others' rules allow. */
export const anyName: NameRule = () => []
