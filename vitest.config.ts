import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'node', environment: 'node', include: ['test/{shared,electron,architecture,build}/**/*.test.ts'], testTimeout: 30_000 } },
      { plugins: [vue()], test: { name: 'page', environment: 'happy-dom', include: ['test/renderer/**/*.test.ts'] } },
    ],
  },
})
