import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

// A line reader and no Go parser. It may be one because gofmt fixes the layout: one field per line, indented by a tab, a tag in
// backquotes on every field that is serialised, markers in the comment block directly above.

export interface GoField {
  jsonName: string
  /** As written, without the pointer's star; not yet resolved to a package. */
  goType: string
  pointer: boolean
  /** Embedded with `json:",inline"`: its fields belong to the enclosing JSON object. */
  inline: boolean
  protobufNumber: number | null
  omitEmpty: boolean
  omitZero: boolean
  /** The `+marker` lines above it. */
  markers: readonly string[]
  patchStrategy: string | null
  patchMergeKey: string | null
}

export interface GoStruct {
  fields: GoField[]
  markers: readonly string[]
}

/** What one package of API types declares. */
export interface GoPackage {
  /** Import path below k8s.io with dots, as generated.proto names it: `api.core.v1`. */
  path: string
  /** Name within the package to import path, in the same form. */
  imports: Map<string, string>
  structs: Map<string, GoStruct>
  aliases: Map<string, { target: string; isEnum: boolean }>
  /** String constants. */
  constants: Map<string, { type: string; value: string }>
  group: string | null
  version: string | null
}

const dotted = (importPath: string): string => importPath.replace(/^k8s\.io\//, '').replaceAll('/', '.')
const isMarker = (line: string): boolean => line.startsWith('+')

/** Reads the types of a package from its sources. */
export function readGoPackage(root: string, directory: string): GoPackage {
  const found: GoPackage = {
    path: relative(root, directory).replaceAll('/', '.'),
    imports: new Map(),
    structs: new Map(),
    aliases: new Map(),
    constants: new Map(),
    ...groupVersionOf(directory),
  }
  for (const file of readdirSync(directory).sort())
    if (file.endsWith('.go') && !/_test\.go$|^zz_|^generated\.|swagger_doc|protomessage/.test(file))
      new FileReader(found).read(readFileSync(join(directory, file), 'utf8'))
  return found
}

/** The group's name stands in register.go, or in the package above it. */
function groupVersionOf(directory: string): Pick<GoPackage, 'group' | 'version'> {
  const register = join(directory, 'register.go')
  const text = existsSync(register) ? readFileSync(register, 'utf8') : ''
  const version = /SchemeGroupVersion\s*=\s*schema\.GroupVersion\{Group: GroupName, Version: "(\w+)"/.exec(text)?.[1]
  if (version === undefined) return { group: null, version: null }
  const above = readdirSync(dirname(directory))
    .filter((file) => file.endsWith('.go'))
    .map((file) => readFileSync(join(dirname(directory), file), 'utf8'))
  for (const source of [text, ...above]) {
    const name = /GroupName\s*=\s*"([^"]*)"/.exec(source)?.[1]
    if (name !== undefined) return { group: name, version }
  }
  return { group: '', version }
}

/** Where in a file the reading stands. */
class FileReader {
  readonly #found: GoPackage
  #comment: string[] = []
  #block: 'import' | 'const' | null = null
  #struct: GoStruct | null = null

  constructor(found: GoPackage) {
    this.#found = found
  }

  read(text: string): void {
    for (const line of text.split('\n')) this.#line(line)
  }

  #line(line: string): void {
    const comment = /^\s*\/\/ ?(.*)$/.exec(line)
    if (/^(import|const) \($/.test(line)) {
      this.#block = line.startsWith('import') ? 'import' : 'const'
      this.#comment = []
    } else if (this.#block !== null && line === ')') this.#block = null
    else if (this.#import(line) || this.#constant(line)) return
    else if (comment !== null) this.#comment.push((comment[1] ?? '').trimEnd())
    else if (this.#struct !== null) this.#withinStruct(line, this.#struct)
    else if (line.startsWith('type ')) this.#declaration(line)
    // A blank line detaches the comment above it.
    else if (line.trim() === '') this.#comment = []
  }

  #import(line: string): boolean {
    if (this.#block !== 'import' && !line.startsWith('import ')) return false
    const [, name, path] = /(?:(\w+)\s+)?"([^"]+)"/.exec(line) ?? []
    if (path === undefined) return false
    this.#found.imports.set(name !== undefined && name !== 'import' ? name : (path.split('/').at(-1) ?? ''), dotted(path))
    return true
  }

  #constant(line: string): boolean {
    if (this.#block !== 'const' && !line.startsWith('const ')) return false
    const [, name, type, value] = /^\s*(?:const\s+)?(\w+)\s+(\w+)\s*=\s*"([^"]*)"/.exec(line) ?? []
    if (name === undefined || type === undefined || value === undefined) return false
    this.#found.constants.set(name, { type, value })
    return true
  }

  #declaration(line: string): void {
    const [, struct, closed] = /^type (\w+) struct ?\{(\})?/.exec(line) ?? []
    const [, alias, target] = /^type (\w+) (?:=\s*)?(\S.*)$/.exec(line) ?? []
    if (struct !== undefined) {
      const declared: GoStruct = { fields: [], markers: this.#comment.filter(isMarker) }
      this.#found.structs.set(struct, declared)
      if (closed === undefined) this.#struct = declared
    } else if (alias !== undefined && target !== undefined && !/interface|func/.test(line))
      this.#found.aliases.set(alias, { target, isEnum: this.#comment.some((each) => /^\+(k8s:)?enum\b/.test(each)) })
    this.#comment = []
  }

  #withinStruct(line: string, struct: GoStruct): void {
    const [, name, type, tag] = /^\s+(?:(\w+)\s+)?(\S+)\s+`([^`]*)`/.exec(line) ?? []
    if (line.startsWith('}')) this.#struct = null
    else if (type !== undefined && tag !== undefined) {
      const field = readField(name, type, tag, this.#comment)
      if (field !== null) struct.fields.push(field)
    } else if (line.trim() !== '') return
    this.#comment = []
  }
}

function readField(name: string | undefined, goType: string, tag: string, comment: readonly string[]): GoField | null {
  const [jsonName = '', ...options] = (/json:"([^"]*)"/.exec(tag)?.[1] ?? '').split(',')
  const [, number, protobufName = ''] = /protobuf:"\w+,(\d+)(?:,\w+)?(?:,name=(\w+))?/.exec(tag) ?? []
  if (jsonName === '-' && number === undefined) return null
  return {
    jsonName: jsonName === '-' ? protobufName : jsonName,
    goType: goType.replace(/^\*/, ''),
    pointer: goType.startsWith('*'),
    inline: options.includes('inline') || (name === undefined && jsonName === ''),
    protobufNumber: number === undefined ? null : Number(number),
    omitEmpty: options.includes('omitempty'),
    omitZero: options.includes('omitzero'),
    markers: comment.filter(isMarker),
    // The tag wins over the marker: the server reads the tag, the marker feeds OpenAPI.
    patchStrategy: /patchStrategy:"([^"]*)"/.exec(tag)?.[1] ?? marker(comment, 'patchStrategy'),
    patchMergeKey: /patchMergeKey:"([^"]*)"/.exec(tag)?.[1] ?? marker(comment, 'patchMergeKey'),
  }
}

/** The value of the first `+name=value` or `+k8s:name=value`. */
export function marker(lines: readonly string[], name: string): string | null {
  return markers(lines, name)[0] ?? null
}

/** The values of all of them. */
export function markers(lines: readonly string[], name: string): string[] {
  const pattern = new RegExp(`^\\+(?:k8s:)?${name}=(.*)$`)
  return lines.flatMap((line) => pattern.exec(line)?.[1] ?? [])
}
