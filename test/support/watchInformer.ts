import { Http1Connection, http1Request, type TlsTarget } from '#test/bench/load/http1Connection.ts'

interface Listed {
  metadata: { name: string; namespace?: string; resourceVersion: string }
}

/** One collection as a client keeps it: a list once, then a watch that always resumes from the last version it saw. */
export class Informer {
  readonly #path: string
  readonly #known = new Map<string, string>()
  readonly #problems: string[] = []
  #version: string | null = null
  #connection: Http1Connection | null = null
  #onChange: () => void = () => undefined
  events = 0

  /** @param path of the collection */
  constructor(path: string) {
    this.#path = path
  }

  async resume(target: TlsTarget): Promise<void> {
    if (this.#version === null) {
      const { items, version } = await this.#list(target)
      this.#version = version
      for (const [name, resourceVersion] of items) this.#known.set(name, resourceVersion)
    }
    this.#connection = await Http1Connection.open(target)
    let rest = ''
    this.#connection.stream(http1Request('GET', `${this.#path}?watch=true&resourceVersion=${this.#version}`), (data) => {
      rest += data.toString('utf8')
      const lines = rest.split('\n')
      rest = lines.pop() ?? ''
      // Between the lines of events stand those of HTTP's head and chunks.
      for (const line of lines) if (line.startsWith('{"type"')) this.#take(JSON.parse(line) as { type: string; object: Listed })
    })
  }

  /** What it knows against what the server lists, once it has caught up; nothing when all is well. */
  async differences(target: TlsTarget): Promise<string[]> {
    const { items, version } = await this.#list(target)
    for (let waited = 0; waited < 6000 && !this.#equals(items); waited++)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 10)
        this.#onChange = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    const problems = this.#problems.splice(0)
    if (this.#equals(items)) return problems
    const wrong = [...new Set([...items.keys(), ...this.#known.keys()])].filter((name) => items.get(name) !== this.#known.get(name))
    return [
      ...problems,
      `the watch of ${this.#path} at ${String(this.#version)} of ${version} has ${wrong.map((name) => `${name}@${String(this.#known.get(name))}, not ${String(items.get(name))}`).join('; ')}`,
    ]
  }

  pause(): void {
    this.#connection?.close()
    this.#connection = null
  }

  #take({ type, object }: { type: string; object: Listed }): void {
    if (type === 'ERROR') {
      this.#problems.push(`the watch of ${this.#path} from ${String(this.#version)}: ${JSON.stringify(object)}`)
      return
    }
    const { name, namespace = '', resourceVersion } = object.metadata
    if (Number(resourceVersion) <= Number(this.#version)) this.#problems.push(`${type} ${name} at ${resourceVersion} after ${String(this.#version)}`)
    this.#version = resourceVersion
    this.events++
    if (type === 'DELETED') this.#known.delete(`${namespace}/${name}`)
    else this.#known.set(`${namespace}/${name}`, resourceVersion)
    this.#onChange()
  }

  #equals(items: ReadonlyMap<string, string>): boolean {
    return items.size === this.#known.size && [...items].every(([name, version]) => this.#known.get(name) === version)
  }

  async #list(target: TlsTarget): Promise<{ items: Map<string, string>; version: string }> {
    const connection = await Http1Connection.open(target)
    const { body } = await connection.request(http1Request('GET', this.#path), true)
    connection.close()
    const list = JSON.parse(body?.toString('utf8') ?? '') as { metadata: { resourceVersion: string }; items: Listed[] }
    return {
      version: list.metadata.resourceVersion,
      items: new Map(list.items.map(({ metadata }) => [`${metadata.namespace ?? ''}/${metadata.name}`, metadata.resourceVersion])),
    }
  }
}
