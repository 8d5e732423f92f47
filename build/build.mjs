// Builds the page, the main process and the preload script into out/. `--if-stale`: only when a source is newer.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'
import { root, say } from './environment.mjs'
import { isBuilt, tellBuilt } from './freshness.mjs'

/** First page's script, compressed: what a browser loads before anything is seen. */
const FIRST_PAGE_LIMIT = 400 * 1024
const quiet = process.argv.includes('--quiet')

/** Entry and everything it imports statically, by the manifest. */
function firstPageBytes() {
  const outDir = join(root, 'out', 'renderer')
  const manifest = JSON.parse(readFileSync(join(outDir, '.vite', 'manifest.json'), 'utf8'))
  const files = new Set()
  const visit = (key) => {
    const chunk = manifest[key]
    if (chunk === undefined || files.has(chunk.file)) return
    files.add(chunk.file)
    for (const each of chunk.imports ?? []) visit(each)
  }
  for (const [key, chunk] of Object.entries(manifest)) if (chunk.isEntry) visit(key)
  return [...files].reduce((sum, file) => sum + gzipSync(readFileSync(join(outDir, file))).length, 0)
}

if (process.argv.includes('--if-stale') && isBuilt()) {
  if (!quiet) say('out/ is up to date')
  process.exit(0)
}
for (const [what, config] of [
  ['page', 'vite.renderer.mjs'],
  ['main process', 'vite.main.mjs'],
  ['preload script', 'vite.preload.mjs'],
]) {
  if (what === 'main process' && !existsSync(join(root, 'electron', 'main.ts'))) continue
  const startedMs = Date.now()
  await build({ configFile: join(root, 'build', config) })
  if (!quiet) say(`built the ${what} in ${((Date.now() - startedMs) / 1000).toFixed(1)} s`)
}
const bytes = firstPageBytes()
if (!quiet) say(`the first page loads ${(bytes / 1024).toFixed(0)} KB of compressed script (limit ${FIRST_PAGE_LIMIT / 1024} KB)`)
if (bytes > FIRST_PAGE_LIMIT) {
  say('the first page loads too much script: move what it does not need at once behind import()')
  process.exit(1)
}
tellBuilt()
