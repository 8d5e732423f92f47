import type { Command } from 'commander'

export function register(program: Command): void {
  program.command('cluster').action(() => {
    throw new Error('not built yet')
  })
}
