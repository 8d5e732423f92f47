import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { KubeadmError, readFlags } from './flags.ts'
import { COMPONENTS, type Component } from './manifests.ts'
import { readingConfig } from './readingConfig.ts'
import { unifiedDiff } from './unifiedDiff.ts'

const CONTEXT_LINES = 3

/** `kubeadm upgrade diff [version]`: what `upgrade apply` would change in this node's manifests; etcd's is not shown, as upstream does not. */
export async function upgradeDiff(
  args: readonly string[],
  {
    rootDir,
    kubeadm,
    out,
    clusterVersion,
    isAdopted,
    rendered,
  }: {
    rootDir: string
    kubeadm: string
    out(text: string): void
    clusterVersion(): Promise<string>
    /** What a snapshot's cluster had is taken for kubeadm's own until somebody edits it. */
    isAdopted(file: string): boolean
    /** What `upgrade apply` would write. */
    rendered(component: Component, version: string): string
  },
): Promise<void> {
  const flags = readFlags(args, { values: ['context-lines'], short: { c: 'context-lines' } })
  const context = Number(flags.value('context-lines') ?? CONTEXT_LINES)
  if (!Number.isInteger(context) || context < 0)
    throw new KubeadmError(`invalid argument "${flags.value('context-lines') ?? ''}" for "-c, --context-lines" flag`)
  const version = flags.words[0] ?? (await clusterVersion())
  if (!/^v?1\.\d+\.\d+$/.test(version)) throw new KubeadmError(`failed to parse version "${version}": could not parse "${version}" as version`)
  out(readingConfig('upgrade/diff', kubeadm))
  for (const component of COMPONENTS) {
    if (component === 'etcd') continue
    const path = `/etc/kubernetes/manifests/${component}.yaml`
    if (!existsSync(join(rootDir, path)) || isAdopted(`${component}.yaml`)) continue
    const text = readFileSync(join(rootDir, path), 'utf8')
    out(unifiedDiff({ name: path, text }, { name: 'new manifest', text: rendered(component, `v${version.replace(/^v/, '')}`) }, context))
  }
}
