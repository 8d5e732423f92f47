/** What a log reader asks for; the API server's log options, as the kubelet's own interface states them. */
export interface LogOptions {
  container: string
  follow: boolean
  previous: boolean
  tailLines?: number
  sinceSeconds?: number
  sinceTime?: string
  timestamps: boolean
  limitBytes?: number
}

/** A process in a container, with its streams. */
export interface ContainerSession {
  /** Resolves when the process takes more. */
  write(bytes: Uint8Array): Promise<void>
  closeStdin(): void
  resize(size: { width: number; height: number }): void
  /** Ends with the process. */
  output(): AsyncIterable<{ stream: 'stdout' | 'stderr'; bytes: Uint8Array }>
  /** Rejects when the process could not be started. */
  readonly exitCode: Promise<number>
}

export interface ContainerUsage {
  name: string
  cpuCores: number
  memoryBytes: number
}
