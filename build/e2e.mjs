// `npm run e2e -- [--mode standin|serve|electron]… [--report FILE] [what Playwright takes]`: the specs of test/e2e, by default in every mode that
// this machine has. Specs of what the shell has no part in (@page) run in the first mode only: page and cluster are the same in each.
import { mkdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { electronBinary, ensureInstalled, has, projectEnvironment, root, run, say } from './environment.mjs'

const MODES = ['standin', 'serve', 'electron']
const modes = []
const rest = []
let report = join(root, 'test-results', 'e2e.json')
const given = process.argv.slice(2)
while (given.length > 0) {
  const each = given.shift()
  if (each === '--mode') modes.push(...(given.shift() ?? '').split(','))
  else if (each === '--report') report = resolve(given.shift() ?? report)
  else rest.push(each)
}
const unknown = modes.find((mode) => !MODES.includes(mode))
if (unknown !== undefined) {
  process.stderr.write(`drydock: there is no mode ${JSON.stringify(unknown)}: say --mode ${MODES.join('|')}\n`)
  process.exit(2)
}
await ensureInstalled()
if (!has('chromium') && process.env.DRYDOCK_CHROMIUM === undefined && !(modes.length === 1 && modes[0] === 'electron')) {
  process.stderr.write('drydock: the end-to-end tests need Chromium: install it (Debian: apt-get install chromium), or name one in DRYDOCK_CHROMIUM\n')
  process.exit(1)
}
if (modes.length === 0) modes.push('standin', 'serve', ...(electronBinary() === null ? [] : ['electron']))
const built = await run('node', ['build/build.mjs', '--if-stale', '--quiet'])
if (built !== 0) process.exit(built)
mkdirSync(dirname(report), { recursive: true })
const code = await run(
  'playwright',
  ['test', '--config', 'test/e2e/playwright.config.ts', ...modes.flatMap((mode) => ['--project', mode]), '--reporter', 'list,json', ...rest],
  {
    env: { ...projectEnvironment(), PLAYWRIGHT_JSON_OUTPUT_FILE: report, DRYDOCK_PAGE_MODE: modes[0] },
  },
)

/** Titles of the specs that were not run, with why. */
function skipped({ suites = [], specs = [] }) {
  const own = specs.flatMap((spec) =>
    spec.tests.filter((test) => test.status === 'skipped').map((test) => `${spec.title} (${test.annotations.map((each) => each.description).join(', ')})`),
  )
  return [...own, ...suites.flatMap(skipped)]
}
const titles = skipped(JSON.parse(readFileSync(report, 'utf8')))
if (titles.length > 0) say(`not tested here: ${titles.length}\n  ${titles.join('\n  ')}`)
process.exit(code)
