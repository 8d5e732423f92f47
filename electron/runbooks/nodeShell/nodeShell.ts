import type { Duplex } from 'node:stream'

export interface CommandOutcome {
  exitCode: number
  stdout: string
  stderr: string
}

/** A shell on one node, as root. Simulated and real nodes alike answer it over SSH. */
export interface NodeShell {
  /**
   * Runs one command line to its end; a non-zero exit is an outcome, not an error. `onLine` gets each line of both outputs as it comes.
   * @throws when the node cannot be reached or refuses, saying what to check
   */
  run(command: string, options: { signal: AbortSignal; onLine?: (line: string) => void }): Promise<CommandOutcome>
  /** A connection to a port on the node's own loopback address. @throws when nothing listens there */
  forward(port: number): Promise<Duplex>
  close(): void
}

/** Opens a shell on a node by the node's name. */
export type NodeShellFactory = (node: string, options: { signal: AbortSignal }) => Promise<NodeShell>
