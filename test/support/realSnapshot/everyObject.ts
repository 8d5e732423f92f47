import type { KubeObject } from '#shared/kubernetes/object.ts'
import { runProgram, type CommandResult } from '#test/support/peers.ts'

export type Kubectl = (args: string[], options?: { input?: string; timeoutMs?: number }) => Promise<CommandResult>

/** kubectl with a kubeconfig and a cache of its own, as what is served differs from server to server. */
export const kubectlOf =
  (program: string, { kubeconfig, cacheDir }: { kubeconfig: string; cacheDir: string }): Kubectl =>
  (args, options = {}) =>
    runProgram(program, ['--kubeconfig', kubeconfig, '--cache-dir', cacheDir, ...args], { timeoutMs: 120_000, ...options })

/** Made up on the spot, or of the moment. */
const NOT_STORED = ['componentstatuses']

/** `kubectl get -o json` of every kind that is served, by kind, namespace and name. @throws when kubectl fails */
export async function everyObject(kubectl: Kubectl): Promise<Map<string, KubeObject>> {
  const names = (await ran(kubectl, ['api-resources', '--verbs=list,get', '-o', 'name']))
    .split('\n')
    .filter((name) => name !== '' && !NOT_STORED.includes(name))
  const { items } = JSON.parse(await ran(kubectl, ['get', names.join(','), '-A', '-o', 'json'])) as { items: KubeObject[] }
  return new Map(
    items
      .map((item): [string, KubeObject] => [`${item.apiVersion ?? ''} ${item.kind ?? ''} ${item.metadata.namespace ?? ''}/${item.metadata.name ?? ''}`, item])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}

export async function ran(kubectl: Kubectl, args: string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await kubectl(args, input === undefined ? {} : { input })
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
  return stdout
}
