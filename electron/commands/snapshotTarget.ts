import { readFile, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { SystemClock } from '#shared/base/clock.ts'
import type { ObjectKey, RestoredItem } from '#shared/contract/compare.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import { makeObjects, type Chosen } from '../api/restoreObjects.ts'
import type { ListedResource } from '../clusters/allObjects.ts'
import { ContextTransport } from '../clusters/contextTransport.ts'
import { parseKubeconfig } from '../clusters/kubeconfig.ts'
import { printTable } from '../snapshot/print.ts'
import type { WriteFlags } from './writeFlags.ts'

/** @throws Error that says what to give */
export async function withTarget<T>({ kubeconfig, context }: Pick<WriteFlags, 'kubeconfig' | 'context'>, use: (to: Transport) => Promise<T>): Promise<T> {
  const path = resolve(kubeconfig ?? process.env['KUBECONFIG']?.split(delimiter)[0] ?? join(homedir(), '.kube/config'))
  const contexts = parseKubeconfig(await readFile(path, 'utf8'), path)
  const found = context === undefined ? (contexts.find(({ isCurrent }) => isCurrent) ?? contexts[0]) : contexts.find(({ name }) => name === context)
  if (found === undefined)
    throw new Error(
      `${path} has no ${context === undefined ? 'context' : `context ${context}: it has ${contexts.map(({ name }) => name).join(', ') || 'none'}`}`,
    )
  if (found.problem !== '') throw new Error(`${found.name} cannot be used: ${found.problem}`)
  const transport = new ContextTransport(found, new SystemClock())
  try {
    return await use(transport)
  } finally {
    transport.close()
  }
}

/** Makes objects in the order given and reports each; exit code 1 when any of them failed. */
export async function makeAndReport(to: Transport, chosen: readonly Chosen[], flags: WriteFlags, signal: AbortSignal): Promise<RestoredItem[]> {
  let items: readonly RestoredItem[] = []
  for await (const message of makeObjects(to, chosen, { overwrite: flags.overwrite, dryRun: flags.dryRun, signal })) ({ items } = message)
  return [...items]
}

export async function report(items: readonly RestoredItem[], { output, report: path, dryRun }: WriteFlags, title: string): Promise<void> {
  const counts = Object.entries(Object.groupBy(items, ({ outcome }) => outcome)).map(([outcome, each]) => `${String(each.length)} ${outcome}`)
  const summary = `${dryRun ? 'dry run, nothing was changed: ' : ''}${counts.join(', ') || 'no objects'}`
  const rows = items.map(({ outcome, kind, namespace, name, message }) => [outcome, kind, namespace, name, message])
  if (output === 'json') process.stdout.write(`${JSON.stringify({ dryRun, items })}\n`)
  else process.stdout.write(`${rows.length === 0 ? '' : `${printTable(['OUTCOME', 'KIND', 'NAMESPACE', 'NAME', 'MESSAGE'], rows)}\n`}${summary}\n`)
  if (path !== undefined) {
    const cells = rows.map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`)
    const table = ['| Outcome | Kind | Namespace | Name | Message |', '| --- | --- | --- | --- | --- |', ...cells]
    await writeFile(path, `# ${title}\n\n${summary}\n\n${table.join('\n')}\n`)
  }
  if (items.some(({ outcome }) => outcome === 'failed')) process.exitCode = 1
}

/** The key of an object that some served resource is for; null when there is none. */
export function keyOf(object: KubeObject, resources: readonly ListedResource[]): ObjectKey | null {
  const [first = '', second] = (object.apiVersion ?? '').split('/')
  const group = second === undefined ? '' : first
  const found = resources.find((each) => each.group === group && each.kind === object.kind)
  if (found === undefined) return null
  const { version, resource, namespaced } = found
  return { group, version, resource, namespace: namespaced ? (object.metadata.namespace ?? 'default') : '', name: object.metadata.name ?? '' }
}
