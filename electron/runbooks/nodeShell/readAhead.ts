import type { CommandOutcome, NodeShell } from './nodeShell.ts'

/** Ends what one command said; nothing that is read here says it itself. */
const END = 'drydock-end-of-command'

/**
 * A shell that has run some commands already, all in one session, and answers them from memory; others are run when they are asked for.
 * Each command in a session of its own is a round trip and some milliseconds of both machines: for what a preflight reads on each of a
 * thousand nodes that is minutes. Only for commands that change nothing and read no input; what they say on standard error is not kept.
 *
 * @throws as `shell.run`
 */
export async function readAhead(shell: NodeShell, commands: readonly string[], { signal }: { signal: AbortSignal }): Promise<NodeShell> {
  const { stdout } = await shell.run(commands.map((command) => `${command} 2>/dev/null; echo "${END} $?"`).join('\n'), { signal })
  const answers = [...stdout.matchAll(new RegExp(`([\\s\\S]*?)${END} (\\d+)\\r?\\n`, 'g'))]
  const known = new Map<string, CommandOutcome>()
  // One that is short of answers was cut off: each command then tells for itself.
  if (answers.length === commands.length)
    for (const [index, [, text = '', code = '']] of answers.entries()) known.set(commands[index] ?? '', { exitCode: Number(code), stdout: text, stderr: '' })
  return {
    run: (command, options) => {
      const answer = known.get(command)
      return answer === undefined ? shell.run(command, options) : Promise.resolve(answer)
    },
    forward: (port) => shell.forward(port),
    close: () => {
      shell.close()
    },
  }
}
