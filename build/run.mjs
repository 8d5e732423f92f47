// `npm run drydock -- …`, `npm run bench -- …` and `npm run conformance -- …`: installs and builds what is missing, then runs it on the project's Node.
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { ensureInstalled, root, run } from './environment.mjs'
import { isBuilt } from './freshness.mjs'

const [what, ...args] = process.argv.slice(2)
await ensureInstalled()
// Where electron/cli.ts keeps what Node makes of the modules; told before it begins, it counts for that file too, and no TypeScript is read again.
if (what !== 'conformance') process.env.NODE_COMPILE_CACHE ??= join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'drydock', 'node')
if (what === 'cli') {
  let built = isBuilt()
  if (!built && existsSync(join(root, 'build', 'build.mjs')) && args[0] === 'serve') {
    const code = await run('node', ['build/build.mjs', '--quiet'])
    if (code !== 0) process.exit(code)
    built = true
  }
  // What is built starts in half the time; sources that have changed since count as they are.
  const program = built ? join(root, 'out', 'main', 'cli.js') : join(root, 'build', 'drydock.mjs')
  process.exit(await run('node', ['--disable-warning=ExperimentalWarning', program, ...args]))
}
if (what === 'conformance') process.exit(await run('vitest', ['run', '--project=conformance', ...args]))
process.exit(await run('node', ['--disable-warning=ExperimentalWarning', join(root, 'test', 'bench', 'bench.ts'), ...args]))
