import { isObject } from '../json.ts'
import type { FieldError } from '../validation/fieldError.ts'
import type { DefinitionVersion } from './definition.ts'
import { goPrinted, invalidValue } from './shown.ts'

const MAX_REPLICAS = 2_147_483_647

/** What stands at a simple path such as `.spec.replicas`; `wrong` is why it could not be followed. */
export function valueAt(object: unknown, path: string): { value: unknown; wrong?: string } {
  const names = path.replace(/^\./, '').split('.')
  let current = object
  for (const [index, name] of names.entries()) {
    // Within null there is nothing, which is no fault.
    if (current === null) return { value: undefined }
    if (!isObject(current)) {
      const shown = goPrinted(current)
      return {
        value: undefined,
        wrong: `.${names.slice(0, index + 1).join('.')} accessor error: ${shown} is of the type ${goType(current)}, expected map[string]interface{}`,
      }
    }
    current = Object.hasOwn(current, name) ? current[name] : undefined
    if (current === undefined) return { value: undefined }
  }
  return { value: current }
}

function goType(value: unknown): string {
  if (value === null || value === undefined) return '<nil>'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64'
  if (typeof value === 'string') return 'string'
  return Array.isArray(value) ? '[]interface {}' : 'map[string]interface {}'
}

/** What is wrong with the fields the scale subresource stands on. @param spec false for writes of the status alone */
export function scaleErrors(object: unknown, scale: DefinitionVersion['scale'], { spec }: { spec: boolean }): FieldError[] {
  if (scale === null) return []
  const errors = [...(spec ? replicasErrors(object, scale.specReplicasPath) : []), ...replicasErrors(object, scale.statusReplicasPath)]
  if (scale.labelSelectorPath === null) return errors
  const { value, wrong } = valueAt(object, scale.labelSelectorPath)
  if (wrong !== undefined) errors.push(invalidValue(scale.labelSelectorPath, '', wrong))
  else if (value !== undefined && typeof value !== 'string')
    errors.push(
      invalidValue(
        scale.labelSelectorPath,
        '',
        `${scale.labelSelectorPath} accessor error: ${goPrinted(value)} is of the type ${goType(value)}, expected string`,
      ),
    )
  return errors
}

function replicasErrors(object: unknown, path: string): FieldError[] {
  const { value, wrong } = valueAt(object, path)
  if (wrong !== undefined) return [invalidValue(path, 0, wrong)]
  if (value === undefined) return []
  if (typeof value !== 'number' || !Number.isInteger(value))
    return [invalidValue(path, 0, `${path} accessor error: ${goPrinted(value)} is of the type ${goType(value)}, expected int64`)]
  if (value < 0) return [invalidValue(path, value, 'should be a non-negative integer')]
  return value > MAX_REPLICAS ? [invalidValue(path, value, `should be less than or equal to ${String(MAX_REPLICAS)}`)] : []
}
