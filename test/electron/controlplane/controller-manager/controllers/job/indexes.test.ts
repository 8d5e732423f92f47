import { describe, expect, it } from 'vitest'
import { Indexes } from '#electron/controlplane/controller-manager/controllers/job/indexes.ts'

describe('Indexes', () => {
  it.each([
    [[], ''],
    [[3], '3'],
    [[1, 0], '0,1'],
    [[0, 1, 2, 5, 7, 8], '0-2,5,7,8'],
  ])('writes %j as %s and reads it back', (members, text) => {
    expect(new Indexes(members).toString()).toBe(text)
    expect(Indexes.parse(text, 100).values()).toEqual([...members].sort((a, b) => a - b))
  })

  it.each([
    ['0-9', 3, [0, 1, 2]],
    ['x,2,-,5-', 10, [2]],
    ['99999999999', 10, []],
  ])('reads of %s below %i only %j', (text, limit, members) => {
    expect(Indexes.parse(text, limit).values()).toEqual(members)
  })
})
