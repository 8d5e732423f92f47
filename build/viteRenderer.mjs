// The page's build: `vite build --config build/viteRenderer.mjs`, from renderer/ to out/renderer. Relative addresses, because the desktop
// shell and the server show it from different roots; no inlined fonts, because the page's policy allows fonts from itself only.
import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'

const at = (path) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  root: at('../renderer'),
  base: './',
  plugins: [vue()],
  define: {
    __VUE_OPTIONS_API__: false,
    __VUE_PROD_DEVTOOLS__: false,
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: false,
    __VUE_I18N_FULL_INSTALL__: false,
    __VUE_I18N_LEGACY_API__: false,
    __INTLIFY_PROD_DEVTOOLS__: false,
  },
  build: { outDir: at('../out/renderer'), emptyOutDir: true, target: 'es2024', assetsInlineLimit: 0, modulePreload: { polyfill: false }, sourcemap: false },
})
