import { isObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'

/**
 * A job's selector is made for it unless `manualSelector` says otherwise: its pods are labelled with its uid and name, since
 * 1.27 under names with the batch prefix too, and the selector asks for the uid. Labels that are there already stay; validation
 * refuses them when they are wrong.
 *
 * @see pkg/registry/batch/job/strategy.go generateSelector
 */
export function generateJobSelector(job: KubeObject, minor: number): void {
  const spec = isObject(job['spec']) ? job['spec'] : {}
  if (spec['manualSelector'] === true) return
  const template = isObject(spec['template']) ? spec['template'] : {}
  const metadata = isObject(template['metadata']) ? template['metadata'] : {}
  const { name = '', uid = '' } = job.metadata
  const prefixed = minor >= 27
  const labels = {
    'controller-uid': uid,
    'job-name': name,
    ...(prefixed ? { 'batch.kubernetes.io/controller-uid': uid, 'batch.kubernetes.io/job-name': name } : {}),
    ...(isObject(metadata['labels']) ? metadata['labels'] : {}),
  }
  const selector = isObject(spec['selector']) ? spec['selector'] : {}
  const matchLabels = {
    [prefixed ? 'batch.kubernetes.io/controller-uid' : 'controller-uid']: uid,
    ...(isObject(selector['matchLabels']) ? selector['matchLabels'] : {}),
  }
  job['spec'] = { ...spec, selector: { ...selector, matchLabels }, template: { ...template, metadata: { ...metadata, labels } } }
}
