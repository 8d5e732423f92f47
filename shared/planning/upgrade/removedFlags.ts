import table from './removedFlags.json' with { type: 'json' }

/** A flag that a component no longer knows. */
export interface RemovedFlag {
  /** Without dashes. */
  flag: string
  /** The first minor of 1.x without it. */
  minor: number
  instead: string
  /** Where that is said. */
  link: string
}

/** `--name=value` and `--name value` alike; words that are no flags are passed over. */
export function flagNames(words: readonly string[]): string[] {
  return words.flatMap((word) => /^--?([a-zA-Z][\w-]*)(?:=|$)/.exec(word)?.[1] ?? [])
}

/** Which of these flags (without dashes) a component knows in minor `from` and no longer in minor `to`. */
export function removedFlags(component: string, flags: readonly string[], { from, to }: { from: number; to: number }): RemovedFlag[] {
  return table.removals
    .filter(({ minor, components }) => minor > from && minor <= to && components.includes(component))
    .flatMap(({ minor, flags: removed, instead, link }) => removed.filter((flag) => flags.includes(flag)).map((flag) => ({ flag, minor, instead, link })))
}
