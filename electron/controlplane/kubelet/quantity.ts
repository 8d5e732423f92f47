import { parseQuantity as parse, quantityNumber } from '#shared/kubernetes/quantity.ts'

/** A resource quantity as a number: cores, or bytes. @throws when the text is none */
export function parseQuantity(text: string): number {
  const quantity = parse(text)
  if (quantity === null) throw new Error(`«${text}» is no quantity`)
  return quantityNumber(quantity)
}
