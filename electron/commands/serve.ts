import type { Command } from 'commander'

export function register(program: Command): void {
  program.command('serve').action(() => {
    throw new Error('not built yet')
  })
}
