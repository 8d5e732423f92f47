import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { runProgram, temporaryDirectory } from '#test/support/peers.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const require = createRequire(import.meta.url)
const configuration = (): Record<string, unknown> => parse(readFileSync(join(root, 'build/electron-builder.yml'), 'utf8')) as Record<string, unknown>
const builder = createRequire(require.resolve('electron-builder/package.json'))

interface Validator {
  validateConfiguration: (config: object, debug: { add: () => void; isEnabled: boolean }) => Promise<void>
}

/** electron-builder's own check of a configuration, which needs no network. */
async function validate(config: object): Promise<void> {
  const { validateConfiguration } = builder('app-builder-lib/out/util/config/config.js') as Validator
  await validateConfiguration(config, { add: () => undefined, isEnabled: false })
}

/** Wire of fuses in a binary: the sentinel, a version, a length, then one letter for each fuse. @see https://github.com/electron/fuses */
const SENTINEL = 'dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX'
const FUSES = [
  'runAsNode',
  'enableCookieEncryption',
  'enableNodeOptionsEnvironmentVariable',
  'enableNodeCliInspectArguments',
  'enableEmbeddedAsarIntegrityValidation',
  'onlyLoadAppFromAsar',
  'loadBrowserProcessSpecificV8Snapshot',
  'grantFileProtocolExtraPrivileges',
]

/** A folder that electron-builder takes for an unpacked Electron: its executable holds nothing but the fuses, as Electron ships them. */
function fakeElectron(directory: string): string {
  const version = (require('electron/package.json') as { version: string }).version
  mkdirSync(join(directory, 'resources'), { recursive: true })
  const wire = Buffer.concat([Buffer.from(SENTINEL), Buffer.from([1, FUSES.length + 1]), Buffer.from('101100011')])
  writeFileSync(join(directory, 'electron'), Buffer.concat([Buffer.alloc(64), wire, Buffer.alloc(64)]))
  chmodSync(join(directory, 'electron'), 0o755)
  for (const name of ['chrome-sandbox', 'chrome_crashpad_handler', 'libffmpeg.so', 'LICENSES.chromium.html']) writeFileSync(join(directory, name), '')
  writeFileSync(join(directory, 'LICENSE'), '')
  writeFileSync(join(directory, 'version'), version)
  return directory
}

function fusesOf(binary: string): Record<string, boolean> {
  const bytes = readFileSync(binary)
  const at = bytes.indexOf(SENTINEL) + SENTINEL.length
  const letters = bytes.subarray(at + 2, at + 2 + (bytes[at + 1] ?? 0)).toString('latin1')
  return Object.fromEntries(FUSES.map((name, index) => [name, letters[index] === '1']))
}

interface ArchiveFolder {
  files: Record<string, ArchiveFolder | { size: number }>
}

/** Paths in an asar archive: a JSON header behind four numbers. */
function archiveFiles(path: string): string[] {
  const bytes = readFileSync(path)
  const header = JSON.parse(bytes.subarray(16, 16 + bytes.readUInt32LE(12)).toString()) as ArchiveFolder
  const list = (folder: ArchiveFolder, prefix: string): string[] =>
    Object.entries(folder.files).flatMap(([name, entry]) => ('files' in entry ? list(entry, `${prefix}${name}/`) : [`${prefix}${name}`]))
  return list(header, '')
}

describe('the package', () => {
  it('has a configuration that electron-builder accepts', async () => {
    await expect(validate(configuration())).resolves.toBeUndefined()
  })

  it('would notice a misspelt key', async () => {
    await expect(validate({ ...configuration(), electronFusess: {} })).rejects.toThrow(/electronFusess/)
  })

  it.skipIf(!existsSync(join(root, 'out/main/main.js')))('holds the built files alone, in an executable with its fuses set', { timeout: 120_000 }, async () => {
    const directory = temporaryDirectory('package')
    const dist = fakeElectron(join(directory, 'electron'))
    const output = join(directory, 'dist')
    const cli = join(root, 'node_modules/electron-builder/cli.js')
    const config = ['--config', 'build/electron-builder.yml', `-c.electronDist=${dist}`, `-c.directories.output=${output}`]
    const result = await runProgram(process.execPath, [cli, '--linux', 'dir', ...config], { cwd: root, timeoutMs: 110_000, env: { CI: '1' } })
    expect(result.code, result.stdout + result.stderr).toBe(0)
    const files = archiveFiles(join(output, 'linux-unpacked/resources/app.asar'))
    expect(files.filter((path) => path !== 'package.json' && !path.startsWith('out/'))).toEqual([])
    for (const needed of ['package.json', 'out/main/main.js', 'out/main/cli.js', 'out/preload/preload.cjs', 'out/renderer/index.html'])
      expect(files).toContain(needed)
    expect(files.filter((path) => path.endsWith('.map') || path.includes('node_modules'))).toEqual([])
    expect(fusesOf(join(output, 'linux-unpacked/drydock'))).toEqual({
      runAsNode: false,
      enableCookieEncryption: true,
      enableNodeOptionsEnvironmentVariable: false,
      enableNodeCliInspectArguments: false,
      enableEmbeddedAsarIntegrityValidation: true,
      onlyLoadAppFromAsar: true,
      loadBrowserProcessSpecificV8Snapshot: false,
      grantFileProtocolExtraPrivileges: false,
    })
  })
})

describe.skipIf(!existsSync(join(root, 'out/renderer/.vite/manifest.json')))('the built page', () => {
  interface Chunk {
    file: string
    isEntry?: boolean
    imports?: string[]
  }
  const built = (...path: string[]): Buffer => readFileSync(join(root, 'out/renderer', ...path))

  it('loads at most 400 KB of compressed script before its first page', () => {
    const manifest = JSON.parse(built('.vite/manifest.json').toString()) as Record<string, Chunk>
    const files = new Set<string>()
    const visit = (key: string): void => {
      const chunk = manifest[key]
      if (chunk === undefined || files.has(chunk.file)) return
      files.add(chunk.file)
      chunk.imports?.forEach(visit)
    }
    for (const [key, chunk] of Object.entries(manifest)) if (chunk.isEntry === true) visit(key)
    // The page that opens first is loaded by the entry, so it counts as well.
    const overview = Object.keys(manifest).find((key) => key.endsWith('pages/OverviewPage.vue'))
    visit(overview ?? '')
    expect(overview).toBeDefined()
    const bytes = [...files].filter((file) => file.endsWith('.js')).reduce((sum, file) => sum + gzipSync(built(file)).length, 0)
    expect(bytes).toBeGreaterThan(20 * 1024)
    expect(bytes).toBeLessThanOrEqual(400 * 1024)
  })

  it('has no script, style or address in its document that its policy would stop', () => {
    const document = built('index.html').toString()
    expect(document).not.toMatch(/<script(?![^>]*\bsrc=)/)
    expect(
      [...document.matchAll(/\b(?:src|href)="([^"]*)"/g)].map(([, address]) => address).filter((address) => !/^(\.\/|data:image\/)/.test(address ?? '')),
    ).toEqual([])
  })
})
