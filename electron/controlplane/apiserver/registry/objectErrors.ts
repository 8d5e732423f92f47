import { definitionErrors, definitionUpdateErrors, formatWarnings } from '#shared/kubernetes/customresource/definitions/validation.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { FieldError } from '#shared/kubernetes/validation/fieldError.ts'
import type { ApiResource } from './apiResources.ts'
import type { Validation, WriteContext } from './restStore.ts'

/** What is wrong with a new object: by its definition's schema for custom resources, by the kind's own rules else. */
export function createErrors(validation: Validation, object: KubeObject, resource: ApiResource, context: WriteContext): FieldError[] {
  if (isDefinition(resource)) {
    const errors = definitionErrors(object)
    if (errors.length === 0) context.warnings.push(...formatWarnings(object, null))
    return errors
  }
  if (resource.custom === undefined) return validation.create(object, resource)
  const { errors, warnings } = resource.custom.validateCreate(object)
  context.warnings.push(...warnings)
  return errors
}

/** The same for an update. */
export function updateErrors(validation: Validation, before: KubeObject, after: KubeObject, resource: ApiResource, context: WriteContext): FieldError[] {
  if (isDefinition(resource)) {
    const errors = definitionUpdateErrors(after, before, context.subresource)
    if (errors.length === 0 && context.subresource === '') context.warnings.push(...formatWarnings(after, before))
    return errors
  }
  if (resource.custom === undefined) return validation.update(before, after, resource, context.subresource)
  const { errors, warnings } = resource.custom.validateUpdate(before, after, context.subresource)
  context.warnings.push(...warnings)
  return errors
}

function isDefinition({ group, plural }: ApiResource): boolean {
  return group === 'apiextensions.k8s.io' && plural === 'customresourcedefinitions'
}
