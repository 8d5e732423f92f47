import { Optional } from '@marcbachmann/cel-js'
import { fromBase64 } from '../../codec/base64.ts'
import { dns1035Errors, dnsLabelErrors, dnsSubdomainErrors, labelValueErrors, qualifiedNameErrors } from '../../validation/names.ts'
import type { CelFunction } from '../interface.ts'
import { parseUrl } from './urls.ts'

/** A `format.dns1123Label()` in an expression. `maxRegexSize` is what its validation counts as, in characters of a pattern. */
export class CelFormat {
  readonly name: string
  readonly errors: (text: string) => string[]
  readonly maxRegexSize: number

  constructor(name: string, errors: (text: string) => string[], maxRegexSize: number) {
    this.name = name
    this.errors = errors
    this.maxRegexSize = maxRegexSize
  }

  equals(other: unknown): boolean {
    return other === this
  }
}

/** A generated name's prefix may end in a dash: what follows is appended. */
const prefix =
  (errors: (text: string) => string[]) =>
  (text: string): string[] =>
    errors(text.endsWith('-') ? `${text.slice(0, -1)}a` : text)
const unless =
  (pattern: RegExp, message: string) =>
  (text: string): string[] =>
    pattern.test(text) ? [] : [message]

const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i

const formats: Readonly<Record<string, CelFormat>> = {
  dns1123Label: new CelFormat('DNS1123Label', dnsLabelErrors, 30),
  dns1123Subdomain: new CelFormat('DNS1123Subdomain', dnsSubdomainErrors, 60),
  dns1035Label: new CelFormat('DNS1035Label', dns1035Errors, 30),
  qualifiedName: new CelFormat('QualifiedName', qualifiedNameErrors, 60),
  dns1123LabelPrefix: new CelFormat('DNS1123LabelPrefix', prefix(dnsLabelErrors), 30),
  dns1123SubdomainPrefix: new CelFormat('DNS1123SubdomainPrefix', prefix(dnsSubdomainErrors), 60),
  dns1035LabelPrefix: new CelFormat('DNS1035LabelPrefix', prefix(dns1035Errors), 30),
  labelValue: new CelFormat('LabelValue', labelValueErrors, 40),
  uri: new CelFormat(
    'URI',
    (text) => {
      const url = parseUrl(text)
      return typeof url === 'string' ? [url] : []
    },
    1000,
  ),
  uuid: new CelFormat('uuid', unless(UUID, 'does not match the UUID format'), 80),
  byte: new CelFormat('byte', (text) => (fromBase64(text) === null ? ['invalid base64'] : []), 85),
  date: new CelFormat('date', (text) => (/^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)) ? [] : ['invalid date']), 110),
  datetime: new CelFormat(
    'datetime',
    (text) => (/^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:?\d\d)?$/.test(text) ? [] : ['invalid datetime']),
    110,
  ),
}

/** Kubernetes' format library. */
export const formatFunctions: readonly CelFunction[] = [
  {
    signature: 'FormatNamespace.named(string): optional<Format>',
    call: (_: unknown, name: string) => (Object.hasOwn(formats, name) ? Optional.of(formats[name]) : Optional.none()),
  },
  ...Object.keys(formats).map((name) => ({ signature: `FormatNamespace.${name}(): Format`, call: () => formats[name] })),
  {
    signature: 'Format.validate(string): optional<list<string>>',
    call: (format: CelFormat, text: string) => {
      const errors = format.errors(text)
      return errors.length === 0 ? Optional.none() : Optional.of(errors)
    },
  },
]
