import type { UpgradeFinding } from '#shared/contract/runbooks.ts'
import type { NodeShell } from '../nodeShell/nodeShell.ts'

/** A manifest with what kubeadm would take out of it and put into it. */
export interface ManifestEdit {
  /** e.g. `/etc/kubernetes/manifests/kube-apiserver.yaml` */
  file: string
  /** Lines without their indentation, each once. */
  takenOut: string[]
  putIn: string[]
}

/** Lines that a finding repeats; the rest are counted. */
const NAMED = 4

/**
 * What was changed by hand in a node's manifests: kubeadm compares each with what it would write for the version that runs, so nothing
 * of an upgrade is in it. kubeadm leaves etcd's manifest out of this; its data path is compared apart.
 */
export async function manifestEditFindings(
  shell: NodeShell,
  { name, currentVersion, signal }: { name: string; currentVersion: string; signal: AbortSignal },
): Promise<UpgradeFinding[]> {
  const command = `kubeadm upgrade diff ${currentVersion}`
  const { exitCode, stdout, stderr } = await shell.run(command, { signal })
  if (exitCode !== 0)
    return [
      {
        level: 'warning',
        title: `the manifests on ${name} could not be compared with what kubeadm would write`,
        cure: `Look at it on the node: ${command}. It said: ${(stderr.trim() || stdout.trim()).split('\n').at(-1) ?? ''}`,
      },
    ]
  return readManifestDiff(stdout).map(({ file, takenOut, putIn }) => {
    const parts = [takenOut.length === 0 ? '' : `take out ${listed(takenOut)}`, putIn.length === 0 ? '' : `put in ${listed(putIn)}`].filter(
      (part) => part !== '',
    )
    return {
      level: 'warning',
      title: `${file.split('/').at(-1) ?? file} on ${name} was edited by hand, and kubeadm writes it anew: it will ${parts.join(' and ')}`,
      cure: 'What should stay belongs into kubeadm’s configuration (extraArgs, extraVolumes; kubectl -n kube-system edit configmap kubeadm-config) or into patches (kubeadm upgrade apply --patches DIR).',
    }
  })
}

const listed = (lines: readonly string[]): string =>
  `${lines.slice(0, NAMED).join(', ')}${lines.length > NAMED ? ` and ${String(lines.length - NAMED)} more lines` : ''}`

/** Reads kubeadm's unified diff: `-` is what stands in the file, `+` what would be written. */
export function readManifestDiff(text: string): ManifestEdit[] {
  const edits: ManifestEdit[] = []
  for (const line of text.split('\n')) {
    const file = /^--- (\S+)/.exec(line)?.[1]
    const edit = edits.at(-1)
    if (file !== undefined) edits.push({ file, takenOut: [], putIn: [] })
    else if (edit === undefined || line.startsWith('+++')) continue
    else if (line.startsWith('-')) edit.takenOut.push(content(line))
    else if (line.startsWith('+')) edit.putIn.push(content(line))
  }
  return edits
    .map(({ file, takenOut, putIn }) => ({ file, takenOut: [...new Set(takenOut)], putIn: [...new Set(putIn)] }))
    .filter(({ takenOut, putIn }) => takenOut.length + putIn.length > 0)
}

const content = (line: string): string => line.slice(1).trim().replace(/^- /, '')
