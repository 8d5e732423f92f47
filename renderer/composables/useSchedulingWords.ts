import { useI18n } from 'vue-i18n'
import { bytes, cores } from './format.ts'
import type { RowStore } from './rowStore.ts'
import { parseScheduling } from './scheduling.ts'

/** What a pod asks for, NaN where it says nothing. */
export interface PodNeeds {
  cpuCores: number
  memoryBytes: number
}

/** The node with the most of a resource not requested yet, of those without one of these taints. */
function mostFree(nodes: RowStore, resource: string, taints: readonly string[]): { node: string; free: number } | null {
  let best: { node: string; free: number } | null = null
  for (let row = 0; row < nodes.count; row++) {
    const requested = nodes.number(`${resource}Request`, row)
    const free = nodes.number(`${resource}Allocatable`, row) - (Number.isNaN(requested) ? 0 : requested)
    const tainted = taints.some((key) =>
      nodes
        .text('taints', row)
        .split(',')
        .some((each) => each.startsWith(key)),
    )
    if (tainted || nodes.number('unschedulable', row) === 1 || Number.isNaN(free) || free <= (best?.free ?? Number.NEGATIVE_INFINITY)) continue
    best = { node: nodes.text('name', row), free }
  }
  return best
}

/**
 * Puts the scheduler's verdict into words: `0 of 3 nodes fit: 2 lack memory (needs 4.0 GiB, most free 2.1 GiB on w2), 1 has the
 * taint node-role.kubernetes.io/control-plane`. Another message is given back as it is.
 */
export function useSchedulingWords(): (message: string, needs: PodNeeds, nodes: RowStore) => string {
  const { t } = useI18n()
  return (message, needs, nodes) => {
    const verdict = parseScheduling(message)
    if (verdict === null) return message
    const taints = verdict.reasons.filter((each) => each.kind === 'tainted' && each.detail !== '').map((each) => each.detail)
    const reasons = verdict.reasons.map(({ nodes: n, kind, detail }) => {
      const text = t(`scheduling.${kind}`, { n, detail }, n)
      if (kind !== 'insufficient' || (detail !== 'memory' && detail !== 'cpu')) return text
      const format = detail === 'cpu' ? cores : bytes
      const needed = detail === 'cpu' ? needs.cpuCores : needs.memoryBytes
      const best = mostFree(nodes, detail, taints)
      if (best === null || Number.isNaN(needed)) return text
      return `${text} (${t('scheduling.needs', { needed: format(needed), free: format(best.free), node: best.node })})`
    })
    const head = t('scheduling.fit', { fitting: verdict.fitting, total: verdict.total })
    return reasons.length === 0 ? head : `${head}: ${reasons.join(', ')}`
  }
}
