import { goShown } from '#shared/kubernetes/customresource/shown.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import { invalidStatus } from '#shared/kubernetes/validation/fieldError.ts'
import { qualifiedResource } from './apiResources.ts'

interface Named {
  group: string
  plural: string
}

const details = ({ group, plural }: Named, name: string): { name: string; kind: string; group?: string } => ({
  name,
  ...(group === '' ? {} : { group }),
  kind: plural,
})

/** Upstream's words for what a store can answer. */
export const notFound = (resource: Named, name: string): StatusError =>
  new StatusError(failure(404, 'NotFound', `${qualifiedResource(resource)} "${name}" not found`, details(resource, name)))

export const alreadyExists = (resource: Named, name: string, beingDeleted: boolean): StatusError =>
  new StatusError(
    failure(
      409,
      'AlreadyExists',
      `${beingDeleted ? 'object is being deleted: ' : ''}${qualifiedResource(resource)} "${name}" already exists`,
      details(resource, name),
    ),
  )

export const conflict = (resource: Named, name: string, why: string): StatusError =>
  new StatusError(failure(409, 'Conflict', `Operation cannot be fulfilled on ${qualifiedResource(resource)} "${name}": ${why}`, details(resource, name)))

export const modified = (resource: Named, name: string): StatusError =>
  conflict(resource, name, 'the object has been modified; please apply your changes to the latest version and try again')

export const forbidden = (resource: Named, name: string, why: string, cause?: { reason: string; message: string; field?: string }): StatusError =>
  new StatusError(
    failure(403, 'Forbidden', `${qualifiedResource(resource)} "${name}" is forbidden: ${why}`, {
      ...details(resource, name),
      ...(cause === undefined ? {} : { causes: [cause] }),
    }),
  )

export const badRequest = (message: string): StatusError => new StatusError(failure(400, 'BadRequest', message))

export const methodNotAllowed = (): StatusError =>
  new StatusError(failure(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource'))

export const noSuchResource = (): StatusError => new StatusError(failure(404, 'NotFound', 'the server could not find the requested resource', {}))

/** A patch that makes what cannot be read; upstream shows what it made. */
export function undecodable(made: string, detail: string): StatusError {
  return new StatusError(invalidStatus({ group: '', kind: '', name: '' }, [{ type: 'Invalid', field: 'patch', value: goShown(made), detail }]))
}
