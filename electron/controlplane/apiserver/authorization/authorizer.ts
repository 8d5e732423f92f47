import { RbacIndex, type Binding, type RbacPolicy, type Subject } from '#shared/planning/rbac/evaluate.ts'
import type { AuthorizationMode } from '../settings.ts'
import type { Decision, Opinion, RequestAttributes } from './attributes.ts'
import type { NodeAuthorizer } from './nodeAuthorizer.ts'

export interface AuthorizerOptions {
  /** Asked in this order until one decides. */
  modes: readonly AuthorizationMode[]
  /** Reads the current policy; it is read again after `policyChanged()`. */
  policy: () => RbacPolicy
  node: NodeAuthorizer
}

export const MASTERS = 'system:masters'

/** `system:masters` may everything; else the modes are asked in their order. */
export class Authorizer {
  readonly #options: AuthorizerOptions
  #index: RbacIndex | null = null

  constructor(options: AuthorizerOptions) {
    this.#options = options
  }

  policyChanged(): void {
    this.#index = null
  }

  get index(): RbacIndex {
    return (this.#index ??= new RbacIndex(this.#options.policy()))
  }

  get modes(): readonly AuthorizationMode[] {
    return this.#options.modes
  }

  authorize(attributes: RequestAttributes): Decision {
    if (attributes.user.groups.includes(MASTERS)) return { allowed: true, denied: false, reason: '' }
    const reasons: string[] = []
    for (const mode of this.#options.modes) {
      const { decision, reason } = this.#ask(mode, attributes)
      if (decision !== 'noOpinion') return { allowed: decision === 'allow', denied: decision === 'deny', reason }
      if (reason !== '') reasons.push(reason)
    }
    return { allowed: false, denied: false, reason: reasons.join('\n') }
  }

  #ask(mode: AuthorizationMode, attributes: RequestAttributes): Opinion {
    switch (mode) {
      case 'AlwaysAllow':
        return { decision: 'allow', reason: '' }
      case 'AlwaysDeny':
        return { decision: 'noOpinion', reason: 'Everything is forbidden.' }
      case 'Node':
        return this.#options.node.authorize(attributes)
      case 'RBAC':
        return this.#rbac(attributes)
    }
  }

  #rbac(attributes: RequestAttributes): Opinion {
    const { user, resource } = attributes
    const grant = this.index.allowedBy(user, attributes)
    if (grant !== null) return { decision: 'allow', reason: `RBAC: allowed by ${bindingText(grant.binding, grant.subject)}` }
    const missing = this.index.dangling(user, resource?.namespace ?? '').map(missingRoleText)
    return { decision: 'noOpinion', reason: missing.length === 0 ? '' : `RBAC: ${missing.length === 1 ? (missing[0] ?? '') : `[${missing.join(', ')}]`}` }
  }
}

function missingRoleText({ roleRef }: Binding): string {
  return `${roleRef.kind.toLowerCase()}.rbac.authorization.k8s.io ${JSON.stringify(roleRef.name)} not found`
}

function bindingText({ kind, name, namespace, roleRef }: Binding, subject: Subject): string {
  const where = namespace === '' ? name : `${name}/${namespace}`
  const who = subject.kind === 'ServiceAccount' ? `${subject.name}/${subject.namespace}` : subject.name
  return `${kind} ${JSON.stringify(where)} of ${roleRef.kind} ${JSON.stringify(roleRef.name)} to ${subject.kind} ${JSON.stringify(who)}`
}
