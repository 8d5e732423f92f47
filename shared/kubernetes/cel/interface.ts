/**
 * The Common Expression Language as Kubernetes uses it: CustomResourceDefinition rules, admission policies, match conditions.
 * Everything outside this folder sees these types only; which library stands behind them is environment.ts's business.
 */
export type CelType =
  | { kind: 'dyn' | 'bool' | 'int' | 'uint' | 'double' | 'string' | 'bytes' | 'timestamp' | 'duration' | 'null' }
  /** Lists of type `set` compare without order, lists of type `map` by their keys (upstream's list semantics). */
  | { kind: 'list'; element: CelType; listType?: 'atomic' | 'set' | 'map'; keys?: readonly string[] }
  /** A map with string keys. */
  | { kind: 'map'; value: CelType }
  /** A declared object; field names as they stand in JSON, which expressions write escaped (`escapeIdentifier`). */
  | { kind: 'object'; fields: Readonly<Record<string, CelType>>; name?: string }
  /** A value that may be absent; an undefined variable of this type is `optional.none()`. */
  | { kind: 'optional'; of: CelType }
  /** A type of the environment's own, whose values are instances of the class registered for it. */
  | { kind: 'opaque'; name: string }

export interface CelFunction {
  /** `name(string, int): bool` or, for a method, `Receiver.name(string): bool`; `list<T>`, `map<K, V>`, `optional<T>`, `dyn`. */
  signature: string
  /** Gets CEL values: bigint for int, number for double, string, boolean, null, Array, Map, instances of opaque types. */
  call: (...values: never[]) => unknown
}

export interface CelEnvironmentOptions {
  variables: Readonly<Record<string, CelType>>
  /** Classes of opaque types, by type name. */
  opaqueTypes?: Readonly<Record<string, new (...values: never[]) => object>>
  functions?: readonly CelFunction[]
}

/** Either a program, or upstream's text of why there is none (`ERROR: <input>:1:6: undefined field 'x'…`). */
export type Compiled = { program: CelProgram; error?: undefined } | { program?: undefined; error: string }

export interface CelResult {
  /** The CEL value; `celToJson` makes JSON of it. Undefined when there is an error. */
  value?: unknown
  /** Upstream's text of the failure, such as `no such key: x`. */
  error?: string
  /** The error is that `costLimit` was reached. */
  costExceeded?: boolean
  /** What the evaluation cost, in cel-go's units. */
  cost: number
}

export interface CelProgram {
  readonly expression: string
  /** The result's type as CEL writes it: `bool`, `string`, `list<int>`, `dyn`. */
  readonly type: string
  /** Names of the environment's variables that the expression uses. */
  readonly uses: ReadonlySet<string>
  /**
   * @param variables by name; JSON of the declared type, CEL values of opaque types, or `lazyObject`
   * @param costLimit in cel-go's units; an evaluation that would cost more ends with an error
   */
  evaluate(variables: Readonly<Record<string, unknown>>, options: { costLimit: number }): CelResult
  /**
   * The most that an evaluation can cost, in cel-go's units.
   *
   * @param sizeOf the largest size of what is at a path (a variable's name, then fields as expressions write them, `@items`,
   *   `@values`, `@keys`); null when it is not known
   */
  maxCost(sizeOf: (path: readonly string[]) => number | null): number
}

export interface CelEnvironment {
  compile(expression: string): Compiled
}
