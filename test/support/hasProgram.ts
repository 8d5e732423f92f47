import { execFileSync } from 'node:child_process'

/** Whether a real peer (kubectl, etcdctl, etcd, ssh …) is on this machine; suites that need it skip by its name otherwise. */
export function hasProgram(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
