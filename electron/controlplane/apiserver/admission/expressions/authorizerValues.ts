import type { CelFunction } from '#shared/kubernetes/cel/interface.ts'
import type { UserInfo } from '#shared/kubernetes/transport.ts'
import type { Decision } from '../../authorization/attributes.ts'
import type { Authorizer } from '../../authorization/authorizer.ts'

interface Question {
  authorizer: Authorizer
  user: UserInfo
  path?: string
  group?: string
  resource?: string
  subresource?: string
  namespace?: string
  name?: string
}

class Holder {
  readonly question: Question

  constructor(question: Question) {
    this.question = question
  }
}

/** `authorizer` in expressions: asks whether the request's user may do something. */
export class CelAuthorizer extends Holder {}
class PathCheck extends Holder {}
class GroupCheck extends Holder {}
class ResourceCheck extends Holder {}

class CelDecision {
  readonly decision: Decision

  constructor(decision: Decision) {
    this.decision = decision
  }
}

function decide({ authorizer, user, path = '', ...question }: Question, verb: string): CelDecision {
  const { group = '', resource, subresource = '', namespace = '', name = '' } = question
  const attributes = resource === undefined ? {} : { resource: { group, version: '*', resource, subresource, namespace, name } }
  return new CelDecision(authorizer.authorize({ user, verb, path, ...attributes }))
}

export const AUTHORIZER_TYPES: Readonly<Record<string, new (...values: never[]) => object>> = {
  Authorizer: CelAuthorizer,
  PathCheck,
  GroupCheck,
  ResourceCheck,
  Decision: CelDecision,
}

const fn = (signature: string, call: (...values: never[]) => unknown): CelFunction => ({ signature, call })

/** @see kubernetes staging/src/k8s.io/apiserver/pkg/cel/library/authz.go */
export const AUTHORIZER_FUNCTIONS: readonly CelFunction[] = [
  fn('Authorizer.path(string): PathCheck', ({ question }: Holder, path: string) => new PathCheck({ ...question, path })),
  fn('Authorizer.group(string): GroupCheck', ({ question }: Holder, group: string) => new GroupCheck({ ...question, group })),
  fn('Authorizer.serviceAccount(string, string): Authorizer', ({ question }: Holder, namespace: string, name: string) => {
    const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated']
    return new CelAuthorizer({ ...question, user: { username: `system:serviceaccount:${namespace}:${name}`, groups } })
  }),
  fn('PathCheck.check(string): Decision', ({ question }: Holder, verb: string) => decide(question, verb)),
  fn('GroupCheck.resource(string): ResourceCheck', ({ question }: Holder, resource: string) => new ResourceCheck({ ...question, resource })),
  fn('ResourceCheck.subresource(string): ResourceCheck', ({ question }: Holder, subresource: string) => new ResourceCheck({ ...question, subresource })),
  fn('ResourceCheck.namespace(string): ResourceCheck', ({ question }: Holder, namespace: string) => new ResourceCheck({ ...question, namespace })),
  fn('ResourceCheck.name(string): ResourceCheck', ({ question }: Holder, name: string) => new ResourceCheck({ ...question, name })),
  fn('ResourceCheck.check(string): Decision', ({ question }: Holder, verb: string) => decide(question, verb)),
  fn('Decision.allowed(): bool', ({ decision }: CelDecision) => decision.allowed),
  fn('Decision.reason(): string', ({ decision }: CelDecision) => decision.reason),
  fn('Decision.errored(): bool', () => false),
  fn('Decision.error(): string', () => ''),
]
