/**
 * Node's warnings that tell an operator nothing.
 *
 * DEP0123: gRPC gives TLS the host it dials as the server's name, also where that is an address, which no server name may be. etcd is mostly
 * given by its address, and its certificate is checked against it all the same.
 */
const TELLING_NOTHING: ReadonlySet<string> = new Set(['DEP0123'])

/** Leaves such warnings out for the rest of this process, however it was started. The others are shown as before. */
export function quietWarnings(): void {
  const shown = process.listeners('warning')
  process.removeAllListeners('warning')
  process.on('warning', (warning: Error & { code?: string }) => {
    if (!TELLING_NOTHING.has(warning.code ?? '')) for (const show of shown) show(warning)
  })
}
