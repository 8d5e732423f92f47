import { readFileSync } from 'node:fs'

/** The wire shape of a field, as far as Go's types do not tell it. */
export interface ProtoField {
  repeated: boolean
  map: boolean
}

/** Message name, without its package, to fields by number. */
export type ProtoMessages = ReadonlyMap<string, ReadonlyMap<number, ProtoField>>

/** Reads a generated.proto, which is proto2: `optional string name = 1;`, `map<string, T> labels = 2;`. */
export function readProtoFile(file: string): ProtoMessages {
  const messages = new Map<string, Map<number, ProtoField>>()
  let current: Map<number, ProtoField> | null = null
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const message = /^message (\w+) \{/.exec(line)?.[1]
    const [, label, type = '', number] = /^ {2}(?:(optional|repeated|required)\s+)?(map<\S+, \S+>|\S+) \w+ = (\d+)/.exec(line) ?? []
    if (message !== undefined) messages.set(message, (current = new Map()))
    else if (line.startsWith('}')) current = null
    else if (current !== null && number !== undefined) current.set(Number(number), { repeated: label === 'repeated', map: type.startsWith('map<') })
  }
  return messages
}
