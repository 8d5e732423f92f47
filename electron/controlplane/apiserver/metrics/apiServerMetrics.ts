import { Histogram, Values } from './instruments.ts'

const REQUEST = ['verb', 'dry_run', 'group', 'version', 'resource', 'subresource', 'scope', 'component'] as const
const SERVED = ['group', 'resource', 'subresource', 'version'] as const

/** Seconds. Upstream's bounds of request durations. */
const REQUEST_SECONDS = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60]
const SIZES = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((power) => 1000 * 10 ** power)
const ETCD_SECONDS = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60]

/** The main series of `/metrics`, under upstream's names and labels. */
export class ApiServerMetrics {
  readonly requests = new Values({
    type: 'counter',
    name: 'apiserver_request_total',
    help: 'Answered requests, by what was asked and the status code.',
    labels: [...REQUEST, 'code'],
  })
  readonly durations = new Histogram({
    name: 'apiserver_request_duration_seconds',
    help: 'Seconds from a request to the end of its answer, by what was asked.',
    bounds: REQUEST_SECONDS,
    labels: REQUEST,
  })
  readonly responseSizes = new Histogram({
    name: 'apiserver_response_sizes',
    help: 'Bytes of answers, by what was asked.',
    bounds: SIZES,
    labels: ['verb', 'group', 'version', 'resource', 'subresource', 'scope', 'component'],
  })
  readonly inflight = new Values({
    type: 'gauge',
    name: 'apiserver_current_inflight_requests',
    help: 'Requests being served now, by kind.',
    labels: ['request_kind'],
  })
  readonly longRunning = new Values({
    type: 'gauge',
    name: 'apiserver_longrunning_requests',
    help: 'Long-running requests being served now: watches, logs, connections.',
    labels: ['verb', 'group', 'version', 'resource', 'subresource', 'scope', 'component'],
  })
  readonly dropped = new Values({
    type: 'counter',
    name: 'apiserver_dropped_requests_total',
    help: 'Requests refused with 429 because too many were being served.',
    labels: ['request_kind'],
  })
  readonly deprecated = new Values({
    type: 'gauge',
    name: 'apiserver_requested_deprecated_apis',
    help: 'Deprecated APIs that have been requested, with the release that removes them.',
    labels: [...SERVED, 'removed_release'],
  })
  readonly storageObjects = new Values({ type: 'gauge', name: 'apiserver_storage_objects', help: 'Stored objects by kind.', labels: ['resource'] })
  readonly etcdDurations = new Histogram({
    name: 'etcd_request_duration_seconds',
    help: 'Seconds that calls to etcd took, by operation and kind of object.',
    bounds: ETCD_SECONDS,
    labels: ['operation', 'type'],
  })
  readonly etcdRequests = new Values({
    type: 'counter',
    name: 'etcd_requests_total',
    help: 'Calls to etcd, by operation and kind of object.',
    labels: ['operation', 'type'],
  })
  readonly authenticationAttempts = new Values({
    type: 'counter',
    name: 'authentication_attempts',
    help: 'Authenticated attempts by result.',
    labels: ['result'],
  })
  readonly authenticatedUsers = new Values({
    type: 'counter',
    name: 'authenticated_user_requests',
    help: 'Authenticated requests by user name.',
    labels: ['username'],
  })
  readonly authorizationAttempts = new Values({
    type: 'counter',
    name: 'authorization_attempts_total',
    help: 'Authorization decisions by result.',
    labels: ['result'],
  })
  readonly audited = new Values({ type: 'counter', name: 'apiserver_audit_event_total', help: 'Audit events written.' })
  readonly auditLevels = new Values({ type: 'counter', name: 'apiserver_audit_level_total', help: 'Requests by audit level.', labels: ['level'] })
  readonly auditErrors = new Values({
    type: 'counter',
    name: 'apiserver_audit_error_total',
    help: 'Audit events that could not be written.',
    labels: ['plugin'],
  })
  readonly admissionDurations = new Histogram({
    name: 'apiserver_admission_controller_admission_duration_seconds',
    help: 'Seconds that an admission plugin took, by plugin and operation.',
    bounds: [0.005, 0.025, 0.1, 0.5, 1, 2.5],
    labels: ['name', 'type', 'operation', 'rejected'],
  })
  readonly webhookDurations = new Histogram({
    name: 'apiserver_admission_webhook_admission_duration_seconds',
    help: 'Seconds that an admission webhook took, by webhook and operation.',
    bounds: [0.005, 0.025, 0.1, 0.5, 1, 2.5, 10, 25],
    labels: ['name', 'type', 'operation', 'rejected'],
  })
  readonly webhookRejections = new Values({
    type: 'counter',
    name: 'apiserver_admission_webhook_rejection_count',
    help: 'Requests that webhooks refused, by webhook and kind of error.',
    labels: ['name', 'type', 'operation', 'error_type', 'rejection_code'],
  })
  readonly handshakeErrors = new Values({
    type: 'counter',
    name: 'apiserver_tls_handshake_errors_total',
    help: 'Connections whose TLS handshake failed.',
  })

  get families(): (Values | Histogram)[] {
    return [
      this.requests,
      this.durations,
      this.responseSizes,
      this.inflight,
      this.longRunning,
      this.dropped,
      this.deprecated,
      this.storageObjects,
      this.etcdDurations,
      this.etcdRequests,
      this.authenticationAttempts,
      this.authenticatedUsers,
      this.authorizationAttempts,
      this.audited,
      this.auditLevels,
      this.auditErrors,
      this.admissionDurations,
      this.webhookDurations,
      this.webhookRejections,
      this.handshakeErrors,
    ]
  }
}
