import { parseAllDocuments } from 'yaml'
import { describe, expect, it } from 'vitest'
import { STARTERS, withStarter } from '../../../renderer/pages/apply/starters.ts'

describe('manifests to begin with', () => {
  it.each(Object.entries(STARTERS))('%s is readable, and each document names its kind and itself', (name, text) => {
    const documents = parseAllDocuments(text)
    expect(documents.flatMap(({ errors }) => errors)).toEqual([])
    const objects = documents.map((each) => each.toJS() as { apiVersion: string; kind: string; metadata: { name: string } })
    expect(objects.map(({ kind }) => kind).join(' and ')).toBe(name)
    for (const { apiVersion, metadata } of objects) expect([apiVersion, metadata.name]).not.toContain('')
  })

  it('stands as a document of its own after what was written', () => {
    expect(withStarter('', 'a: 1\n')).toBe('a: 1\n')
    expect(withStarter('a: 1\n\n', 'b: 2\n')).toBe('a: 1\n---\nb: 2\n')
    expect(parseAllDocuments(withStarter(STARTERS['Pod'] ?? '', STARTERS['Service'] ?? ''))).toHaveLength(2)
  })
})
