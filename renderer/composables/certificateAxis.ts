/** One day in milliseconds. */
export const DAY_MS = 86_400_000
/** The axis ends where kubeadm's authorities do. */
const LAST_DAY = 3_650

/** Where so many days from today stand on the axis, 0 to 1, logarithmic: the next month takes as much room as the years after. */
export function axisPlace(days: number): number {
  if (days <= 0) return 0
  return Math.min(1, Math.log1p(days) / Math.log1p(LAST_DAY))
}

/** The whole days from today at a place of the axis. */
export function axisDays(place: number): number {
  return Math.round(Math.expm1(Math.min(1, Math.max(0, place)) * Math.log1p(LAST_DAY)))
}

/** Days from today that carry a label. */
export const AXIS_TICKS = [1, 7, 30, 90, 365, 1_095, 3_650] as const

export interface AxisMark<T> {
  place: number
  items: T[]
}

/** Ends nearer to each other than this share of the axis are one mark with a count. */
const TOGETHER = 0.012

/** The ends of validity as marks, from the nearest; ends that fall together share one. */
export function axisMarks<T extends { notAfterMs: number }>(items: readonly T[], nowMs: number): AxisMark<T>[] {
  const marks: AxisMark<T>[] = []
  for (const item of [...items].sort((a, b) => a.notAfterMs - b.notAfterMs)) {
    const place = axisPlace((item.notAfterMs - nowMs) / DAY_MS)
    const last = marks.at(-1)
    if (last !== undefined && place - last.place <= TOGETHER) last.items.push(item)
    else marks.push({ place, items: [item] })
  }
  return marks
}

/** How soon is soon: kubeadm renews for a year, and a quarter before the end is time to plan, a month time to act. */
export function expiryTone(leftMs: number): 'bad' | 'warn' | 'good' {
  return leftMs < 30 * DAY_MS ? 'bad' : leftMs < 90 * DAY_MS ? 'warn' : 'good'
}

const CONSEQUENCES: readonly [RegExp, string][] = [
  [/^apiserver$/, 'apiserver'],
  [/^apiserver-kubelet-client$/, 'kubeletClient'],
  [/^apiserver-etcd-client$/, 'etcdClient'],
  [/^front-proxy-client$/, 'frontProxy'],
  [/^etcd-server$/, 'etcdServer'],
  [/^etcd-peer$/, 'etcdPeer'],
  [/^etcd-healthcheck-client$/, 'etcdHealth'],
  [/^(super-)?admin\.conf$/, 'adminConf'],
  [/^controller-manager\.conf$/, 'controllerManager'],
  [/^scheduler\.conf$/, 'scheduler'],
  [/kubelet/, 'kubelet'],
]

/** What stops when a certificate is past its end; its text is `certificates.breaks.<id>`. */
export function consequenceOf({ name, isAuthority }: { name: string; isAuthority: boolean }): string {
  if (isAuthority) return 'authority'
  return CONSEQUENCES.find(([pattern]) => pattern.test(name))?.[1] ?? 'other'
}
