/**
 * A revision as etcd counts it: `main` grows by one with each writing transaction, `sub` numbers the changes inside one.
 * It is stored as one integer, main * 2^18 + sub, so that SQLite's integer primary key sorts as etcd does:
 *
 *   revision 7.0 -> 1835008, 7.1 -> 1835009, 8.0 -> 2097152
 *
 * 2^18 changes fit in one transaction and main may reach 2^35, far above any bumped revision, all within 2^53.
 */
export const SUBS_PER_MAIN = 2 ** 18

export function packRevision(main: number, sub: number): number {
  return main * SUBS_PER_MAIN + sub
}

export function mainOf(packed: number): number {
  return Math.floor(packed / SUBS_PER_MAIN)
}

export function subOf(packed: number): number {
  return packed % SUBS_PER_MAIN
}
