import { Histogram, Values } from './instruments.ts'

const PLACE = ['group', 'version', 'resource', 'subresource', 'scope', 'component'] as const
const REQUEST = ['verb', 'dry_run', ...PLACE] as const
const ADMISSION = ['type', 'operation', 'rejected'] as const

const rising = (start: number, factor: number, count: number): number[] => Array.from({ length: count }, (_, index) => start * factor ** index)

/** Seconds. Of requests: the first releases had more of them. */
const EARLY_REQUEST_SECONDS = [
  ...[0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 4.5],
  ...[5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60],
]
const REQUEST_SECONDS = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60]
const EARLY_ETCD_SECONDS = [0.005, 0.01, 0.025, ...EARLY_REQUEST_SECONDS]
const AUTHENTICATION_SECONDS = rising(0.001, 2, 15)
/** Until a client's certificate is over: from none to a year. */
const EXPIRATION_SECONDS = [0, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 345600, 604800, 2592000, 7776000, 15552000, 31104000]

/**
 * The instruments of a release, under its names and labels. Those of 1.20 and of 1.36 are as their sources have them; between, names
 * change with the release that the deprecation of the old one names.
 *
 * @see kubernetes staging/src/k8s.io/apiserver/pkg/endpoints/metrics/metrics.go
 * @see kubernetes staging/src/k8s.io/apiserver/pkg/storage/etcd3/metrics/metrics.go
 */
export function releaseInstruments(minor: number) {
  const from = <T>(release: number, then: T, before: T): T => (minor >= release ? then : before)
  const early = minor < 23
  // Kinds of objects were told by Go's type until metrics named them by group and resource alike.
  const typed = minor < 34
  const admissionSeconds = early ? [0.005, 0.025, 0.1, 0.5, 2.5] : [0.005, 0.025, 0.1, 0.5, 1, 2.5]
  return {
    requests: new Values({
      type: 'counter',
      name: 'apiserver_request_total',
      help: 'Answered requests, by what was asked and the status code.',
      labels: [...REQUEST, 'contentType', 'code'],
      without: from(21, ['contentType'], []),
    }),
    durations: new Histogram({
      name: 'apiserver_request_duration_seconds',
      help: 'Seconds from a request to the end of its answer, by what was asked.',
      bounds: early ? EARLY_REQUEST_SECONDS : REQUEST_SECONDS,
      labels: REQUEST,
    }),
    responseSizes: new Histogram({
      name: 'apiserver_response_sizes',
      help: 'Bytes of answers, by what was asked.',
      bounds: rising(1000, 10, 7),
      labels: ['verb', ...PLACE],
    }),
    inflight: new Values({
      type: 'gauge',
      name: 'apiserver_current_inflight_requests',
      help: 'Requests being served now, by kind.',
      labels: ['request_kind'],
    }),
    longRunning: new Values({
      type: 'gauge',
      name: from(23, 'apiserver_longrunning_requests', 'apiserver_longrunning_gauge'),
      help: 'Long-running requests being served now: watches, logs, connections.',
      labels: ['verb', ...PLACE],
    }),
    registeredWatchers: new Values({
      type: 'gauge',
      name: 'apiserver_registered_watchers',
      help: 'Watches being served now, by kind of object.',
      labels: ['group', 'version', 'kind'],
      served: minor < 24,
    }),
    watchEvents: new Values({
      type: 'counter',
      name: 'apiserver_watch_events_total',
      help: 'Events told to watches, by kind of object.',
      labels: ['group', 'version', 'kind', 'resource'],
      without: typed ? ['resource'] : ['kind'],
    }),
    watchEventSizes: new Histogram({
      name: 'apiserver_watch_events_sizes',
      help: 'Bytes of events written to watches, by kind of object.',
      bounds: rising(1024, 2, 8),
      labels: ['group', 'version', 'kind', 'resource'],
      without: typed ? ['resource'] : ['kind'],
    }),
    dropped: new Values({
      type: 'counter',
      name: 'apiserver_dropped_requests_total',
      help: 'Requests refused with 429 because too many were being served.',
      labels: ['request_kind'],
      served: minor < 28,
    }),
    terminations: new Values({
      type: 'counter',
      name: 'apiserver_request_terminations_total',
      help: 'Requests that were ended by the server to protect itself, by what was asked and the status code.',
      labels: ['verb', ...PLACE, 'code'],
    }),
    deprecated: new Values({
      type: 'gauge',
      name: 'apiserver_requested_deprecated_apis',
      help: 'Deprecated APIs that have been requested, with the release that removes them.',
      labels: ['group', 'version', 'resource', 'subresource', 'removed_release'],
    }),
    storageObjects: new Values({
      type: 'gauge',
      name: from(22, 'apiserver_storage_objects', 'etcd_object_counts'),
      help: 'Stored objects by kind.',
      labels: ['resource'],
    }),
    databaseSize: new Values({
      type: 'gauge',
      name: minor < 26 ? 'etcd_db_total_size_in_bytes' : minor < 28 ? 'apiserver_storage_db_total_size_in_bytes' : 'apiserver_storage_size_bytes',
      help: "Bytes of etcd's database file.",
      labels: [from(28, 'storage_cluster_id', 'endpoint')],
    }),
    etcdDurations: new Histogram({
      name: 'etcd_request_duration_seconds',
      help: 'Seconds that calls to etcd took, by operation and kind of object.',
      bounds: early ? EARLY_ETCD_SECONDS : REQUEST_SECONDS,
      labels: ['operation', 'type', 'group', 'resource'],
      without: typed ? ['group', 'resource'] : ['type'],
    }),
    etcdRequests: new Values({
      type: 'counter',
      name: 'etcd_requests_total',
      help: 'Calls to etcd, by operation and kind of object.',
      labels: ['operation', 'type', 'group', 'resource'],
      without: typed ? ['group', 'resource'] : ['type'],
      served: minor >= 29,
    }),
    authenticationAttempts: new Values({
      type: 'counter',
      name: 'authentication_attempts',
      help: 'Authenticated attempts by result.',
      labels: ['result'],
    }),
    authenticationDurations: new Histogram({
      name: 'authentication_duration_seconds',
      help: 'Seconds that it took to know who asked, by result.',
      bounds: AUTHENTICATION_SECONDS,
      labels: ['result'],
    }),
    authenticatedUsers: new Values({
      type: 'counter',
      name: 'authenticated_user_requests',
      help: 'Authenticated requests by user name; names that are not known ones count as other.',
      labels: ['username'],
    }),
    clientCertificates: new Histogram({
      name: 'apiserver_client_certificate_expiration_seconds',
      help: 'Seconds that certificates of clients were still good for when requests came with them.',
      bounds: EXPIRATION_SECONDS,
    }),
    authorizationAttempts: new Values({
      type: 'counter',
      name: 'authorization_attempts_total',
      help: 'Authorization decisions by result.',
      labels: ['result'],
      served: minor >= 28,
    }),
    authorizationDurations: new Histogram({
      name: 'authorization_duration_seconds',
      help: 'Seconds that authorization decisions took, by result.',
      bounds: AUTHENTICATION_SECONDS,
      labels: ['result'],
      served: minor >= 28,
    }),
    audited: new Values({ type: 'counter', name: 'apiserver_audit_event_total', help: 'Audit events written.' }),
    auditLevels: new Values({ type: 'counter', name: 'apiserver_audit_level_total', help: 'Requests by audit level.', labels: ['level'] }),
    auditErrors: new Values({
      type: 'counter',
      name: 'apiserver_audit_error_total',
      help: 'Audit events that could not be written.',
      labels: ['plugin'],
    }),
    admissionSteps: new Histogram({
      name: 'apiserver_admission_step_admission_duration_seconds',
      help: 'Seconds that all admission plugins took together, by what they did and operation.',
      bounds: admissionSeconds,
      labels: ADMISSION,
    }),
    admissionDurations: new Histogram({
      name: 'apiserver_admission_controller_admission_duration_seconds',
      help: 'Seconds that an admission plugin took, by plugin and operation.',
      bounds: admissionSeconds,
      labels: ['name', ...ADMISSION],
    }),
    webhookDurations: new Histogram({
      name: 'apiserver_admission_webhook_admission_duration_seconds',
      help: 'Seconds that an admission webhook took, by webhook and operation.',
      bounds: early ? admissionSeconds : [...admissionSeconds, 10, 25],
      labels: ['name', ...ADMISSION],
    }),
    webhookRejections: new Values({
      type: 'counter',
      name: 'apiserver_admission_webhook_rejection_count',
      help: 'Requests that webhooks refused, by webhook and kind of error.',
      labels: ['name', 'type', 'operation', 'error_type', 'rejection_code'],
    }),
    handshakeErrors: new Values({
      type: 'counter',
      name: 'apiserver_tls_handshake_errors_total',
      help: 'Connections whose TLS handshake failed.',
    }),
    buildInfo: new Values({
      type: 'gauge',
      name: 'kubernetes_build_info',
      help: 'Always 1, with what the server says of its version.',
      labels: ['major', 'minor', 'git_version', 'git_commit', 'git_tree_state', 'build_date', 'go_version', 'compiler', 'platform'],
    }),
  }
}

export type Instruments = ReturnType<typeof releaseInstruments>
