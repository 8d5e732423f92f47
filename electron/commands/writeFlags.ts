import type { Command } from 'commander'

/** Flags of commands that make objects in a cluster. */
export interface WriteFlags {
  kubeconfig?: string
  context?: string
  dryRun: boolean
  overwrite: boolean
  output: string
  report?: string
}

export function writing(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'the cluster to make objects in (default: $KUBECONFIG, or ~/.kube/config)')
    .option('--context <name>', 'a context of the kubeconfig (default: its current one)')
    .option('--dry-run', 'ask the server what would happen, and change nothing', false)
    .option('--overwrite', 'replace objects that are there and differ', false)
    .option('-o, --output <format>', 'text or json', 'text')
    .option('--report <file>', 'write the report as Markdown here')
}
