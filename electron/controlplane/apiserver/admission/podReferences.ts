import { isObject, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'

const objects = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])

/** Kinds of objects a pod's spec refers to: secrets, configmaps, persistentvolumeclaims. */
export function referencedKinds(spec: JsonObject): Set<string> {
  const found = new Set<string>()
  if (objects(spec['imagePullSecrets']).length > 0) found.add('secrets')
  for (const container of [...objects(spec['initContainers']), ...objects(spec['containers'])]) {
    for (const source of [...objects(container['envFrom']), ...objects(container['env']).map((each) => objectAt(each['valueFrom']))]) {
      if (source['secretRef'] !== undefined || source['secretKeyRef'] !== undefined) found.add('secrets')
      if (source['configMapRef'] !== undefined || source['configMapKeyRef'] !== undefined) found.add('configmaps')
    }
  }
  for (const volume of objects(spec['volumes'])) {
    if (volume['persistentVolumeClaim'] !== undefined) found.add('persistentvolumeclaims')
    for (const source of [volume, ...objects(objectAt(volume['projected'])['sources'])]) {
      if (source['secret'] !== undefined || Object.values(source).some((each) => isObject(each) && each['secretRef'] !== undefined)) found.add('secrets')
      if (source['configMap'] !== undefined) found.add('configmaps')
    }
  }
  return found
}
