import { expect, it } from 'vitest'
import { ImageNodes } from '#electron/controlplane/scheduler/imageNodes.ts'

it('counts the nodes of an image as nodes come, pull images and go', () => {
  const nodes = new ImageNodes()
  const images = (...names: string[]): Map<string, number> => new Map(names.map((name) => [name, 1]))
  const [first, second] = [images('web:1'), images('web:1', 'db:1')]
  nodes.changed(undefined, first)
  nodes.changed(undefined, second)
  expect([nodes.count('web:1'), nodes.count('db:1'), nodes.count('other:1')]).toEqual([2, 1, 0])
  const more = images('web:1', 'web:2')
  nodes.changed(first, more)
  nodes.changed(more, more)
  expect([nodes.count('web:1'), nodes.count('web:2')]).toEqual([2, 1])
  nodes.changed(second)
  expect([nodes.count('web:1'), nodes.count('db:1')]).toEqual([1, 0])
})
