import { join } from 'node:path'
import { build, loadConfigFromFile } from 'vite'

const top = join(import.meta.dirname, '../../..')
let built: Promise<string> | null = null

/** embeddedServer.ts put together as the app's main process is, which is what users start: its file. Made once in this process. */
export function builtServer(): Promise<string> {
  built ??= make()
  return built
}

async function make(): Promise<string> {
  const outDir = join(top, 'out/bench')
  const loaded = await loadConfigFromFile({ command: 'build', mode: 'production' }, join(top, 'build/vite.main.mjs'))
  if (loaded === null) throw new Error('build/vite.main.mjs, which says how the main process is built, is missing')
  const { resolve, build: asMain, ...config } = loaded.config
  const aliases = Array.isArray(resolve?.alias) ? resolve.alias : []
  await build({
    ...config,
    configFile: false,
    resolve: { ...resolve, alias: [...aliases, { find: /^#test\//, replacement: `${top}/test/` }] },
    build: { ...asMain, outDir, rollupOptions: { ...asMain?.rollupOptions, input: { embeddedServer: join(import.meta.dirname, 'embeddedServer.ts') } } },
  })
  return join(outDir, 'embeddedServer.js')
}
