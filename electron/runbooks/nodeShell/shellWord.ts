/** A text as one word of a POSIX shell, bare where that is the same. */
export function shellWord(text: string): string {
  return /^[\w./:=@%+,-]+$/.test(text) ? text : quote(text)
}

/** A text as one word of a POSIX shell, between quotation marks. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
