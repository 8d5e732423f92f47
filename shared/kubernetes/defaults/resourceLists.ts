import { isObject } from '../json.ts'
import { parseQuantity, quantityText } from '../quantity.ts'

const LISTS = ['limits', 'requests', 'capacity', 'allocatable', 'hard', 'used', 'max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio']
/** Resources are counted in thousandths. */
const FINEST = -3

/** Rounds amounts up to thousandths in the lists of resources that an object holds. */
export function roundUpResources(holder: unknown): void {
  if (!isObject(holder)) return
  for (const list of LISTS) {
    const amounts = holder[list]
    if (!isObject(amounts)) continue
    for (const [name, amount] of Object.entries(amounts)) {
      const quantity = parseQuantity(String(amount))
      if (quantity === null || quantity.exponent >= FINEST) continue
      const step = 10n ** BigInt(FINEST - quantity.exponent)
      if (quantity.mantissa % step === 0n) continue
      const rounded = quantity.mantissa / step + (quantity.mantissa > 0n ? 1n : -1n)
      amounts[name] = quantityText({ ...quantity, mantissa: rounded, exponent: FINEST })
    }
  }
}
