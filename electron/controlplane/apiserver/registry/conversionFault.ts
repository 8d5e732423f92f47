import type { KubeObject } from '#shared/kubernetes/object.ts'

const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation'
const LARGEST = 2n ** 63n

/** Why Go's strconv.ParseInt takes a text for no number of 64 bits; null when it does. */
function integerFault(text: string): string | null {
  if (!/^[+-]?\d+$/.test(text)) return `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`
  const value = BigInt(text.replace('+', ''))
  return value >= -LARGEST && value < LARGEST ? null : `strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`
}

/**
 * Why upstream can decode an object and yet not make its internal one of it; null when it can. The annotation of a DaemonSet that counts
 * its templates is a number there.
 *
 * @see kubernetes pkg/apis/apps/v1/conversion.go Convert_v1_DaemonSet_To_apps_DaemonSet
 */
export function conversionFault({ kind, metadata }: KubeObject): string | null {
  const generation = kind === 'DaemonSet' ? metadata.annotations?.[TEMPLATE_GENERATION] : undefined
  return typeof generation === 'string' ? integerFault(generation) : null
}
