import type { Duplex } from 'node:stream'

export interface CommandOutcome {
  exitCode: number
  stdout: string
  stderr: string
}

export interface RunOptions {
  signal: AbortSignal
  /** Gets each line of both outputs as it comes. */
  onLine?: (line: string) => void
  /** Gets standard output as it comes, byte for byte, in place of text: `stdout` is '' then. */
  onStdout?: (bytes: Uint8Array) => void
  /** The command's standard input; none without it. */
  input?: NodeJS.ReadableStream
}

/** A shell on one node, as root. Simulated and real nodes alike answer it over SSH. */
export interface NodeShell {
  /**
   * Runs one command line to its end; a non-zero exit is an outcome, not an error.
   * @throws when the node cannot be reached or refuses, saying what to check
   */
  run(command: string, options: RunOptions): Promise<CommandOutcome>
  /** A connection to a port on the node's own loopback address. @throws when nothing listens there */
  forward(port: number): Promise<Duplex>
  close(): void
}

/** The connection was made and then cut: the same again may go well, unlike after a refusal. */
export class ConnectionCut extends Error {
  override readonly name = 'ConnectionCut'
}

/** Opens a shell on a node by the node's name. `address` is where it is, for when the cluster cannot be asked. */
export type NodeShellFactory = (node: string, options: { signal: AbortSignal; address?: string }) => Promise<NodeShell>
