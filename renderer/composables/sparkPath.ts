/** An SVG path through samples from 0 to their largest; null breaks the line, a lone sample is a short stroke. */
export function sparkPath(values: readonly (number | null)[], { width, height }: { width: number; height: number }): string {
  const known = values.filter((each) => each !== null)
  if (known.length === 0) return ''
  const top = Math.max(...known) || 1
  const x = (index: number): number => (values.length === 1 ? 0 : (index / (values.length - 1)) * width)
  const y = (value: number): number => height - 1 - (value / top) * (height - 2)
  const round = (value: number): string => String(Math.round(value * 10) / 10)
  let path = ''
  let drawing = false
  for (const [index, value] of values.entries()) {
    if (value === null) {
      drawing = false
      continue
    }
    const alone = !drawing && (values[index + 1] ?? null) === null
    path += `${drawing ? 'L' : 'M'}${round(x(index))} ${round(y(value))}`
    if (alone) path += `h${values.length === 1 ? String(width) : '2'}`
    drawing = true
  }
  return path
}
