/** What a family of `/metrics` looks like: how it is read, not what it says now. */
export interface FamilyForm {
  type: string
  /** In the order of the alphabet, without `le` and `quantile`. */
  labels: string[]
  /** Upper bounds of a histogram as they are written. */
  bounds?: string[]
}

export interface Sample {
  name: string
  labels: Record<string, string>
  value: number
}

/** @param text in Prometheus' text format */
export function samplesOf(text: string): Sample[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name = '', labels = '', value = ''] = /^([^{ ]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
      return {
        name,
        labels: Object.fromEntries([...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = '', each = '']) => [key, each])),
        value: Number(value),
      }
    })
}

/** The families of a text that have a series. */
export function familyForms(text: string): Record<string, FamilyForm> {
  const forms: Record<string, FamilyForm> = {}
  const samples = samplesOf(text)
  for (const [, family = '', type = ''] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    const own = samples.filter(
      ({ name }) =>
        name === family || (type !== 'counter' && type !== 'gauge' && /^_(?:bucket|sum|count)$/.test(name.slice(family.length)) && name.startsWith(family)),
    )
    const labels = [...new Set(own.flatMap((sample) => Object.keys(sample.labels)))].filter((label) => label !== 'le' && label !== 'quantile').sort()
    const bounds = [...new Set(own.flatMap((sample) => sample.labels['le'] ?? []))]
    forms[family] = { type, labels, ...(bounds.length === 0 ? {} : { bounds }) }
  }
  return forms
}
