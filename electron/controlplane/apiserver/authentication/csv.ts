/**
 * Reads comma-separated records as Go's encoding/csv does: quoted fields may hold commas, line breaks and doubled quotes;
 * empty lines are skipped.
 *
 * @throws Error with the line of a quote that does not fit
 */
export function parseCsv(text: string): string[][] {
  const records: string[][] = []
  let record: string[] = []
  let at = 0
  let line = 1
  const wrong = (message: string): Error => new Error(`parse error on line ${String(line)}: ${message}`)
  const endRecord = (): void => {
    if (record.length > 1 || record[0] !== '') records.push(record)
    record = []
  }
  while (at < text.length) {
    let field = ''
    if (text[at] === '"') {
      for (at++; ; at++) {
        const char = text[at]
        if (char === undefined) throw wrong('extraneous or missing " in quoted-field')
        if (char === '\n') line++
        if (char !== '"') field += char
        else if (text[at + 1] === '"') field += text[at++]
        else break
      }
      at++
      if (text[at] === '\r' && text[at + 1] === '\n') at++
      if (at < text.length && text[at] !== ',' && text[at] !== '\n') throw wrong('extraneous or missing " in quoted-field')
    } else {
      const rest = /[^,\n]*/y
      rest.lastIndex = at
      field = rest.exec(text)?.[0] ?? ''
      at += field.length
      if (field.endsWith('\r')) field = field.slice(0, -1)
      if (field.includes('"')) throw wrong('bare " in non-quoted-field')
    }
    record.push(field)
    if (text[at] === ',') {
      at++
      if (at < text.length) continue
      record.push('')
    } else if (text[at] === '\n') {
      at++
      line++
    }
    endRecord()
  }
  return records
}
