import js from '@eslint/js'
import pluginVue from 'eslint-plugin-vue'
import tseslint from 'typescript-eslint'
import vueParser from 'vue-eslint-parser'
import { layersRule } from './build/layersRule.mjs'

const source = ['**/*.ts', '**/*.vue']

export default tseslint.config(
  { ignores: ['node_modules', 'out', '.tsbuild', 'test-results', '**/*.d.ts', '**/*.mjs', '**/*.js'] },
  { files: source, extends: [js.configs.recommended, ...tseslint.configs.strict] },
  {
    files: ['**/*.vue'],
    extends: [...pluginVue.configs['flat/essential']],
    languageOptions: { parser: vueParser, parserOptions: { parser: tseslint.parser } },
    rules: {
      'vue/block-order': ['error', { order: ['script', 'template', 'style'] }],
      'vue/component-api-style': ['error', ['script-setup']],
      'vue/multi-word-component-names': 'off',
    },
  },
  {
    files: source,
    plugins: { drydock: { rules: { layers: layersRule } } },
    rules: {
      'drydock/layers': 'error',
      'no-undef': 'off',
      'no-console': 'error',
      'no-control-regex': 'off',
      'preserve-caught-error': 'off',
      'max-lines': ['error', { max: 500, skipBlankLines: true, skipComments: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' }],
    },
  },
  {
    // Time and chance are injected (shared/base/clock.ts, random.ts).
    files: ['electron/**/*.ts', 'shared/**/*.ts'],
    ignores: ['shared/base/**', 'electron/main.ts', 'electron/desktop/**', 'electron/preload/**'],
    rules: {
      'no-restricted-globals': ['error', 'setTimeout', 'setInterval'],
      'no-restricted-properties': ['error', { object: 'Date', property: 'now' }, { object: 'Math', property: 'random' }],
    },
  },
)
