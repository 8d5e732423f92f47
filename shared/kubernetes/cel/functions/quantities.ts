import { addQuantities, compareQuantities, parseQuantity, quantityNumber, quantityText, subtractQuantities, type Quantity } from '../../quantity.ts'
import { CelFunctionError } from '../functionError.ts'
import type { CelFunction } from '../interface.ts'

const MAX_INT = 9_223_372_036_854_775_807n

/** A `quantity("1Gi")` in an expression. */
export class CelQuantity {
  readonly quantity: Quantity

  constructor(quantity: Quantity) {
    this.quantity = quantity
  }

  equals(other: unknown): boolean {
    return other instanceof CelQuantity && compareQuantities(this.quantity, other.quantity) === 0
  }

  toString(): string {
    return quantityText(this.quantity)
  }
}

function whole({ mantissa, exponent }: Quantity): bigint | null {
  const divisor = 10n ** BigInt(Math.max(0, -exponent))
  if (mantissa % divisor !== 0n) return null
  const value = exponent >= 0 ? mantissa * 10n ** BigInt(exponent) : mantissa / divisor
  return value > MAX_INT || value < -MAX_INT - 1n ? null : value
}

const integer = (value: bigint): Quantity => ({ mantissa: value, exponent: 0, format: 'decimal' })

/** Kubernetes' quantity library. */
export const quantityFunctions: readonly CelFunction[] = [
  {
    signature: 'quantity(string): Quantity',
    call: (text: string) => {
      const quantity = parseQuantity(text)
      if (quantity === null) throw new CelFunctionError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
      return new CelQuantity(quantity)
    },
  },
  { signature: 'isQuantity(string): bool', call: (text: string) => parseQuantity(text) !== null },
  { signature: 'sign(Quantity): int', call: ({ quantity }: CelQuantity) => (quantity.mantissa > 0n ? 1n : quantity.mantissa < 0n ? -1n : 0n) },
  { signature: 'Quantity.sign(): int', call: ({ quantity }: CelQuantity) => (quantity.mantissa > 0n ? 1n : quantity.mantissa < 0n ? -1n : 0n) },
  { signature: 'Quantity.isGreaterThan(Quantity): bool', call: (a: CelQuantity, b: CelQuantity) => compareQuantities(a.quantity, b.quantity) > 0 },
  { signature: 'Quantity.isLessThan(Quantity): bool', call: (a: CelQuantity, b: CelQuantity) => compareQuantities(a.quantity, b.quantity) < 0 },
  { signature: 'Quantity.compareTo(Quantity): int', call: (a: CelQuantity, b: CelQuantity) => BigInt(compareQuantities(a.quantity, b.quantity)) },
  { signature: 'Quantity.asApproximateFloat(): double', call: ({ quantity }: CelQuantity) => quantityNumber(quantity) },
  { signature: 'Quantity.isInteger(): bool', call: ({ quantity }: CelQuantity) => whole(quantity) !== null },
  {
    signature: 'Quantity.asInteger(): int',
    call: ({ quantity }: CelQuantity) => {
      const value = whole(quantity)
      if (value === null) throw new CelFunctionError('cannot convert value to integer')
      return value
    },
  },
  { signature: 'Quantity.add(Quantity): Quantity', call: (a: CelQuantity, b: CelQuantity) => new CelQuantity(addQuantities(a.quantity, b.quantity)) },
  { signature: 'Quantity.add(int): Quantity', call: (a: CelQuantity, b: bigint) => new CelQuantity(addQuantities(a.quantity, integer(b))) },
  { signature: 'Quantity.sub(Quantity): Quantity', call: (a: CelQuantity, b: CelQuantity) => new CelQuantity(subtractQuantities(a.quantity, b.quantity)) },
  { signature: 'Quantity.sub(int): Quantity', call: (a: CelQuantity, b: bigint) => new CelQuantity(subtractQuantities(a.quantity, integer(b))) },
]
