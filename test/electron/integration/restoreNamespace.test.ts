import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { EMBEDDED } from '#electron/clusters/localClusters.ts'
import { hasProgram, runProgram, temporaryDirectory } from '#test/support/peers.ts'
import { startApplication } from '#test/support/runningApplication.ts'

const OBJECTS = `apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {colour: blue}
---
apiVersion: v1
kind: Secret
metadata: {name: key, namespace: shop}
stringData: {token: hush}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: nginx
          envFrom: [{configMapRef: {name: settings}}]
          env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: key, key: token}}}]
`

describe.skipIf(!hasProgram('kubectl'))('a deleted namespace', () => {
  it('is found by comparing a backup with the live cluster, and comes back alone', { timeout: 180_000 }, async () => {
    const app = await startApplication(join(temporaryDirectory('restore-namespace'), 'data'))
    const clusters = await app.first('clusters.watch', {}, ([cluster]) => cluster?.connection.state === 'live')
    const kubectl = (args: string[], input?: string): ReturnType<typeof runProgram> =>
      runProgram('kubectl', [...(clusters[0]?.kubectlArgs ?? []), ...args], input === undefined ? {} : { input })
    await kubectl(['create', 'namespace', 'shop'])
    expect((await kubectl(['apply', '-f', '-'], OBJECTS)).stderr).toBe('')
    expect((await kubectl(['rollout', 'status', 'deployment/web', '-n', 'shop', '--timeout=30s'])).code).toBe(0)
    const saved = await app.first('backups.save', { clusterId: EMBEDDED }, ({ phase }) => phase === 'done')
    if (saved.phase !== 'done') throw new Error('no backup')
    expect((await kubectl(['delete', 'namespace', 'shop', '--timeout=60s'])).code).toBe(0)
    await kubectl(['create', 'configmap', 'later', '--from-literal=kept=yes'])

    const { clusterId: opened } = await app.invoke('backups.openAsCluster', { id: saved.backup.id })
    expect(await app.invoke('backups.openAsCluster', { id: saved.backup.id })).toEqual({ clusterId: opened })
    await app.invoke('clusters.open', { clusterId: opened })
    const comparison = await app.invoke('compare.objects', { before: opened, after: EMBEDDED })
    expect(comparison.notCompared).toEqual([])
    const told = comparison.objects
      .filter(({ noise, owner }) => !noise && owner === '')
      .map(({ change, kind, namespace, name }) => `${change} ${kind} ${namespace}/${name}`)
    expect(told.filter((line) => /shop/.test(line)).sort()).toEqual([
      'removed ConfigMap shop/kube-root-ca.crt',
      'removed ConfigMap shop/settings',
      'removed Deployment shop/web',
      'removed Namespace /shop',
      'removed Secret shop/key',
      'removed Service shop/web',
      'removed ServiceAccount shop/default',
    ])
    expect(told).toContain('added ConfigMap default/later')

    const objects = comparison.objects
      .filter(({ namespace, name, kind, owner, noise }) => owner === '' && !noise && (namespace === 'shop' || (kind === 'Namespace' && name === 'shop')))
      .map(({ group, version, resource, namespace, name }) => ({ group, version, resource, namespace, name }))
    // Of the Deployment alone, what it needs and where that is.
    const [alone] = await app.invoke('restore.plan', { from: opened, to: EMBEDDED, objects: objects.filter(({ resource }) => resource === 'deployments') })
    expect(alone?.requires.map(({ resource, name, where }) => `${resource}/${name} ${where}`).sort()).toEqual([
      'configmaps/settings source',
      'namespaces/shop source',
      'secrets/key source',
    ])
    expect(alone?.state).toBe('invalid')
    const plan = await app.invoke('restore.plan', { from: opened, to: EMBEDDED, objects })
    expect(plan.map(({ kind, name, state }) => `${kind} ${name} ${state}`)).toEqual([
      'Namespace shop new',
      'ServiceAccount default new',
      'Secret key new',
      'ConfigMap kube-root-ca.crt left-out',
      'ConfigMap settings new',
      'Service web new',
      'Deployment web new',
    ])
    expect((await kubectl(['get', 'namespace', 'shop'])).code).toBe(1)

    const result = await app.first('restore.run', { from: opened, to: EMBEDDED, objects, overwrite: false }, ({ done }) => done)
    expect(result.items.filter(({ outcome }) => !['created', 'unchanged', 'skipped'].includes(outcome))).toEqual([])
    expect((await kubectl(['rollout', 'status', 'deployment/web', '-n', 'shop', '--timeout=30s'])).code).toBe(0)
    expect((await kubectl(['get', 'secret', 'key', '-n', 'shop', '-o', 'jsonpath={.data.token}'])).stdout).toBe(Buffer.from('hush').toString('base64'))
    expect((await kubectl(['get', 'configmap', 'later', '-o', 'name'])).stdout).toBe('configmap/later\n')
    const again = await app.invoke('compare.objects', { before: opened, after: EMBEDDED, namespace: 'shop' })
    // New objects with other uids: what people wrote in them is the same.
    for (const object of again.objects.filter(({ change, noise, owner }) => change === 'changed' && !noise && owner === '')) {
      const { fields } = await app.invoke('compare.fields', { before: opened, after: EMBEDDED, object })
      expect(fields.map(({ path }) => path).filter((path) => !/^\.metadata\.(uid|creationTimestamp|annotations)|^\.spec\.clusterIPs?/.test(path))).toEqual([])
    }

    await app.invoke('instances.discard', { clusterId: opened })
    expect(existsSync(saved.backup.path)).toBe(true)
    await expect(app.invoke('compare.objects', { before: opened, after: EMBEDDED })).rejects.toThrow(/not known/)
  })
})
