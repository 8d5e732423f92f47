import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import type { ProcessContext, Program } from '../../shell/process.ts'
import { parseFlags } from './flags.ts'

const NEW_CONTENT = 'mount-tester new file\n'
const RETRY_MS = 2_000
const EXT4_MAGIC = 61267

/** Permissions as Go prints an os.FileMode. */
function modeText(mode: number, { kind }: { kind: string }): string {
  const bits = [...(mode & 0o777).toString(2).padStart(9, '0')].map((bit, index) => (bit === '1' ? 'rwx'.charAt(index % 3) : '-')).join('')
  return `${kind}${bits}`
}

const fault = (error: unknown): string =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'no such file or directory' : error instanceof Error ? error.message : String(error)

/** Looks at files and directories, and tells their file system, permissions, owner and content; makes files. */
export const mountTest: Program = async (context) => {
  const { flags } = parseFlags(context.args)
  const flag = (name: string): string => flags.get(name) ?? ''
  let failed = false
  const tell = (path: string, failure: string, look: (host: string) => string): void => {
    if (path === '') return
    try {
      context.out(look(context.files.host(path)))
    } catch (error) {
      context.out(`${failure}: ${fault(error)}\n`)
      failed = true
    }
  }
  const content = (path: string): void => {
    tell(path, `error reading file content for "${path}": open ${path}`, (host) => `content of file "${path}": ${readFileSync(host, 'utf8')}\n`)
  }
  const fsType = flag('fs_type')
  tell(fsType, `error from statfs("${fsType}")`, (host) => {
    statSync(host)
    return `mount type of "${fsType}": ${context.files.mountOf(fsType)?.fsType === 'tmpfs' ? 'tmpfs' : String(EXT4_MAGIC)}\n`
  })
  for (const mode of [0o644, 0o666, 0o660, 0o777]) {
    const path = flag(`new_file_0${mode.toString(8)}`)
    if (path === '') continue
    tell(path, `error writing new file "${path}": open ${path}`, () => {
      const host = context.files.hostToChange(path)
      writeFileSync(host, NEW_CONTENT)
      chmodSync(host, mode)
      return ''
    })
    content(path)
  }
  const [ofMode, ofPerm, ofOwner] = [flag('file_mode'), flag('file_perm'), flag('file_owner')]
  tell(ofMode, `error from Stat("${ofMode}")`, (host) => {
    const stat = statSync(host)
    return `mode of file "${ofMode}": ${modeText(stat.mode, { kind: stat.isDirectory() ? 'd' : '-' })}\n`
  })
  tell(ofPerm, `error from Stat("${ofPerm}")`, (host) => `perms of file "${ofPerm}": ${modeText(statSync(host).mode, { kind: '-' })}\n`)
  tell(ofOwner, `error from stat("${ofOwner}")`, (host) => {
    statSync(host)
    // Files here belong to who runs the cluster; in the container that is root, and the pod's group where it has one.
    return `owner UID of "${ofOwner}": 0\nowner GID of "${ofOwner}": ${String(context.user.groups[0] ?? 0)}\n`
  })
  content(flag('file_content'))
  const watched = flag('file_content_in_loop')
  if (
    watched !== '' &&
    !(await readInLoop(context, watched, { seconds: Number(flags.get('retry_time') ?? 180), stop: flags.get('break_on_expected_content') !== 'false' }))
  )
    failed = true
  return Number(failed)
}

async function readInLoop(context: ProcessContext, path: string, { seconds, stop }: { seconds: number; stop: boolean }): Promise<boolean> {
  const endMs = context.clock.now() + seconds * 1000
  let readable = true
  for (; context.clock.now() < endMs; await context.clock.sleep(RETRY_MS, { signal: context.signal })) {
    try {
      const text = readFileSync(context.files.host(path), 'utf8')
      readable = true
      context.out(`content of file "${path}": ${text}\n`)
      if (!stop) continue
      if (text === NEW_CONTENT) break
      context.out(`Unexpected content. Expected: ${NEW_CONTENT}. Retrying`)
    } catch (error) {
      readable = false
      context.out(`Error reading file ${path}: open ${path}: ${fault(error)}, retrying\n`)
    }
  }
  return readable
}
