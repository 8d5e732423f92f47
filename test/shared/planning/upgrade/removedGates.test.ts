import { describe, expect, it } from 'vitest'
import { removedGates } from '#shared/planning/upgrade/removedGates.ts'
import table from '#shared/planning/upgrade/removedGates.json' with { type: 'json' }

describe('removedGates', () => {
  it.each([
    ['StartupProbe', 23],
    ['DynamicKubeletConfig', 26],
    ['PodSecurity', 28],
    ['SeccompDefault', 29],
    ['KubeletPodResources', 30],
    ['ReadWriteOncePod', 31],
    ['KMSv2', 32],
    ['AppArmor', 33],
    ['PodDisruptionConditions', 34],
    ['StatefulSetAutoDeletePVC', 35],
    ['MemoryManager', 36],
  ])('tells that %s went with 1.%i to whoever comes from a release that knows it', (gate, minor) => {
    expect(removedGates([gate, 'NodeSwap'], { from: minor - 1, to: minor })).toEqual([{ gate, minor }])
    expect(removedGates([gate], { from: minor, to: 36 })).toEqual([])
    expect(removedGates([gate], { from: 20, to: minor - 1 })).toEqual([])
  })

  it('has each gate once, and some for each release from 1.21 to 1.36', () => {
    const gates = Object.values(table.lastKnown).flat()
    expect(new Set(gates).size).toBe(gates.length)
    expect(Object.keys(table.lastKnown).map(Number)).toEqual(Array.from({ length: 16 }, (_, index) => 20 + index))
  })
})
