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

/** One package of API types of one release. */
export interface ApiPackage extends GoPackage {
  proto: ProtoMessages
  /** The release whose source has it, when that is not the table's own. */
  from: string | null
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
export function readPackages({ version, path }: SourceRoot, isOwn: boolean): Map<string, ApiPackage> {
  const found = new Map<string, ApiPackage>()
  for (const folder of FOLDERS)
    for (const file of protoFiles(join(path, folder))) {
      const read = readGoPackage(path, dirname(file))
      found.set(read.path, { ...read, proto: readProtoFile(file), from: isOwn ? null : version })
    }
  return found
}

function protoFiles(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .filter((file) => file.endsWith('generated.proto') && !file.includes('testdata'))
    .map((file) => join(folder, file))
}
