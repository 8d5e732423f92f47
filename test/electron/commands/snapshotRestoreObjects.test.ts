import { execFile } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { parseObject } from '#electron/commands/snapshotRestoreObjects.ts'
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

const OBJECTS = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, singular: crontab, kind: CronTab}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {colour: blue}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx, envFrom: [{configMapRef: {name: settings}}]}]}
`

describe('parseObject', () => {
  const resources = [
    { group: 'apps', version: 'v1', resource: 'deployments', kind: 'Deployment', namespaced: true },
    { group: '', version: 'v1', resource: 'nodes', kind: 'Node', namespaced: false },
  ]
  it.each(['shop/Deployment/web', 'shop/deployments/web', 'shop/deployments.apps/web', 'shop/deployment.apps/web'])('understands %s', (text) => {
    expect(parseObject(text, resources)).toEqual({ group: 'apps', version: 'v1', resource: 'deployments', namespace: 'shop', name: 'web' })
  })
  it('says what is missing', () => {
    expect(parseObject('Node/a', resources)).toMatchObject({ resource: 'nodes', namespace: '' })
    expect(() => parseObject('Deployment/web', resources)).toThrow(/say NAMESPACE\/Deployment\/web/)
    expect(() => parseObject('web', resources)).toThrow(/names no object/)
    expect(() => parseObject('shop/Gadget/web', resources)).toThrow(/no kind Gadget/)
  })
})

describe.skipIf(!hasProgram('kubectl') || !hasProgram('etcdctl'))('snapshot restore of objects, and snapshot apply', () => {
  it('makes again what was deleted, in order, and tells of each object', { timeout: 240_000 }, async () => {
    const dir = temporaryDirectory('restore-objects')
    const cluster = await startCluster(join(dir, 'cluster'))
    const manifest = join(dir, 'objects.yaml')
    writeFileSync(manifest, OBJECTS)
    await cluster.kubectl(['apply', '-f', manifest])
    await cluster.kubectl(['wait', '--for=condition=Established', 'crd/crontabs.stable.example.com'])
    writeFileSync(manifest, 'apiVersion: stable.example.com/v1\nkind: CronTab\nmetadata: {name: nightly, namespace: shop}\nspec: {every: night}\n')
    expect((await cluster.kubectl(['apply', '-f', manifest])).stderr).toBe('')
    const file = join(dir, 'snapshot.db')
    expect((await cluster.etcdctl(['snapshot', 'save', file])).code).toBe(0)
    const exported = join(dir, 'exported')
    expect((await snapshot('export', file, '-o', exported, '-n', 'shop')).code).toBe(0)
    await cluster.kubectl(['delete', 'namespace', 'shop'])
    const to = ['--kubeconfig', cluster.kubeconfig]

    const tried = await snapshot('restore', file, '--object', 'shop/Deployment/web', '--namespace', 'shop', ...to, '--dry-run')
    expect(tried.stdout).toMatch(/created \|\s+Deployment \|\s+shop \|\s+web/)
    expect(tried.stdout).toContain('dry run, nothing was changed')
    expect((await cluster.kubectl(['get', 'namespace', 'shop'])).code).not.toBe(0)

    const reportPath = join(dir, 'report.md')
    const restored = await snapshot('restore', file, '-n', 'shop', ...to, '-o', 'json', '--report', reportPath)
    expect(restored.stderr).toBe('')
    const { items } = JSON.parse(restored.stdout) as { items: { kind: string; name: string; outcome: string; message: string }[] }
    const made = items.filter(({ outcome }) => outcome === 'created').map(({ kind, name }) => `${kind}/${name}`)
    expect(made.slice(0, 1)).toEqual(['Namespace/shop'])
    expect(made).toEqual(expect.arrayContaining(['ConfigMap/settings', 'Deployment/web', 'CronTab/nightly']))
    expect(made.indexOf('ConfigMap/settings')).toBeLessThan(made.indexOf('Deployment/web'))
    expect(items.filter(({ outcome }) => outcome === 'failed')).toEqual([])
    expect(readFileSync(reportPath, 'utf8')).toContain('| created | Deployment | shop | web |')
    expect((await cluster.kubectl(['rollout', 'status', 'deployment/web', '-n', 'shop', '--timeout=30s'])).code).toBe(0)

    await cluster.kubectl(['patch', 'configmap', 'settings', '-n', 'shop', '--type=merge', '-p', '{"data":{"colour":"red"}}'])
    const kept = await snapshot('restore', file, '--object', 'shop/configmaps/settings', ...to)
    expect(kept.stdout).toMatch(/skipped .* is there and differs; it was left as it is/)
    expect((await snapshot('restore', file, '--object', 'shop/configmaps/settings', ...to, '--overwrite')).stdout).toMatch(/replaced/)
    expect((await cluster.kubectl(['get', 'configmap', 'settings', '-n', 'shop', '-o', 'jsonpath={.data.colour}'])).stdout).toBe('blue')

    const early = await snapshot('restore', file, '--object', 'shop/configmaps/settings', ...to, '--rev', '3', '--dry-run')
    expect(early.stdout).toMatch(/skipped .* it is not in the source/)

    await cluster.kubectl(['delete', 'namespace', 'shop'])
    await cluster.kubectl(['delete', 'crd', 'crontabs.stable.example.com'])
    const without = await snapshot('apply', exported, ...to, '--dry-run')
    expect(without.code).toBe(1)
    expect(without.stdout).toMatch(/created .*will be made once the namespace shop is there/)
    expect(without.stdout).toContain('the cluster serves no CronTab of stable.example.com/v1')
    expect((await snapshot('export', file, '-o', join(dir, 'definitions.yaml'), '--kind', 'CustomResourceDefinition')).code).toBe(0)
    writeFileSync(join(exported, 'definitions.yaml'), readFileSync(join(dir, 'definitions.yaml')))
    const applied = await snapshot('apply', exported, ...to)
    expect(applied.code, applied.stdout).toBe(0)
    expect(applied.stdout.indexOf('CustomResourceDefinition')).toBeLessThan(applied.stdout.indexOf('CronTab '))
    expect((await cluster.kubectl(['get', 'crontab', 'nightly', '-n', 'shop', '-o', 'jsonpath={.spec.every}'])).stdout).toBe('night')
    await cluster.end()
    rmSync(dir, { recursive: true, force: true })
  })
})
