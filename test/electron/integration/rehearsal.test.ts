import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { EMBEDDED } from '#electron/clusters/localClusters.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { temporaryDirectory } from '#test/support/peers.ts'
import { startApplication, type RunningApplication } from '#test/support/runningApplication.ts'

const NODES = { group: '', version: 'v1', resource: 'nodes' }

async function nodeVersions(app: RunningApplication, clusterId: string): Promise<string[]> {
  const nodes = await app.invoke('objects.list', { clusterId, gvr: NODES })
  return nodes
    .map((node: KubeObject) => `${node.metadata.name ?? ''} ${(node['status'] as { nodeInfo: { kubeletVersion: string } }).nodeInfo.kubeletVersion}`)
    .sort()
}

async function rehearsalFindings(app: RunningApplication): Promise<string[]> {
  const { findings } = await app.invoke('upgrade.plan', { clusterId: EMBEDDED })
  return findings.filter(({ title }) => title.includes('rehearsed')).map(({ level, title }) => `${level}: ${title}`)
}

describe('an upgrade rehearsed on a twin', () => {
  it('runs on the twin from plan to report and leaves the cluster it was made from as it is', { timeout: 240_000 }, async () => {
    const app = await startApplication(join(temporaryDirectory('rehearsal'), 'data'))
    await app.first('clusters.watch', {}, ([cluster]) => cluster?.connection.state === 'live')
    // A backup of the first second would not have the static pods yet.
    for await (const _ of app.subscribe('table.watch', { clusterId: EMBEDDED, resource: 'pods' })) {
      const { findings } = await app.invoke('upgrade.plan', { clusterId: EMBEDDED })
      if (!findings.some(({ level }) => level === 'blocking')) break
    }
    const before = await nodeVersions(app, EMBEDDED)
    // Protected: what was not rehearsed is not run, unless somebody writes why.
    await app.invoke('clusters.setProtection', { clusterId: EMBEDDED, protection: 'protected' })
    expect(await rehearsalFindings(app)).toEqual(['blocking: the upgrade to v1.36.4 was not rehearsed on a twin of this cluster, which is protected'])
    await expect(app.invoke('upgrade.start', { clusterId: EMBEDDED, targetVersion: 'v1.36.4' })).rejects.toThrow('was not rehearsed')
    const saved = await app.first('backups.save', { clusterId: EMBEDDED }, ({ phase }) => phase === 'done')
    if (saved.phase !== 'done') throw new Error('no backup')
    const { clusterId } = await app.invoke('backups.makeTwin', { id: saved.backup.id })
    await app.invoke('clusters.open', { clusterId })
    const summaries = await app.first('clusters.watch', {}, (list) => list.some(({ id, connection }) => id === clusterId && connection.state === 'live'))
    expect(summaries.find(({ id }) => id === clusterId)).toMatchObject({ kind: 'twin', name: 'Twin of Local cluster', version: 'v1.35.8' })
    expect(await nodeVersions(app, clusterId)).toEqual(before)

    const plan = await app.invoke('upgrade.plan', { clusterId })
    expect(plan.findings.filter(({ level }) => level === 'blocking')).toEqual([])
    const { runId } = await app.invoke('upgrade.start', { clusterId, targetVersion: 'v1.36.4' })
    const run = await app.first('runbooks.watchOne', { runId }, ({ state }) => ['done', 'failed', 'aborted'].includes(state))
    expect(run.steps.filter(({ state }) => state !== 'done').map(({ id, state, error }) => `${id} ${state} ${error}`)).toEqual([])
    expect(await nodeVersions(app, clusterId)).toEqual(['controlplane v1.36.4', 'node01 v1.36.4', 'node02 v1.36.4'])
    expect(await nodeVersions(app, EMBEDDED)).toEqual(before)
    const { markdown } = await app.invoke('runbooks.report', { runId })
    expect(markdown).toContain('Twin of Local cluster')
    await app.invoke('instances.discard', { clusterId })

    expect(await rehearsalFindings(app)).toEqual([expect.stringMatching(/^note: the upgrade to v1\.36\.4 was rehearsed within the last hour, in \d+ s$/)])
    const real = await app.invoke('upgrade.start', { clusterId: EMBEDDED, targetVersion: 'v1.36.4' })
    const begun = await app.first('runbooks.watchOne', { runId: real.runId }, ({ steps }) => steps[1]?.state === 'done')
    expect(begun.steps.map(({ id, rehearsedMs }) => [id, (rehearsedMs ?? 0) > 0])).toEqual(run.steps.map(({ id }) => [id, true]))
    await app.invoke('runbooks.abort', real)
  })
})
