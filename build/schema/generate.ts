// Writes the table of Kubernetes' API types, from Go sources:
//
//   node build/schema/generate.ts 1.36=ROOT 1.20=ROOT > shared/kubernetes/schema/kubernetes-1.36.json
//
// ROOT is a folder with k8s.io's `api`, `apimachinery`, `apiextensions-apiserver`, `client-go`, `metrics`, `kube-aggregator`, as far as a release has
// them. The first is the table's own release. Later ones, newest first, add the packages that it lacks (versions since removed, apiregistration),
// and tell which fields they do not have yet. Nothing but facts is taken: names, numbers, types, keys, defaults, limits.
//
// Debian has both: packages `golang-k8s-{api,apimachinery,apiextensions-apiserver,client-go}-dev` 0.36.4 and `golang-k8s-metrics-dev` 0.36.5 of sid,
// unpacked, below `usr/share/gocode/src/k8s.io`; and the source package `kubernetes` 1.20.5+really1.20.2 of bookworm, below `staging/src/k8s.io`.
// What is not understood goes to standard error; a clean run says nothing there.
import process from 'node:process'
import type { SourceRoot } from './sources.ts'
import { TableBuilder, type Table } from './table.ts'

/** One type or resource per line, so that two tables can be compared. */
export function tableText({ sources, groups, resources, enums, types }: Table): string {
  const section = (name: string, rows: Readonly<Record<string, unknown>>): string => {
    const lines = Object.keys(rows)
      .sort()
      .map((key) => `${JSON.stringify(key)}: ${JSON.stringify(rows[key])}`)
    return `${JSON.stringify(name)}: {\n${lines.join(',\n')}\n}`
  }
  const list = resources.map((each) => JSON.stringify(each)).join(',\n')
  return `{\n"sources": ${JSON.stringify(sources)},\n${section('groups', groups)},\n"resources": [\n${list}\n],\n${section('enums', enums)},\n${section('types', types)}\n}\n`
}

/** @throws when an argument is no `VERSION=ROOT` */
export function sourceRoots(args: readonly string[]): SourceRoot[] {
  return args.map((each) => {
    const at = each.indexOf('=')
    if (at < 1) throw new Error(`${each}: VERSION=ROOT belongs here`)
    return { version: each.slice(0, at), path: each.slice(at + 1) }
  })
}

if (import.meta.main) {
  const builder = new TableBuilder(sourceRoots(process.argv.slice(2)))
  process.stdout.write(tableText(builder.build()))
  for (const warning of builder.warnings) process.stderr.write(`${warning}\n`)
}
