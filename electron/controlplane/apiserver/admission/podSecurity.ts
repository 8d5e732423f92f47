import { deepEqual, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { invalid, invalidStatus } from '#shared/kubernetes/validation/fieldError.ts'
import { StatusError } from '#shared/kubernetes/status.ts'
import { evaluatePodSecurity, PRIVILEGED, standardsOf, standardText, violationText, type Mode, type Standard } from '#shared/planning/pod-security/evaluate.ts'
import type { PodView } from '#shared/planning/pod-security/podView.ts'
import type { Store } from '../storage/store.ts'
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts'
import { refusal } from './refusal.ts'

/** Where workloads keep the template of their pods. */
const TEMPLATES: Readonly<Record<string, readonly string[]>> = {
  '/podtemplates': ['template'],
  '/replicationcontrollers': ['spec', 'template'],
  'apps/deployments': ['spec', 'template'],
  'apps/replicasets': ['spec', 'template'],
  'apps/statefulsets': ['spec', 'template'],
  'apps/daemonsets': ['spec', 'template'],
  'batch/jobs': ['spec', 'template'],
  'batch/cronjobs': ['spec', 'jobTemplate', 'spec', 'template'],
}
/** Pods of a namespace that are looked at when its level changes; upstream stops there, too. */
const MAX_EXISTING_PODS = 3000

const viewOf = (holder: JsonObject): PodView => ({ annotations: objectAt(objectAt(holder['metadata'])['annotations']), spec: objectAt(holder['spec']) })

/**
 * Holds pods to the Pod Security Standard their namespace asks for by labels: refuses, warns, or notes in the audit log.
 *
 * @see k8s.io/pod-security-admission/admission
 */
export class PodSecurity implements AdmissionPlugin {
  readonly name = 'PodSecurity'
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  validate(request: AdmissionRequest): void {
    const { operation, resource, context } = request
    if (operation !== 'CREATE' && operation !== 'UPDATE') return
    const name = `${resource.group}/${resource.plural}`
    if (name === '/namespaces') {
      if (context.subresource === '') this.#namespace(request)
      return
    }
    if (!resource.namespaced) return
    if (name === '/pods') {
      if (context.subresource === '' || context.subresource === 'ephemeralcontainers') this.#pod(request)
      return
    }
    const template = context.subresource === '' ? TEMPLATES[name] : undefined
    if (template !== undefined) this.#template(request, template)
  }

  #standards(namespace: string): Record<Mode, Standard> {
    const found = this.#store.collection('namespaces').get(`/registry/namespaces/${namespace}`)
    return found === undefined ? { enforce: PRIVILEGED, audit: PRIVILEGED, warn: PRIVILEGED } : standardsOf(found.object.metadata.labels ?? {}).standards
  }

  #pod(request: AdmissionRequest): void {
    const { object, old, namespace, context } = request
    if (old !== null && !isSignificant(object, old)) return
    const standards = this.#standards(namespace)
    const pod = viewOf(object)
    context.annotations['pod-security.kubernetes.io/enforce-policy'] = standardText(standards.enforce)
    const violations = evaluatePodSecurity(pod, standards.enforce)
    audit(request, pod, standards.audit)
    if (violations.length > 0)
      throw refusal(request, `violates PodSecurity ${JSON.stringify(standardText(standards.enforce))}: ${violationText(violations)}`, 'validate')
    warn(request, pod, standards.warn)
  }

  /** Templates are let through: the pods made of them are refused where they must be. */
  #template(request: AdmissionRequest, path: readonly string[]): void {
    const { audit: audited, warn: warned } = this.#standards(request.namespace)
    const template = path.reduce<JsonObject>((holder, field) => objectAt(holder[field]), request.object)
    const pod = viewOf(template)
    audit(request, pod, audited)
    warn(request, pod, warned)
  }

  #namespace(request: AdmissionRequest): void {
    const { object, old, context, resource } = request
    const after = standardsOf(object.metadata.labels ?? {})
    const before = old === null ? null : standardsOf(old.metadata.labels ?? {})
    // What was wrong already need not be put right with every update.
    const faults = after.faults.filter((fault) => before?.faults.some((known) => deepEqual(known, fault)) !== true)
    if (faults.length > 0)
      throw new StatusError(
        invalidStatus(
          { group: resource.group, kind: resource.kind, name: object.metadata.name ?? '' },
          faults.map(({ label, value, detail }) => invalid(`metadata.labels[${label}]`, value, detail)),
        ),
      )
    const { enforce } = after.standards
    if (before === null || deepEqual(before.standards.enforce, enforce) || enforce.level === 'privileged') return
    context.warnings.push(...this.#existing(object.metadata.name ?? '', enforce))
  }

  /** Warnings for pods that run already and that the new level would refuse. */
  #existing(namespace: string, enforce: Standard): string[] {
    const pods = [...this.#store.collection('pods').range(`/registry/pods/${namespace}/`)].slice(0, MAX_EXISTING_PODS)
    const byReason = new Map<string, string[]>()
    for (const { object } of pods) {
      const reasons = evaluatePodSecurity(viewOf(object), enforce)
        .map(({ reason }) => reason)
        .join(', ')
      if (reasons === '') continue
      const names = byReason.get(reasons)
      if (names === undefined) byReason.set(reasons, [object.metadata.name ?? ''])
      else names.push(object.metadata.name ?? '')
    }
    if (byReason.size === 0) return []
    const lines = [...byReason].map(([reasons, [first = '', ...others]]) => {
      const more = others.length === 0 ? '' : others.length === 1 ? ' (and 1 other pod)' : ` (and ${String(others.length)} other pods)`
      return `${first}${more}: ${reasons}`
    })
    return [
      `existing pods in namespace ${JSON.stringify(namespace)} violate the new PodSecurity enforce level ${JSON.stringify(standardText(enforce))}`,
      ...lines.sort(),
    ]
  }
}

function warn({ context }: AdmissionRequest, pod: PodView, standard: Standard): void {
  const violations = evaluatePodSecurity(pod, standard)
  if (violations.length > 0) context.warnings.push(`would violate PodSecurity ${JSON.stringify(standardText(standard))}: ${violationText(violations)}`)
}

function audit({ context }: AdmissionRequest, pod: PodView, standard: Standard): void {
  const violations = evaluatePodSecurity(pod, standard)
  if (violations.length > 0)
    context.annotations['pod-security.kubernetes.io/audit-violations'] =
      `would violate PodSecurity ${JSON.stringify(standardText(standard))}: ${violationText(violations)}`
}

/** Whether an update changes anything but what a running pod may have changed freely: labels, tolerations, its deadline. */
function isSignificant(object: KubeObject, old: KubeObject): boolean {
  const shown = ({ spec }: JsonObject): unknown => {
    const { tolerations: _, activeDeadlineSeconds: __, terminationGracePeriodSeconds: ___, nodeName: ____, schedulingGates: _____, ...rest } = objectAt(spec)
    return rest
  }
  return !deepEqual(shown(object), shown(old))
}
