const [QUOTE, BACKSLASH, COMMA, OPEN_OBJECT, CLOSE_OBJECT, OPEN_LIST, CLOSE_LIST] = [0x22, 0x5c, 0x2c, 0x7b, 0x7d, 0x5b, 0x5d]

interface Level {
  path: string
  /** Null in a list. */
  keys: Set<string> | null
  index: number
  /** The member that is being read. */
  key: string
}

/** Where the string that starts at `from` ends: the index of its closing quote. */
function stringEnd(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let escapes = 0
    while (text.charCodeAt(at - 1 - escapes) === BACKSLASH) escapes += 1
    if (escapes % 2 === 0) return at
  }
  return text.length
}

function pathOf(level: Level | undefined): string {
  if (level === undefined) return ''
  if (level.keys === null) return `${level.path}[${String(level.index)}]`
  return level.path === '' ? level.key : `${level.path}.${level.key}`
}

/** Paths of object keys that stand twice in JSON text, as strict decoding names them. The text must be valid JSON. */
export function duplicateFields(text: string): string[] {
  const found: string[] = []
  const stack: Level[] = []
  let top: Level | undefined
  let expectKey = false
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case OPEN_OBJECT:
      case OPEN_LIST: {
        const object = text.charCodeAt(at) === OPEN_OBJECT
        top = { path: pathOf(top), keys: object ? new Set() : null, index: 0, key: '' }
        stack.push(top)
        expectKey = object
        break
      }
      case CLOSE_OBJECT:
      case CLOSE_LIST:
        stack.pop()
        top = stack.at(-1)
        expectKey = false
        break
      case COMMA:
        if (top?.keys === null) top.index += 1
        expectKey = top !== undefined && top.keys !== null
        break
      case QUOTE: {
        const end = stringEnd(text, at)
        if (expectKey && top !== undefined && top.keys !== null) {
          const name = text.slice(at + 1, end)
          top.key = name.includes('\\') ? (JSON.parse(text.slice(at, end + 1)) as string) : name
          if (top.keys.has(top.key)) found.push(pathOf(top))
          top.keys.add(top.key)
          expectKey = false
        }
        at = end
        break
      }
    }
  }
  return found
}
