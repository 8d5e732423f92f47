import { AUTHORITATIVE_ANSWER, decode, encode, encodingLength, RECURSION_DESIRED, TRUNCATED_RESPONSE, type Answer, type Packet } from 'dns-packet'
import type { DnsAnswer, DnsRecord } from '#shared/planning/cluster-dns/records.ts'

/** A question as it came; `asked` is the name in the client's own case, without the last dot. */
export interface DnsQuestion {
  id: number
  recursionDesired: boolean
  asked: string
  type: string
  class: string
  /** What the client takes in a datagram by EDNS; null when it does not speak it. */
  ednsBytes: number | null
}

export type Received = { question: DnsQuestion } | { refusal: Buffer } | { ignored: true }

const HEADER_BYTES = 12
const RESPONSE_BIT = 0x8000
const OPCODE_SHIFT = 11
const OPCODE_MASK = 0xf
const CODES = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const
export type ResponseCode = keyof typeof CODES
const MAX_LABEL_BYTES = 63
/** Every client takes as much in a datagram without EDNS. */
const PLAIN_BYTES = 512
/** More is not sent in one datagram, whatever a client offers. */
const MAX_DATAGRAM_BYTES = 4096
/** What this server tells by EDNS. */
const OWN_BYTES = 1232
export const MAX_MESSAGE_BYTES = 65_535

/**
 * Reads a query of anybody's making. What is none is ignored; one that is broken, or of a kind that is not answered, is refused
 * with its identifier. Counts are checked before the parser follows them.
 */
export function readQuery(bytes: Buffer): Received {
  if (bytes.length < HEADER_BYTES) return { ignored: true }
  const [id, flags] = [bytes.readUInt16BE(0), bytes.readUInt16BE(2)]
  if ((flags & RESPONSE_BIT) !== 0) return { ignored: true }
  const refuse = (code: ResponseCode): Received => ({ refusal: emptyResponse(id, flags, code) })
  if (((flags >> OPCODE_SHIFT) & OPCODE_MASK) !== 0) return refuse('NOTIMP')
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10].map((at) => bytes.readUInt16BE(at))
  // The one additional record is that of EDNS; a second may be a signature.
  if (questions !== 1 || answers !== 0 || authorities !== 0 || (additionals ?? 0) > 2) return refuse('FORMERR')
  try {
    const packet = decode(bytes)
    const question = packet.questions?.[0]
    if (question === undefined || !isPlainName(question.name)) return refuse('FORMERR')
    const opt = packet.additionals?.find((each) => each.type === 'OPT')
    return {
      question: {
        id,
        recursionDesired: (flags & RECURSION_DESIRED) !== 0,
        asked: question.name === '.' ? '' : question.name,
        type: question.type,
        class: question.class ?? 'IN',
        ednsBytes: opt?.type === 'OPT' ? (opt.udpPayloadSize ?? PLAIN_BYTES) : null,
      },
    }
  } catch {
    // Whatever the parser stumbled over, the client sent.
    return refuse('FORMERR')
  }
}

/** Names of Kubernetes are of these; others could not be repeated faithfully. */
function isPlainName(name: string): boolean {
  return name === '.' || name.split('.').every((label) => label.length <= MAX_LABEL_BYTES && /^[!-~]+$/.test(label))
}

function emptyResponse(id: number, flags: number, code: ResponseCode): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES)
  bytes.writeUInt16BE(id, 0)
  bytes.writeUInt16BE(RESPONSE_BIT | (flags & ((OPCODE_MASK << OPCODE_SHIFT) | RECURSION_DESIRED)) | CODES[code], 2)
  return bytes
}

/** The response, cut to what the client takes. @param overTcp where nothing needs to be cut */
export function writeResponse(question: DnsQuestion, answer: DnsAnswer | { status: 'SERVFAIL' }, overTcp: boolean): Buffer {
  const limit = overTcp ? MAX_MESSAGE_BYTES : Math.min(Math.max(question.ednsBytes ?? PLAIN_BYTES, PLAIN_BYTES), MAX_DATAGRAM_BYTES)
  const { answers = [], authority = [], additional = [] } = 'answers' in answer ? answer : {}
  const authoritative = answer.status === 'NOERROR' || answer.status === 'NXDOMAIN' ? AUTHORITATIVE_ANSWER : 0
  const opt: Answer[] = question.ednsBytes === null ? [] : [{ type: 'OPT', name: '.', udpPayloadSize: OWN_BYTES, flags: 0, options: [] } as unknown as Answer]
  const packet = (kept: readonly DnsRecord[], more: readonly DnsRecord[], flags: number): Packet => ({
    type: 'response',
    id: question.id,
    flags: flags | authoritative | (question.recursionDesired ? RECURSION_DESIRED : 0) | CODES[answer.status],
    questions: [{ name: question.asked === '' ? '.' : question.asked, type: question.type, class: question.class } as NonNullable<Packet['questions']>[number]],
    answers: kept.map(wireRecord),
    authorities: authority.map(wireRecord),
    additionals: [...more.map(wireRecord), ...opt],
  })
  const fits = (candidate: Packet): boolean => encodingLength(candidate) <= limit
  const whole = packet(answers, additional, 0)
  if (fits(whole)) return encode(whole)
  // What only spares the client a question goes first, and nobody misses it.
  const lean = packet(answers, [], 0)
  if (fits(lean)) return encode(lean)
  let [least, most] = [0, answers.length]
  while (least < most) {
    const middle = Math.ceil((least + most) / 2)
    if (fits(packet(answers.slice(0, middle), [], TRUNCATED_RESPONSE))) least = middle
    else most = middle - 1
  }
  return encode(packet(answers.slice(0, least), [], TRUNCATED_RESPONSE))
}

const undotted = (name: string): string => name.replace(/\.$/, '')

function wireRecord(record: DnsRecord): Answer {
  const common = { name: undotted(record.name), ttl: record.ttlSeconds, class: 'IN' as const }
  switch (record.type) {
    case 'SRV':
      return { ...common, type: 'SRV', data: { ...record.data, target: undotted(record.data.target) } }
    case 'SOA':
      return { ...common, type: 'SOA', data: { ...record.data, mname: undotted(record.data.mname), rname: undotted(record.data.rname) } }
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return { ...common, type: record.type, data: undotted(record.data) }
    case 'A':
    case 'AAAA':
      return { ...common, type: record.type, data: record.data }
    case 'TXT':
      return { ...common, type: 'TXT', data: record.data }
  }
}
