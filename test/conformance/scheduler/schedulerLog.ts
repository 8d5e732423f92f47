/** What the real scheduler thought of one pod: with two nodes or more that would do, the points of each. */
export interface LoggedScores {
  byPlugin: Map<string, Map<string, number>>
  total: Map<string, number>
}

/** Reads the scores that kube-scheduler logs at verbosity 10 (`--vmodule=generic_scheduler=10`). Pods come one after the other. */
export class SchedulerLog {
  readonly #byPod = new Map<string, LoggedScores>()
  #current = ''

  read(line: string): void {
    const plugin = /Plugin (\S+) scores on (\S+) => \[(.*)\]/.exec(line)
    if (plugin !== null) {
      const [, name = '', pod = '', list = ''] = plugin
      this.#current = pod
      this.#of(pod).byPlugin.set(name, new Map([...list.matchAll(/\{(\S+) (-?\d+)\}/g)].map(([, node = '', points]) => [node, Number(points)])))
      return
    }
    const host = /Host (\S+) => Score (-?\d+)/.exec(line)
    if (host !== null) this.#of(this.#current).total.set(host[1] ?? '', Number(host[2]))
  }

  /** @param pod `namespace/name` */
  scores(pod: string): LoggedScores | null {
    return this.#byPod.get(pod) ?? null
  }

  #of(pod: string): LoggedScores {
    let scores = this.#byPod.get(pod)
    if (scores === undefined) {
      scores = { byPlugin: new Map(), total: new Map() }
      this.#byPod.set(pod, scores)
    }
    return scores
  }
}
