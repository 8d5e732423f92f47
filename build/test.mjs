// `npm test`: installs what the tests need, runs every check, and ends with one line `N passed, N failed, N skipped`.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ensureInstalled, has, root, run, say } from './environment.mjs'

/** Programs the integration tests talk to, and the Debian package of each. */
const PEERS = { kubectl: 'kubernetes-client', etcdctl: 'etcd-client', etcd: 'etcd-server', chromium: 'chromium', openssl: 'openssl', dig: 'bind9-dnsutils' }

const totals = { passed: 0, failed: 0, skipped: 0 }

async function installPeers() {
  const missing = Object.keys(PEERS).filter((program) => !has(program))
  if (missing.length === 0) return
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) {
    say(`not installed, so their tests are skipped: ${missing.join(', ')} (Debian packages ${missing.map((name) => PEERS[name]).join(' ')})`)
    return
  }
  say(`installing for the tests: ${missing.join(', ')} …`)
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  await run('apt-get', ['update', '-qq'], { env: environment, stdio: ['ignore', 'ignore', 'inherit'] })
  await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing.map((name) => PEERS[name])], {
    env: environment,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

/** A check that is one test: its exit code says whether it passed. What it prints is shown when it ends, as others run beside it. */
async function check(title, command, args) {
  const startedMs = performance.now()
  const printed = []
  const code = await run(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    started: (child) => [child.stdout, child.stderr].forEach((stream) => stream.on('data', (bytes) => printed.push(bytes))),
  })
  totals[code === 0 ? 'passed' : 'failed'] += 1
  say(`${title}: ${code === 0 ? 'passed' : `failed (exit ${code})`}, ${Math.round((performance.now() - startedMs) / 1000)} s`)
  process.stdout.write(Buffer.concat(printed))
}

/** What reads the sources alone. One after the other, beside the tests, which wait for programs most of their time. */
async function sources() {
  await check('types', 'vue-tsc', ['-b'])
  await check('lint', 'eslint', ['.', '--max-warnings', '0'])
  await check('format', 'prettier', ['--check', '--log-level', 'warn', '.'])
}

async function vitest() {
  say('unit and integration tests')
  const folder = join(root, 'test-results')
  mkdirSync(folder, { recursive: true })
  const report = join(folder, 'vitest.json')
  rmSync(report, { force: true })
  // Run by the project's Node: vitest's own launcher takes the first `node` on the PATH, which is that one too.
  const code = await run('vitest', ['run', '--project=node', '--project=page', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`])
  if (!existsSync(report)) {
    totals.failed += 1
    return
  }
  const result = JSON.parse(readFileSync(report, 'utf8'))
  totals.passed += result.numPassedTests
  totals.failed += result.numFailedTests
  totals.skipped += result.numPendingTests + (result.numTodoTests ?? 0)
  // A file that cannot be loaded has no tests to count, and a run may fail after its tests passed.
  if (code !== 0 && result.numFailedTests === 0) totals.failed += Math.max(1, result.testResults.filter((file) => file.status === 'failed').length)
}

async function e2e() {
  if (!has('chromium')) {
    say('e2e: skipped, chromium is not installed')
    totals.skipped += 1
    return
  }
  say('end-to-end tests')
  const report = join(root, 'test-results', 'e2e.json')
  rmSync(report, { force: true })
  const code = await run('node', ['build/e2e.mjs', '--report', report])
  if (!existsSync(report)) {
    totals.failed += 1
    return
  }
  const { stats } = JSON.parse(readFileSync(report, 'utf8'))
  if (stats.flaky > 0) say(`${stats.flaky} end-to-end spec${stats.flaky === 1 ? '' : 's'} passed only at the second try`)
  totals.passed += stats.expected + stats.flaky
  totals.failed += stats.unexpected
  totals.skipped += stats.skipped
  if (code !== 0 && stats.unexpected === 0) totals.failed += 1
}

await ensureInstalled()
await installPeers()
await check('build', 'node', ['build/build.mjs'])
await Promise.all([sources(), vitest().then(e2e)])
process.stdout.write(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped\n`)
process.exit(totals.failed === 0 ? 0 : 1)
