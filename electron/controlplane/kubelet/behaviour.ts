import type { Random } from '#shared/base/random.ts'
import table from './behaviour.json' with { type: 'json' }

/** What an image's server listens on: these ports and the ones the pod's container declares. */
export interface ServeBehaviour {
  ports: number[]
  /** Directory of the container whose files are served over HTTP; without one, every path gets the same text. */
  root?: string
  text?: string
  /** The Server header; `{tag}` is the image's. */
  server?: string
}

/** How containers of an image behave; see behaviour.json. */
export interface Behaviour {
  /** Pattern on the image reference. */
  image: string
  /** What the registry answers instead of the image. */
  pullError?: string
  /** From the process's start to the first line of log. */
  startMs: number
  cpuCores: number
  memoryMiB: number
  startLogs?: string[]
  everySeconds?: number
  logs?: string[]
  /** Without a command the process ends at once with 0: its shell finds no input. */
  exitsWithoutCommand?: boolean
  /** The image's ENTRYPOINT and CMD, where the small shell can run them. */
  entrypoint?: string[]
  arguments?: string[]
  /** Programs of the image's own. */
  programs?: string
  /** HTTP the process answers. */
  serves?: ServeBehaviour
}

/** The first rule that matches the image. The table's last rule matches everything. */
export function behaviourOf(image: string): Behaviour {
  const rules: Behaviour[] = table.rules
  const found = rules.find((rule) => new RegExp(rule.image).test(image))
  return found ?? { image: '', startMs: 200, cpuCores: 0.005, memoryMiB: 24 }
}

/** Fills a log template's `{names}` in. */
export function renderLog(template: string, values: { atMs: number; image: string; node: string; hostIP: string; podIP: string; random: Random }): string {
  const at = new Date(values.atMs)
  const iso = at.toISOString()
  const month = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'][at.getUTCMonth()] ?? ''
  const fields: Record<string, () => string> = {
    clock: () => `${iso.slice(11, 23)}000`,
    time: () => iso.slice(11, 19),
    rfc3339: () => iso,
    slashDate: () => iso.slice(0, 10).replaceAll('-', '/'),
    dashDate: () => iso.slice(0, 10),
    dayDate: () => `${iso.slice(8, 10)} ${month} ${iso.slice(0, 4)}`,
    clfDate: () => `${iso.slice(8, 10)}/${month}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000`,
    n: () => String(2 + values.random.below(250)),
    image: () => values.image,
    tag: () => imageTag(values.image),
    node: () => values.node,
    hostIP: () => values.hostIP,
    podIP: () => values.podIP,
  }
  // klog's header has month and day in four digits.
  return template.replace(/^([IWE])0000/, `$1${iso.slice(5, 7)}${iso.slice(8, 10)}`).replace(/\{(\w+)\}/g, (whole, name: string) => fields[name]?.() ?? whole)
}

/** `latest` when the reference names no tag. */
export function imageTag(image: string): string {
  const name = image.split('@')[0] ?? image
  const last = name.split('/').at(-1) ?? ''
  return last.includes(':') ? (last.split(':')[1] ?? 'latest') : 'latest'
}
