/** What a source gives, and a call when it has ended, failed, or is not read any further. */
export async function* untilEnded<T>(source: AsyncIterable<T> | Iterable<T>, ended: () => void): AsyncGenerator<T> {
  try {
    yield* source
  } finally {
    ended()
  }
}
