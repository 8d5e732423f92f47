import { resolve } from 'node:path'
import { shellWord } from '#electron/runbooks/nodeShell/shellWord.ts'
import type { TargetOptions } from './headless.ts'

/** What can be done about a run that stopped, each as a command line of a POSIX shell that reaches the same cluster from any folder. */
export function goingOn(runId: string, { kubeconfig, sshConfig, dataDir, askSudoPassword }: TargetOptions): string {
  const path = (flag: string, file: string | undefined): string[] => (file === undefined ? [] : [flag, shellWord(resolve(file))])
  const where = [
    ...path('--kubeconfig', kubeconfig),
    ...path('--ssh-config', sshConfig),
    ...path('--data-dir', dataDir),
    ...(askSudoPassword === true ? ['--ask-sudo-password'] : []),
  ]
  const line = (what: string): string => ['drydock', 'runbook', what, runId, ...where].join(' ')
  return `To go on: ${line('resume')}\nTo give up and undo what can be undone: ${line('abort')}\n`
}
