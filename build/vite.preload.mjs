import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const top = fileURLToPath(new URL('..', import.meta.url))

/** The preload script: one file of CommonJS, as sandboxed preloads must be. */
export default defineConfig({
  root: top,
  build: {
    outDir: `${top}out/preload`,
    emptyOutDir: true,
    lib: { entry: `${top}electron/preload/preload.ts`, formats: ['cjs'], fileName: () => 'preload.cjs' },
    rollupOptions: { external: ['electron'] },
    target: 'chrome142',
  },
  logLevel: 'warn',
})
