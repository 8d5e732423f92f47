import { builtinModules } from 'node:module'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const top = fileURLToPath(new URL('..', import.meta.url))
const builtin = new Set(builtinModules)

/** The main process and the process of the embedded cluster, for Electron's Node; libraries are bundled, native parts and Electron are not. */
export default defineConfig({
  root: top,
  resolve: {
    alias: [
      { find: /^#shared\//, replacement: `${top}shared/` },
      { find: /^#electron\//, replacement: `${top}electron/` },
    ],
    conditions: ['node'],
  },
  ssr: { noExternal: true, external: ['electron', 'cpu-features'] },
  build: {
    ssr: true,
    outDir: `${top}out/main`,
    emptyOutDir: true,
    target: 'node24',
    rollupOptions: {
      input: { main: `${top}electron/main.ts`, cli: `${top}electron/cli.ts` },
      external: (id) => id === 'electron' || id.startsWith('node:') || builtin.has(id) || id.endsWith('.node') || id === 'cpu-features',
      output: { format: 'es', entryFileNames: '[name].js', banner: 'const __filename = import.meta.filename; const __dirname = import.meta.dirname;' },
    },
  },
  logLevel: 'warn',
})
