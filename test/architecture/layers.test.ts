import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'
// @ts-expect-error plain JavaScript, as it is read before anything is installed
import { mayImport, roomOf } from '#build/layers.mjs'

const room = roomOf as (path: string) => string | null
const allowed = mayImport as (from: string, to: string) => boolean

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) return sourceFiles(path)
    return /\.(ts|vue)$/.test(entry.name) && !entry.name.endsWith('.d.ts') ? [path] : []
  })
}

const files = ['shared', 'electron', 'renderer'].flatMap(sourceFiles)

/** Specifiers of static and dynamic imports and re-exports. */
function specifiers(path: string): string[] {
  const text = readFileSync(path, 'utf8')
  return [...text.matchAll(/(?:^|[\s;])(?:import|export)\s+(?:type\s+)?(?:[\w*{}\s,$]+\s+from\s+)?'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm)].map(
    (match) => match[1] ?? match[2] ?? '',
  )
}

/** Where a specifier leads inside the project, or null for a package. */
function target(from: string, specifier: string): string | null {
  const clean = specifier.replace(/\?.*$/, '')
  if (clean.startsWith('#')) return clean.slice(1)
  return clean.startsWith('.') ? normalize(join(dirname(from), clean)) : null
}

describe('layers', () => {
  it('has a row for every folder that holds source', () => {
    expect(files.filter((path) => room(path) === null)).toEqual([])
  })

  it('has no import that the table does not allow', () => {
    const wrong = files.flatMap((path) =>
      specifiers(path).flatMap((specifier) => {
        const to = target(path, specifier)
        const fromRoom = room(path)
        const toRoom = to === null ? null : room(to)
        return fromRoom !== null && toRoom !== null && !allowed(fromRoom, toRoom) ? [`${path} -> ${specifier}`] : []
      }),
    )
    expect(wrong).toEqual([])
  })

  it('lets only the desktop rooms import electron', () => {
    const wrong = files.filter((path) => !/^electron\/(main\.ts|desktop\/|preload\/)/.test(path) && specifiers(path).includes('electron'))
    expect(wrong).toEqual([])
  })

  it('refuses what the five laws refuse', () => {
    expect(allowed('electron/controlplane/scheduler', 'electron/controlplane/etcd')).toBe(false)
    expect(allowed('electron/controlplane/etcd', 'shared/kubernetes')).toBe(false)
    expect(allowed('renderer/pages', 'renderer/ipc')).toBe(false)
    expect(allowed('renderer/stores', 'electron/api')).toBe(false)
    expect(allowed('electron/api', 'shared/contract')).toBe(true)
  })
})
