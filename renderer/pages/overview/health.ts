import { computed, type ComputedRef, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import type { RouteLocationRaw } from 'vue-router'
import { count, duration } from '../../composables/format.ts'
import { useRequest, useSubscription } from '../../stores/channel.ts'
import { useClusters } from '../../stores/clusters.ts'
import type { useOverview } from '../../stores/overview.ts'
import type { HealthPart } from './HealthLine.vue'

/** Certificates with less left than this are told of as a warning: kubeadm's renewals and most change calendars need a month. */
const CERTIFICATE_WARNING_MS = 30 * 86_400_000
/** Reading files of every control-plane node is no cheap question. */
const CERTIFICATES_EVERY_MS = 300_000

/** The parts of the sentence on top of the overview, each with its tone and the page that tells more. */
export function useHealth(overview: ReturnType<typeof useOverview>, now: Ref<number>): ComputedRef<HealthPart[]> {
  const { t } = useI18n()
  const clusters = useClusters()
  const live = computed(() => (clusters.current?.connection.state === 'live' ? { clusterId: clusters.currentId } : null))
  const files = useRequest('certificates.list', live, { everyMs: CERTIFICATES_EVERY_MS })
  const served = useRequest('certificates.served', live, { everyMs: CERTIFICATES_EVERY_MS })
  const backups = useSubscription('backups.watch', {})
  const schedules = useSubscription('schedules.watch', {})
  const schedule = computed(() => schedules.data.value?.find((each) => each.clusterId === clusters.currentId && each.enabled) ?? null)
  const newest = computed(
    () => [...(backups.data.value ?? [])].filter((each) => each.clusterId === clusters.currentId).sort((a, b) => b.createdAtMs - a.createdAtMs)[0] ?? null,
  )
  const earliestExpiry = computed(() =>
    Math.min(
      ...[...(files.data.value?.certificates ?? []), ...(served.data.value?.chain ?? [])].filter((each) => each.problem === '').map((each) => each.notAfterMs),
    ),
  )
  const page = (name: string): RouteLocationRaw => ({ name, params: { cluster: clusters.currentId } })
  const table = (resource: string, query: Record<string, string> = {}): RouteLocationRaw => ({
    name: 'resource',
    params: { cluster: clusters.currentId, resource },
    query,
  })

  function certificatePart(): HealthPart[] {
    const left = earliestExpiry.value - now.value
    if (!Number.isFinite(left)) return []
    const tone = left <= 0 ? 'bad' : left < CERTIFICATE_WARNING_MS ? 'warn' : 'good'
    const text =
      left <= 0 ? t('overview.certificatesExpired') : t(tone === 'good' ? 'overview.certificates' : 'overview.certificatesBad', { age: duration(left) })
    return [{ id: 'certificates', text, tone, to: page('certificates') }]
  }

  /** With a schedule the question is whether its target is met; without one, how the newest backup is. */
  function backupParts(): HealthPart[] {
    if (schedule.value === null)
      return [
        {
          id: 'backup',
          text:
            newest.value === null
              ? t('overview.noBackup')
              : t('overview.lastBackup', { age: duration(now.value - newest.value.createdAtMs), verdict: t(`overview.verdict.${newest.value.verdict}`) }),
          tone: newest.value?.verdict === 'good' ? 'good' : 'warn',
          to: page('backups'),
        },
      ]
    const { missed, targetMs } = schedule.value
    const good = (backups.data.value ?? [])
      .filter((each) => each.clusterId === clusters.currentId && each.present && each.verdict === 'good')
      .sort((a, b) => b.createdAtMs - a.createdAtMs)[0]
    const target = duration(targetMs)
    const part: HealthPart =
      good === undefined
        ? { id: 'backup', text: t('overview.noGoodBackup', { target }), tone: 'bad', to: page('backups') }
        : {
            id: 'backup',
            text: t('overview.lastGoodBackup', { age: duration(now.value - good.createdAtMs), target }),
            tone: now.value - good.createdAtMs > targetMs ? 'bad' : 'good',
            to: page('backups'),
          }
    if (missed === null || missed.caughtUpAtMs !== null) return [part]
    return [part, { id: 'missed', text: t('overview.missedBackups', { n: missed.count }, missed.count), tone: 'warn', to: page('backups') }]
  }

  return computed(() => {
    const { ready, total } = overview.nodes.value
    const pods = overview.pods.value
    return [
      {
        id: 'nodes',
        text: overview.denied.value.nodes
          ? t('overview.nodesDenied')
          : total === 0
            ? t('overview.noNodes')
            : t('overview.nodesReady', { ready: count(ready), total: count(total) }),
        tone: overview.denied.value.nodes ? 'warn' : total > 0 && ready === total ? 'good' : 'bad',
        to: table('nodes'),
      },
      {
        id: 'pods',
        text: overview.denied.value.pods
          ? t('overview.podsDenied')
          : pods.total === 0
            ? t('overview.noPods')
            : t('overview.podsTrouble', { total: count(pods.total), n: count(pods.trouble) }, pods.trouble),
        tone: pods.trouble > 0 || overview.denied.value.pods ? 'warn' : 'good',
        to: table('pods', pods.trouble > 0 ? { attention: '1' } : {}),
      },
      ...certificatePart(),
      ...backupParts(),
    ]
  })
}
