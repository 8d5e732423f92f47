// Whether out/ is what the sources say. Plain JavaScript without dependencies.
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './environment.mjs'

const SOURCES = ['renderer', 'shared', 'electron', 'build', 'package.json', 'package-lock.json']
const stamp = join(root, 'out', 'built')

function newest(path) {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))))
}

export const isBuilt = () => existsSync(stamp) && SOURCES.every((name) => newest(join(root, name)) <= statSync(stamp).mtimeMs)

export function tellBuilt() {
  writeFileSync(stamp, '')
}
