import { describe, expect, it } from 'vitest'
import { trackScale } from '#shared/kubernetes/apply/scaleManagers.ts'
import type { ManagedFieldsEntry } from '#shared/kubernetes/object.ts'

const NOW = '2026-01-02T03:04:05Z'
const writer = { manager: 'scaler', apiVersion: 'g/v1', subresource: 'scale', now: NOW }
const pathIn = (apiVersion: string): string[] | undefined => (apiVersion === 'g/v1' ? ['f:spec', 'f:replicas'] : undefined)
const REPLICAS = { 'f:spec': { 'f:replicas': {} } }

const entry = (manager: string, operation: 'Apply' | 'Update', fieldsV1: object, more: Partial<ManagedFieldsEntry> = {}): ManagedFieldsEntry => ({
  manager,
  operation,
  apiVersion: 'g/v1',
  time: NOW,
  fieldsType: 'FieldsV1',
  fieldsV1: fieldsV1 as never,
  ...more,
})

const untimed = ({ time: _, ...rest }: ManagedFieldsEntry): ManagedFieldsEntry => rest

describe('who owns the replicas after a write of /scale', () => {
  const both = { 'f:spec': { 'f:choice': {}, 'f:replicas': {} } }

  it('is who wrote them, without a time, when somebody did before', () => {
    expect(trackScale([entry('a', 'Apply', both)], { before: 1, after: 2 }, writer, pathIn)).toEqual([
      entry('a', 'Apply', { 'f:spec': { 'f:choice': {} } }),
      untimed(entry('scaler', 'Update', REPLICAS, { subresource: 'scale' })),
    ])
  })

  it('is nobody when nobody did, or when there are none any more', () => {
    expect(trackScale([entry('a', 'Update', { 'f:spec': { 'f:choice': {} } })], { before: null, after: 2 }, writer, pathIn)).toEqual([
      entry('a', 'Update', { 'f:spec': { 'f:choice': {} } }),
    ])
    expect(trackScale([entry('a', 'Apply', REPLICAS)], { before: 1, after: 0 }, writer, pathIn)).toEqual([])
  })

  it('stays who it was when the number does not change; of an update it gets an entry of its own', () => {
    expect(trackScale([entry('a', 'Apply', both)], { before: 2, after: 2 }, writer, pathIn)).toEqual([entry('a', 'Apply', both)])
    expect(trackScale([entry('a', 'Update', both)], { before: 2, after: 2 }, writer, pathIn)).toEqual([
      untimed(entry('a', 'Update', REPLICAS)),
      entry('a', 'Update', { 'f:spec': { 'f:choice': {} } }),
    ])
  })

  it('forgets entries of versions that are not known', () => {
    expect(trackScale([entry('a', 'Apply', both, { apiVersion: 'g/v0' })], { before: 1, after: 2 }, writer, pathIn)).toEqual([])
  })
})
