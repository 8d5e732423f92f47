/** Stands between the values of a header that was sent several times: no header value can hold it. */
export const VALUE_SEPARATOR = '\n'

/** Every value of a header, in the order sent. */
export function valuesOf(headers: Record<string, string | undefined>, name: string): string[] {
  const value = headers[name]
  return value === undefined ? [] : value.split(VALUE_SEPARATOR)
}

/** Headers whose every value counts by itself: joined with commas, a group name that holds one could not be told from two. */
export const isListed = (name: string): boolean => /^(?:impersonate-(?:group$|extra-)|x-remote-(?:group$|extra-))/.test(name)

/** The values of one header among `raw`: names and values in turn, as Node gives them. */
export function rawValues(raw: readonly string[], wanted: string): string[] {
  const values: string[] = []
  for (let index = 0; index + 1 < raw.length; index += 2) if (raw[index]?.toLowerCase() === wanted) values.push(raw[index + 1] ?? '')
  return values
}
