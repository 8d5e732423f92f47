/** Runs until done or until SIGINT or SIGTERM, whose signal lets the work clean up before the program ends. */
export async function interruptible(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController()
  const stop = (name: NodeJS.Signals): void => {
    controller.abort(new Error(`stopped by ${name}`))
  }
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  try {
    await work(controller.signal)
  } finally {
    process.removeListener('SIGINT', stop)
    process.removeListener('SIGTERM', stop)
  }
}
