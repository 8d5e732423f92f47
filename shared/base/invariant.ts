/** A defect in Drydock itself, never an outcome to handle. Not caught to continue. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/** @throws InvariantError when `condition` does not hold */
export function invariant(condition: unknown, message: string): asserts condition {
  if (condition === false || condition === undefined || condition === null) throw new InvariantError(message)
}

/** Marks a place the type system says is never reached. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${JSON.stringify(value)}`)
}
