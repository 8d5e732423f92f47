/** One table of an iptables-restore text, as it grows. */
export class RuleTable {
  readonly name: 'filter' | 'nat'
  readonly #chains: string[] = []
  readonly #rules: string[] = []

  constructor(name: 'filter' | 'nat') {
    this.name = name
  }

  chain(name: string): void {
    this.#chains.push(name)
  }

  append(chain: string, ...words: string[]): void {
    this.#rules.push(['-A', chain, ...words].join(' '))
  }

  get chains(): readonly string[] {
    return this.#chains
  }

  get rules(): readonly string[] {
    return this.#rules
  }

  /** With its last line, as iptables-restore takes it. */
  toString(): string {
    return [`*${this.name}`, ...this.#chains.map((chain) => `:${chain} - [0:0]`), ...this.#rules, 'COMMIT', ''].join('\n')
  }
}

export const comment = (text: string): string[] => ['-m', 'comment', '--comment', text]
export const quoted = (text: string): string[] => comment(`"${text}"`)
export const matching = (protocol: string): string[] => ['-m', protocol, '-p', protocol]
export const jump = (target: string): string[] => ['-j', target]

/** So that each of `n` endpoints that are tried one after the other gets the same share. */
export const chanceOf = (n: number): string[] => ['-m', 'statistic', '--mode', 'random', '--probability', (1 / n).toFixed(10)]
