import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { readGoPackage, type GoPackage } from './goPackage.ts'
import { readProtoFile, type ProtoMessages } from './protoFile.ts'

/** A folder that holds k8s.io's `api`, `apimachinery`, `client-go` and so on, of one release. */
export interface SourceRoot {
  /** Such as `1.36`. */
  version: string
  path: string
}

/** One package of API types. */
export interface ApiPackage extends GoPackage {
  proto: ProtoMessages
  /** The release of the sources that its structs come from, by name. */
  releases: Map<string, string>
}

const FOLDERS = [
  'api',
  'apimachinery/pkg/apis/meta',
  'apimachinery/pkg/runtime',
  'apimachinery/pkg/api/resource',
  'apimachinery/pkg/util/intstr',
  'apiextensions-apiserver/pkg/apis/apiextensions',
  'metrics/pkg/apis',
  'kube-aggregator/pkg/apis/apiregistration',
]

/** The packages of API types below a root, by path. */
export function readPackages({ version, path }: SourceRoot): Map<string, ApiPackage> {
  const found = new Map<string, ApiPackage>()
  for (const folder of FOLDERS)
    for (const file of protoFiles(join(path, folder))) {
      const read = readGoPackage(path, dirname(file))
      found.set(read.path, { ...read, proto: readProtoFile(file), releases: new Map([...read.structs.keys()].map((name) => [name, version])) })
    }
  return found
}

/** A package with what only an earlier release of it has: types that were taken away, and what those name. */
export function withEarlier(newer: ApiPackage, earlier: ApiPackage): ApiPackage {
  const both = <Value>(choose: (each: ApiPackage) => ReadonlyMap<string, Value>): Map<string, Value> => new Map([...choose(earlier), ...choose(newer)])
  // A type may have become another name of one that was the same.
  const isGone = (name: string): boolean => !newer.aliases.has(name)
  return {
    ...newer,
    imports: both(({ imports }) => imports),
    structs: new Map([...[...earlier.structs].filter(([name]) => isGone(name)), ...newer.structs]),
    aliases: both(({ aliases }) => aliases),
    constants: both(({ constants }) => constants),
    proto: both(({ proto }) => proto),
    releases: new Map([...[...earlier.releases].filter(([name]) => isGone(name)), ...newer.releases]),
  }
}

function protoFiles(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .filter((file) => file.endsWith('generated.proto') && !file.includes('testdata'))
    .map((file) => join(folder, file))
}
