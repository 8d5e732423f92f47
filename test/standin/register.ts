import { registerHooks } from 'node:module'

// Before anything else: `electron` is the module beside this file.

const url = new URL('./module.ts', import.meta.url).href

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'electron' || specifier === 'electron/main' ? { url, format: 'module-typescript', shortCircuit: true } : next(specifier, context),
})
