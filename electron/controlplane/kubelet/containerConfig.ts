import type { Mount } from './shell/fileTree.ts'
import { rootUser, type ProcessUser } from './shell/process.ts'
import type { Container } from './types.ts'

/** What a container is started with, all references resolved. */
export interface ContainerConfig {
  env: ReadonlyMap<string, string>
  command: readonly string[]
  args: readonly string[]
  mounts: readonly Mount[]
  readOnlyRoot: boolean
  user: ProcessUser
}

/** Of a container that refers to nothing. */
export function plainConfig({ env = [], command = [], args = [] }: Container): ContainerConfig {
  return { env: new Map(env.map(({ name, value = '' }) => [name, value])), command, args, mounts: [], readOnlyRoot: false, user: rootUser }
}
