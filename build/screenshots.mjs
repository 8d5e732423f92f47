// `npm run screenshots [-- NAME]`: a picture of every page in both themes and two sizes, into test-results/screenshots/.
import { ensureInstalled, run } from './environment.mjs'

await ensureInstalled()
const built = await run('node', ['build/build.mjs', '--if-stale', '--quiet'])
if (built !== 0) process.exit(built)
process.exit(await run('playwright', ['test', ...process.argv.slice(2), '--config', 'test/e2e/playwright.config.ts', '--project', 'screenshots']))
