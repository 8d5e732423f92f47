import { memoized } from '../base/memo.ts'

/** An exact amount: `mantissa × 10^exponent`. Quantities of 1.5 Gi and 3n both fit without rounding. */
export interface Quantity {
  mantissa: bigint
  exponent: number
  format: 'binary' | 'decimal' | 'exponent'
}

const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']
const DECIMAL: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 }
const SHAPE = /^([+-]?)(\d*)(?:\.(\d*))?(?:([eE][+-]?\d{1,4})|([KMGTPE]i|[numkMGTPE])?)$/

/** Kubernetes keeps nothing finer than a billionth. */
const FINEST = -9

/** @returns null when the text is no quantity */
export function parseQuantity(text: string): Quantity | null {
  const quantity = knownQuantity(text)
  return quantity === null ? null : { ...quantity }
}

// The same few amounts are read again and again.
const knownQuantity = memoized(readQuantity, 4096)
const knownText = memoized((text): string => {
  const quantity = readQuantity(text)
  return quantity === null ? text : quantityText(quantity)
}, 4096)

function readQuantity(text: string): Quantity | null {
  const parts = SHAPE.exec(text)
  if (parts === null) return null
  const [, sign = '', whole = '', fraction = '', exponentText, suffix = ''] = parts
  if (whole === '' && fraction === '') return null
  let mantissa = BigInt(whole + fraction)
  let exponent = -fraction.length
  if (exponentText !== undefined) exponent += Number(exponentText.slice(1))
  else if (suffix.endsWith('i')) mantissa <<= BigInt(10 * BINARY.indexOf(suffix))
  else exponent += DECIMAL[suffix] ?? 0
  // Finer digits round away from zero, so that a request never becomes less than what was asked for.
  if (exponent < FINEST) {
    const divisor = 10n ** BigInt(FINEST - exponent)
    mantissa = (mantissa + divisor - 1n) / divisor
    exponent = FINEST
  }
  const format = suffix.endsWith('i') ? 'binary' : exponentText === undefined ? 'decimal' : 'exponent'
  return { mantissa: sign === '-' ? -mantissa : mantissa, exponent, format }
}

function trim({ mantissa, exponent }: Quantity): { mantissa: bigint; exponent: number } {
  if (mantissa === 0n) return { mantissa, exponent: 0 }
  let [digits, power] = [mantissa, exponent]
  while (digits % 10n === 0n) [digits, power] = [digits / 10n, power + 1]
  return { mantissa: digits, exponent: power }
}

/** The canonical text: no fraction, the largest suffix that needs none (`1000m` is `1`, `1024Mi` is `1Gi`). */
export function quantityText(quantity: Quantity): string {
  if (quantity.mantissa === 0n) return '0'
  const { mantissa, exponent } = trim(quantity)
  const magnitude = mantissa < 0n ? -mantissa : mantissa
  if (quantity.format === 'binary') {
    const integer = exponent >= 0 ? magnitude * 10n ** BigInt(exponent) : null
    // Below 1024, or not whole, binary amounts are written in decimal.
    if (integer !== null && integer >= 1024n) {
      let [digits, step] = [integer, 0]
      while (digits % 1024n === 0n && step < BINARY.length - 1) [digits, step] = [digits / 1024n, step + 1]
      return `${mantissa < 0n ? '-' : ''}${String(digits)}${BINARY[step] ?? ''}`
    }
  }
  const power = Math.floor(exponent / 3) * 3
  const capped = quantity.format === 'exponent' ? power : Math.min(power, 18)
  const digits = magnitude * 10n ** BigInt(exponent - capped)
  const suffix =
    quantity.format === 'exponent' ? (capped === 0 ? '' : `e${String(capped)}`) : (Object.entries(DECIMAL).find(([, value]) => value === capped)?.[0] ?? '')
  return `${mantissa < 0n ? '-' : ''}${String(digits)}${suffix}`
}

/** The canonical text of a quantity in JSON, which may also be a number; the text itself when it is no quantity. */
export function canonicalQuantity(value: string | number): string {
  return knownText(String(value))
}

export function addQuantities(a: Quantity, b: Quantity): Quantity {
  const exponent = Math.min(a.exponent, b.exponent)
  const at = (each: Quantity): bigint => each.mantissa * 10n ** BigInt(each.exponent - exponent)
  return { mantissa: at(a) + at(b), exponent, format: a.mantissa === 0n ? b.format : a.format }
}

export function subtractQuantities(a: Quantity, b: Quantity): Quantity {
  return addQuantities(a, { ...b, mantissa: -b.mantissa })
}

/** Negative when `a` is less. */
export function compareQuantities(a: Quantity, b: Quantity): number {
  const difference = subtractQuantities(a, b).mantissa
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

/** As a number, rounded to what a double holds. */
export function quantityNumber({ mantissa, exponent }: Quantity): number {
  return Number(`${String(mantissa)}e${String(exponent)}`)
}

/** Thousandths, rounded up, as the scheduler and kubectl count CPU. */
export function milliValue({ mantissa, exponent }: Quantity): bigint {
  return ceilScale(mantissa, exponent + 3)
}

/** Whole units, rounded up. */
export function wholeValue({ mantissa, exponent }: Quantity): bigint {
  return ceilScale(mantissa, exponent)
}

function ceilScale(mantissa: bigint, exponent: number): bigint {
  if (exponent >= 0) return mantissa * 10n ** BigInt(exponent)
  const divisor = 10n ** BigInt(-exponent)
  return mantissa / divisor + (mantissa > 0n && mantissa % divisor !== 0n ? 1n : 0n)
}
