/**
 * The inner loop of CRC-32C as a WebAssembly module, put together here rather than kept as bytes that nobody can read. It exports
 * `update(crc, start, end)` over the memory that it imports, which begins with the table of {@link SLICES} times 256 words.
 *
 * Sixteen bytes a step ("slicing by 16"): each byte's effect is looked up in the table for its distance from the end of the step, so that
 * sixteen look-ups do not wait for one another.
 * @see https://webassembly.github.io/spec/core/binary/index.html
 */
export const SLICES = 16

const STEP_BYTES = 16
const I32 = 0x7f
const I64 = 0x7e
/** Instructions, by their names in the text format. */
const op = {
  block: [0x02, 0x40],
  loop: [0x03, 0x40],
  end: [0x0b],
  br: 0x0c,
  brIf: 0x0d,
  i32GtU: [0x4b],
  i32Add: [0x6a],
  i32And: [0x71],
  i32Xor: [0x73],
  i32Shl: [0x74],
  i32ShrU: [0x76],
  i64Xor: [0x85],
  i64Shl: [0x86],
  i64ShrU: [0x88],
  i32WrapI64: [0xa7],
  i64ExtendI32U: [0xad],
} as const

type Code = readonly number[]

/** Parameters, then locals. */
const [CRC, AT, END, LOW, HIGH] = [0, 1, 2, 3, 4] as const

/** LEB128 of a number that is not negative. */
function unsigned(value: number): number[] {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 128) return [...bytes, rest]
    bytes.push((rest & 127) | 128)
  }
}

/** The same with a sign bit, as constants are written; for numbers that are not negative. */
const constant = (value: number): number[] => {
  const bytes = unsigned(value)
  const last = bytes.at(-1) ?? 0
  return last < 64 ? bytes : [...bytes.slice(0, -1), last | 128, 0]
}

const get = (local: number): number[] => [0x20, local]
const set = (local: number): number[] => [0x21, local]
const i32 = (value: number): number[] => [0x41, ...constant(value)]
const i64 = (value: number): number[] => [0x42, ...constant(value)]
const i32Load = (offset: number): number[] => [0x28, 2, ...unsigned(offset)]
/** Nothing is promised of where the bytes begin. */
const i64Load = (offset: number): number[] => [0x29, 0, ...unsigned(offset)]
const i32Load8 = (offset: number): number[] => [0x2d, 0, ...unsigned(offset)]

/** `table[slice][byte of word]`: the shift that brings the byte down leaves it multiplied by the four bytes of an entry. */
function lookUp(word: number, byte: number, slice: number): number[] {
  const shift = byte * 8 - 2
  return [
    ...get(word),
    ...(shift < 0 ? [...i64(-shift), ...op.i64Shl] : [...i64(shift), ...op.i64ShrU]),
    ...op.i32WrapI64,
    ...i32(255 * 4),
    ...op.i32And,
    ...i32Load(slice * 256 * 4),
  ]
}

function step(): number[] {
  const looked = [LOW, HIGH].flatMap((word, half) => [0, 1, 2, 3, 4, 5, 6, 7].map((byte) => lookUp(word, byte, SLICES - 1 - half * 8 - byte)))
  // In pairs, then pairs of those: a chain of fifteen would wait for each in turn.
  const xored = (codes: number[][]): number[] => {
    const middle = codes.length >>> 1
    return codes.length < 2 ? codes.flat() : [...xored(codes.slice(0, middle)), ...xored(codes.slice(middle)), ...op.i32Xor]
  }
  return [
    ...[...get(AT), ...i64Load(0), ...get(CRC), ...op.i64ExtendI32U, ...op.i64Xor, ...set(LOW)],
    ...[...get(AT), ...i64Load(8), ...set(HIGH)],
    ...[...xored(looked), ...set(CRC)],
  ]
}

const oneByte: Code = [
  ...[...get(CRC), ...get(AT), ...i32Load8(0), ...op.i32Xor, ...i32(255), ...op.i32And, ...i32(2), ...op.i32Shl, ...i32Load(0)],
  ...[...get(CRC), ...i32(8), ...op.i32ShrU, ...op.i32Xor, ...set(CRC)],
]

/** Repeats `body`, which handles so many bytes, as long as there are so many. */
const whileThereAre = (bytes: number, body: Code): number[] => [
  ...[...op.block, ...op.loop],
  ...[...get(AT), ...i32(bytes), ...op.i32Add, ...get(END), ...op.i32GtU, op.brIf, 1],
  ...body,
  ...[...get(AT), ...i32(bytes), ...op.i32Add, ...set(AT), op.br, 0],
  ...[...op.end, ...op.end],
]

const section = (id: number, body: Code): number[] => [id, ...unsigned(body.length), ...body]
const named = (name: string): number[] => [name.length, ...Buffer.from(name)]

export function crcModule(): Uint8Array<ArrayBuffer> {
  const code = [1, 2, I64, ...whileThereAre(STEP_BYTES, step()), ...whileThereAre(1, oneByte), ...get(CRC), ...op.end]
  return Uint8Array.from([
    ...[0x00, ...Buffer.from('asm'), 1, 0, 0, 0],
    ...section(1, [1, 0x60, 3, I32, I32, I32, 1, I32]),
    ...section(2, [1, ...named('env'), ...named('memory'), 2, 0, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...named('update'), 0, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ])
}
