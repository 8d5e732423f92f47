/** Paths of object keys that stand twice in JSON text, as strict decoding names them. The text must be valid JSON. */
export function duplicateFields(text: string): string[] {
  const found: string[] = []
  const stack: { path: string; keys: Set<string> | null; index: number }[] = []
  let pending = ''
  let expectKey = false
  const memberPath = (): string => {
    const top = stack.at(-1)
    if (top === undefined) return ''
    return top.keys === null ? `${top.path}[${String(top.index)}]` : top.path === '' ? pending : `${top.path}.${pending}`
  }
  for (const match of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/gs)) {
    const [token] = match
    const top = stack.at(-1)
    switch (token) {
      case '{':
        stack.push({ path: memberPath(), keys: new Set(), index: 0 })
        expectKey = true
        break
      case '[':
        stack.push({ path: memberPath(), keys: null, index: 0 })
        expectKey = false
        break
      case '}':
      case ']':
        stack.pop()
        expectKey = false
        break
      case ',':
        if (top?.keys === null) top.index += 1
        expectKey = top !== undefined && top.keys !== null
        break
      case ':':
        expectKey = false
        break
      default:
        if (!expectKey || top === undefined || top.keys === null) break
        pending = JSON.parse(token) as string
        if (top.keys.has(pending)) found.push(memberPath())
        top.keys.add(pending)
    }
  }
  return found
}
