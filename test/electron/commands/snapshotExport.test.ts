import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { describe, expect, it } from 'vitest'
import type { ExportReport } from '#shared/contract/exports.ts'
import { hasProgram, temporaryDirectory } from '#test/support/peers.ts'
import { cli, startCluster } from '#test/support/runningCluster.ts'

const run = promisify(execFile)

/** `drydock snapshot …`; a failing exit code is an outcome. */
async function snapshot(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    return { code: 0, ...(await run(process.execPath, ['--disable-warning=ExperimentalWarning', cli, 'snapshot', ...args], { encoding: 'utf8' })) }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, stdout, stderr }
  }
}

const WORD = 'aHVudGVyMg=='
const OBJECTS = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Secret
metadata: {name: login, namespace: shop}
data: {word: ${WORD}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx, envFrom: [{secretRef: {name: login}}]}]}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, singular: crontab, kind: CronTab}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`
const CUSTOM = 'apiVersion: stable.example.com/v1\nkind: CronTab\nmetadata: {name: nightly, namespace: shop}\nspec: {every: night}\n'

describe.skipIf(!hasProgram('kubectl'))('snapshot export of a running cluster', () => {
  it('writes every kind, Secrets only encrypted, and makes all of it again', { timeout: 480_000 }, async () => {
    const dir = temporaryDirectory('export-running')
    const cluster = await startCluster(join(dir, 'cluster'))
    const manifest = join(dir, 'objects.yaml')
    for (const text of [OBJECTS, CUSTOM]) {
      writeFileSync(manifest, text)
      expect((await cluster.kubectl(['apply', '-f', manifest])).stderr).toBe('')
      await cluster.kubectl(['wait', '--for=condition=Established', 'crd/crontabs.stable.example.com'])
    }
    const identity = await generateX25519Identity()
    const keyFile = join(dir, 'key.txt')
    writeFileSync(keyFile, `# mine\n${identity}\n`)
    const recipient = ['--secrets-recipient', await identityToRecipient(identity)]
    const of = ['--kubeconfig', cluster.kubeconfig]

    const folder = join(dir, 'all')
    const report = JSON.parse((await snapshot('export', '-o', folder, ...of, ...recipient, '--json')).stdout) as ExportReport
    const files = readdirSync(folder, { recursive: true }).map(String)
    expect(files).toEqual(
      expect.arrayContaining([
        'secrets.yaml.age',
        'shop/deployment/web.yaml',
        'shop/crontab/nightly.yaml',
        '_cluster/customresourcedefinition/crontabs.stable.example.com.yaml',
        '_cluster/namespace/shop.yaml',
      ]),
    )
    expect(report).toMatchObject({ output: folder, secretsPath: join(folder, 'secrets.yaml.age'), encryptedSecrets: 1 })
    expect(report.exported).toBe(files.filter((name) => name.endsWith('.yaml')).length)
    expect(report.leftOut['a controller makes it']).toBeGreaterThan(0)
    for (const name of files.filter((each) => statSync(join(folder, each)).isFile())) expect(readFileSync(join(folder, name), 'latin1')).not.toContain(WORD)
    expect(readFileSync(join(folder, 'secrets.yaml.age'), 'latin1')).toMatch(/^age-encryption\.org\/v1\n/)
    expect(statSync(join(folder, 'secrets.yaml.age')).mode & 0o777).toBe(0o600)

    const one = join(dir, 'shop.yaml')
    const only = JSON.parse((await snapshot('export', '-o', one, '-n', 'shop', ...of, ...recipient, '--json')).stdout) as ExportReport
    expect(only.secretsPath).toBe(join(dir, 'shop.secrets.yaml.age'))
    expect(readFileSync(one, 'utf8')).not.toMatch(/uid:|resourceVersion:|kube-system/)
    const again = await snapshot('export', '-o', one, ...of)
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('exist') as string })

    await cluster.kubectl(['delete', 'namespace', 'shop'])
    await cluster.kubectl(['delete', 'crd', 'crontabs.stable.example.com'])
    const locked = await snapshot('apply', one, ...of)
    expect(locked).toMatchObject({ code: 1, stderr: expect.stringContaining('give --identity FILE') as string })
    expect((await cluster.kubectl(['get', 'namespace', 'shop'])).code).not.toBe(0)
    const applied = await snapshot('apply', folder, ...of, '--identity', keyFile)
    expect(applied.code, applied.stdout).toBe(0)
    const place = (kind: string, name: string): number => applied.stdout.search(new RegExp(`created \\|\\s+${kind} \\|\\s+shop \\|\\s+${name} `))
    expect(place('Secret', 'login')).toBeGreaterThan(0)
    expect(place('Secret', 'login')).toBeLessThan(place('Deployment', 'web'))
    expect((await cluster.kubectl(['get', 'secret', 'login', '-n', 'shop', '-o', 'jsonpath={.data.word}'])).stdout).toBe(WORD)
    expect((await cluster.kubectl(['get', 'crontab', 'nightly', '-n', 'shop', '-o', 'jsonpath={.spec.every}'])).stdout).toBe('night')

    await cluster.kubectl(['delete', 'secret', 'login', '-n', 'shop'])
    const without = await snapshot('apply', one, ...of, '--skip-encrypted')
    expect(without.code, without.stdout).toBe(0)
    expect((await cluster.kubectl(['get', 'secret', 'login', '-n', 'shop'])).code).not.toBe(0)
    const passphrase = (name: string, text: string): string => {
      writeFileSync(join(dir, name), `${text}\n`, { mode: 0o600 })
      return join(dir, name)
    }
    const [right, wrong, short] = [passphrase('right', 'correct horse'), passphrase('wrong', 'correct horses'), passphrase('short', 'horse')]
    expect((await snapshot('apply', folder, ...of, '--identity', keyFile)).code).toBe(0)
    const kept = join(dir, 'kept.yaml')
    const only8 = await snapshot('export', '-o', kept, '-n', 'shop', ...of, '--secrets-passphrase-file', short)
    expect(only8).toMatchObject({ code: 1, stderr: expect.stringContaining('a passphrase has at least 8 characters') as string })
    const both = await snapshot('export', '-o', kept, ...of, '--secrets-passphrase-file', right, ...recipient)
    expect(both).toMatchObject({ code: 1, stderr: expect.stringContaining('give one of these') as string })
    expect(readdirSync(dir)).not.toContain('kept.yaml')
    expect((await snapshot('export', '-o', kept, '-n', 'shop', ...of, '--secrets-passphrase-file', right)).code).toBe(0)
    expect(readFileSync(join(dir, 'kept.secrets.yaml.age'), 'latin1')).toMatch(/^age-encryption\.org\/v1\n-> scrypt /)
    expect(readFileSync(kept, 'utf8')).not.toContain(WORD)
    await cluster.kubectl(['delete', 'secret', 'login', '-n', 'shop'])
    const refused = await snapshot('apply', kept, ...of, '--passphrase-file', wrong)
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('the passphrase does not open the file') as string })
    const opened = await snapshot('apply', kept, ...of, '--passphrase-file', right)
    expect(opened.code, opened.stdout + opened.stderr).toBe(0)
    expect((await cluster.kubectl(['get', 'secret', 'login', '-n', 'shop', '-o', 'jsonpath={.data.word}'])).stdout).toBe(WORD)
    await cluster.end()
    rmSync(dir, { recursive: true, force: true })
  })
})
