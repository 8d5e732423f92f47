import { metadataErrors, metadataUpdateErrors } from './metadata.ts'
import type { Rules } from './kindRules.ts'
import { subdomainName } from './names.ts'

const SCOPE = { namespaced: true, name: subdomainName }

export const serviceAccountRules: Rules = {
  create: (account) => metadataErrors(account, SCOPE),
  *update(after, before) {
    yield* metadataUpdateErrors(after, before)
    yield* metadataErrors(after, SCOPE)
  },
}
