import type { SnapshotStatus } from '#shared/contract/backups.ts'

export type OutputFormat = 'simple' | 'table' | 'json' | 'fields'

/** `snapshot status` in etcdctl's four formats; since etcd 3.6 a fifth column names the storage version. */
export function printStatus(status: SnapshotStatus, format: OutputFormat): string {
  const hash = status.hash.toString(16)
  const versioned = status.version !== ''
  switch (format) {
    case 'json':
      return JSON.stringify({
        hash: status.hash,
        revision: status.revision,
        totalKey: status.totalKeys,
        totalSize: status.totalSizeBytes,
        ...(versioned ? { version: status.version } : {}),
      })
    case 'fields':
      return [
        `"Hash" : ${String(status.hash)}`,
        `"Revision" : ${String(status.revision)}`,
        `"Keys" : ${String(status.totalKeys)}`,
        `"Size" : ${String(status.totalSizeBytes)}`,
        ...(versioned ? [`"Version" : "${status.version}"`] : []),
      ].join('\n')
    case 'simple':
      return [hash, String(status.revision), String(status.totalKeys), humanBytes(status.totalSizeBytes), ...(versioned ? [status.version] : [])].join(', ')
    case 'table':
      return printTable(
        ['HASH', 'REVISION', 'TOTAL KEYS', 'TOTAL SIZE', ...(versioned ? ['VERSION'] : [])],
        [[hash, String(status.revision), String(status.totalKeys), humanBytes(status.totalSizeBytes), ...(versioned ? [status.version] : [])]],
      )
  }
}

/** etcdctl 3.4's table: headings centred, cells right-aligned. */
export function printTable(headings: string[], rows: string[][]): string {
  const widths = headings.map((heading, column) => Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const rule = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+`
  const line = (cells: string[]): string => `| ${cells.join(' | ')} |`
  const centred = (text: string, width: number): string => {
    const left = Math.floor((width - text.length) / 2)
    return ' '.repeat(left) + text + ' '.repeat(width - text.length - left)
  }
  return [
    rule,
    line(headings.map((heading, column) => centred(heading, widths[column] ?? 0))),
    rule,
    ...rows.map((row) => line(row.map((cell, column) => cell.padStart(widths[column] ?? 0)))),
    rule,
  ].join('\n')
}

/** Decimal units, one decimal below ten: `74 kB`, `1.5 GB`, as etcdctl prints sizes. */
export function humanBytes(bytes: number): string {
  if (bytes < 10) return `${String(bytes)} B`
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB']
  const exponent = Math.min(units.length - 1, Math.floor(Math.log(bytes) / Math.log(1000)))
  const value = Math.floor((bytes / 1000 ** exponent) * 10 + 0.5) / 10
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ${units[exponent] ?? ''}`
}
