import { createCelEnvironment } from '#shared/kubernetes/cel/environment.ts'
import type { CelEnvironment, CelResult, CelType, Compiled } from '#shared/kubernetes/cel/interface.ts'
import type { Authorizer } from '../../authorization/authorizer.ts'
import type { Store } from '../../storage/store.ts'
import type { AdmissionRequest } from '../admission.ts'
import type { Match } from '../webhooks/admissionMatching.ts'
import { admissionRequestOf } from '../webhooks/admissionReview.ts'
import { AUTHORIZER_FUNCTIONS, AUTHORIZER_TYPES, CelAuthorizer } from './authorizerValues.ts'

const DYN: CelType = { kind: 'dyn' }
/** cel-go's units one expression, and all of one policy, may cost (apiserver/pkg/apis/cel/config.go). */
export const EXPRESSION_COST = 10_000_000

/** The values expressions of admission see. */
export type AdmissionVariables = Readonly<Record<string, unknown>>

/** Compiles and evaluates expressions over what is being admitted. Programs are kept by their text. */
export class AdmissionExpressions {
  readonly #environment: CelEnvironment
  readonly #programs = new Map<string, Compiled>()
  readonly #authorizer: Authorizer
  readonly #store: Store

  constructor({ authorizer, store }: { authorizer: Authorizer; store: Store }) {
    this.#authorizer = authorizer
    this.#store = store
    this.#environment = createCelEnvironment({
      variables: {
        object: DYN,
        oldObject: DYN,
        request: DYN,
        params: DYN,
        namespaceObject: DYN,
        variables: DYN,
        authorizer: { kind: 'opaque', name: 'Authorizer' },
      },
      opaqueTypes: AUTHORIZER_TYPES,
      functions: AUTHORIZER_FUNCTIONS,
    })
  }

  compile(expression: string): Compiled {
    let compiled = this.#programs.get(expression)
    if (compiled === undefined) {
      compiled = this.#environment.compile(expression)
      this.#programs.set(expression, compiled)
    }
    return compiled
  }

  /** @returns the result, or an error's text for expressions that do not compile, too */
  evaluate(expression: string, variables: AdmissionVariables): CelResult {
    const { program, error } = this.compile(expression)
    if (program === undefined) return { error: `compilation failed: ${error}`, cost: 0 }
    return program.evaluate(variables, { costLimit: EXPRESSION_COST })
  }

  variables(request: AdmissionRequest, match: Match, params: unknown = null): AdmissionVariables {
    const { object, oldObject, ...rest } = admissionRequestOf(request, match, '')
    const namespace = request.namespace === '' ? undefined : this.#store.collection('namespaces').get(`/registry/namespaces/${request.namespace}`)
    return {
      object,
      oldObject,
      request: rest,
      params,
      namespaceObject: namespace?.object ?? null,
      variables: {},
      authorizer: new CelAuthorizer({ authorizer: this.#authorizer, user: request.context.user }),
    }
  }
}
