import { embeddedMetadata } from '#shared/kubernetes/embeddedMetadata.ts'
import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'

/** Since then Go leaves out a template's creation time that is not set; before, it writes null. */
const TIMES_OMITTED_SINCE = 34
/** Since then a StatefulSet tells how many of its pods are available. */
const AVAILABLE_REPLICAS_SINCE = 22

const at = (value: unknown): JsonObject => (isObject(value) ? value : {})

/**
 * What reading makes of an object that another API server has stored: fields stand where the version that is worked with has
 * them, and what a read sets by default is set, as upstream's decoding does. The object is changed in place, or a new one given.
 */
export function storedForm(object: KubeObject): KubeObject {
  switch (object.kind) {
    case 'CustomResourceDefinition':
      return object.apiVersion === 'apiextensions.k8s.io/v1beta1' ? definitionFromV1beta1(object) : object
    case 'PersistentVolume':
    case 'PersistentVolumeClaim': {
      const status = at(object['status'])
      return typeof status['phase'] === 'string' && status['phase'] !== '' ? object : { ...object, status: { ...status, phase: 'Pending' } }
    }
    case 'Job': {
      const labels = at(at(at(object['spec'])['template'])['metadata'])['labels']
      if (Object.keys(object.metadata.labels ?? {}).length === 0 && isObject(labels))
        return { ...object, metadata: { ...object.metadata, labels: { ...(labels as Record<string, string>) } } }
      return object
    }
    default:
      return object
  }
}

/** Besides, what a release shows otherwise than the newest. Only where nothing is written: it must never get into what is stored. */
export function shownForm(object: KubeObject, minor: number): KubeObject {
  if (minor < TIMES_OMITTED_SINCE) for (const metadata of embeddedMetadata(object)) metadata['creationTimestamp'] ??= null
  const { status } = object as { status?: unknown }
  if (minor < AVAILABLE_REPLICAS_SINCE && object.kind === 'StatefulSet' && isObject(status) && status['availableReplicas'] === 0)
    delete status['availableReplicas']
  return object
}

/** v1beta1 has schema, columns and subresources once for all versions; v1 has them in each. @see apiextensions v1beta1/conversion.go */
function definitionFromV1beta1(object: KubeObject): KubeObject {
  const { version, validation, subresources, additionalPrinterColumns, preserveUnknownFields, conversion, versions, ...spec } = at(object['spec'])
  const listed = Array.isArray(versions) && versions.length > 0 ? versions.filter(isObject) : [{ name: version, served: true, storage: true }]
  const columns = (value: unknown): JsonObject[] | undefined =>
    Array.isArray(value) ? value.filter(isObject).map(({ JSONPath, ...column }) => ({ ...column, jsonPath: JSONPath })) : undefined
  const { strategy = 'None', webhookClientConfig, conversionReviewVersions } = at(conversion)
  return {
    ...object,
    apiVersion: 'apiextensions.k8s.io/v1',
    spec: {
      ...spec,
      conversion: {
        strategy,
        ...(webhookClientConfig === undefined ? {} : { webhook: { clientConfig: webhookClientConfig, conversionReviewVersions } }),
      },
      // Absent means kept in v1beta1, and dropped in v1.
      ...(preserveUnknownFields === false ? {} : { preserveUnknownFields: true }),
      versions: listed.map(({ schema, subresources: own, additionalPrinterColumns: ownColumns, ...each }) => {
        const shownColumns = columns(ownColumns) ?? columns(additionalPrinterColumns)
        const usedSchema = schema ?? validation
        const usedSubresources = own ?? subresources
        return {
          ...each,
          ...(usedSchema === undefined ? {} : { schema: usedSchema }),
          ...(usedSubresources === undefined ? {} : { subresources: usedSubresources }),
          ...(shownColumns === undefined ? {} : { additionalPrinterColumns: shownColumns }),
        }
      }),
    },
  }
}
