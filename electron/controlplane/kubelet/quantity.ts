const SUFFIX: Record<string, number> = { n: 1e-9, u: 1e-6, m: 1e-3, '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60 }

/** A resource quantity as a number: cores, or bytes. @throws when the text is none */
export function parseQuantity(text: string): number {
  const match = /^([+-]?[\d.]+(?:[eE][+-]?\d+)?)([KMGTPE]i|[numkMGTPE]?)$/.exec(text)
  const factor = SUFFIX[match?.[2] ?? '']
  if (match?.[1] === undefined || factor === undefined) throw new Error(`«${text}» is no quantity`)
  return Number(match[1]) * factor
}
