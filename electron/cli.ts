#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { quietWarnings } from './platform/warnings.ts'

/**
 * The `drydock` command. Each command's module is loaded only when it is asked for, so that `drydock snapshot status` does
 * not pay for the control plane.
 */
async function main(argv: string[]): Promise<void> {
  // What Node makes of the modules is kept in the user's own cache: the next start takes half the time. Without a place for it, nothing is kept.
  enableCompileCache(join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'drydock', 'node'))
  const program = new Command('drydock')
    .description('Operate Kubernetes clusters: rehearse, then run.')
    .showHelpAfterError()
    .exitOverride((error) => {
      process.exitCode = error.exitCode
      throw error
    })
  const wanted = argv[2] ?? ''
  if (wanted === 'cluster') (await import('./commands/cluster.ts')).register(program)
  else if (wanted === 'serve') (await import('./commands/serve.ts')).register(program)
  else if (wanted === 'snapshot') (await import('./commands/snapshot.ts')).register(program)
  else if (wanted === 'upgrade') (await import('./commands/upgrade.ts')).register(program)
  else if (wanted === 'drain') (await import('./commands/drain.ts')).register(program)
  else if (wanted === 'certs') (await import('./commands/certs.ts')).register(program)
  else if (wanted === 'restore') (await import('./commands/restore.ts')).register(program)
  else if (wanted === 'runbook') (await import('./commands/runbook.ts')).register(program)
  else {
    for (const [name, description] of [
      ['cluster', 'run the embedded control plane alone'],
      ['serve', 'serve the app to a browser on 127.0.0.1'],
      ['snapshot', 'save, check and restore etcd snapshots'],
      ['drain', 'plan a drain of nodes, then evict their pods'],
      ['upgrade', 'plan and run a kubeadm upgrade'],
      ['certs', "check and renew a kubeadm cluster's certificates"],
      ['restore', "restore a kubeadm cluster's etcd on its nodes"],
      ['runbook', 'the journal of runs: list, show, go on, give up'],
    ] as const)
      program.command(name).description(description)
  }
  await program.parseAsync(argv)
}

// Who reads only the first lines (`| head`) closes the pipe: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

quietWarnings()
main(process.argv).catch((error: unknown) => {
  const known = error as { code?: unknown; message?: string }
  if (typeof known.code !== 'string' || !known.code.startsWith('commander.')) {
    process.stderr.write(`drydock: ${known.message ?? String(error)}\n`)
    process.exitCode = 1
  }
})
