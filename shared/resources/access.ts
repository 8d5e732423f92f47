import type { KubeObject } from '#shared/kubernetes/object.ts'
import { number, text, type ResourceColumns } from './columns.ts'
import { common, namespaced } from './commonColumns.ts'
import { at, listAt, numberAt, textAt } from './fields.ts'

// roles, clusterroles: rules (count) aggregated (0 or 1). rolebindings, clusterrolebindings: role (`ClusterRole/admin`), subjects
// (`User/jane, ServiceAccount/ns/name`), subjectCount. certificatesigningrequests: signerName requestor usages condition
// (Pending, Approved, `Approved,Issued`, Denied, Failed) expirationSeconds.

/** kubectl's CONDITION of a CSR. */
export function csrCondition(csr: KubeObject): string {
  const conditions = listAt(csr, 'status', 'conditions').map((each) => textAt(each, 'type'))
  const words = conditions.includes('Denied') ? ['Denied'] : conditions.includes('Approved') ? ['Approved'] : conditions.includes('Failed') ? [] : ['Pending']
  if (conditions.includes('Failed')) words.push('Failed')
  if (textAt(csr, 'status', 'certificate') !== '') words.push('Issued')
  return words.join(',')
}

function subjectText(subject: unknown): string {
  const namespace = textAt(subject, 'namespace')
  return [textAt(subject, 'kind'), ...(namespace === '' ? [] : [namespace]), textAt(subject, 'name')].join('/')
}

const roleColumns = {
  rules: number((object) => listAt(object, 'rules').length),
  aggregated: number((object) => (at(object, 'aggregationRule') === undefined ? 0 : 1)),
}
const bindingColumns = {
  role: text((object) => `${textAt(object, 'roleRef', 'kind')}/${textAt(object, 'roleRef', 'name')}`),
  subjects: text((object) => listAt(object, 'subjects').map(subjectText).join(', ')),
  subjectCount: number((object) => listAt(object, 'subjects').length),
}
const rbac = { group: 'rbac.authorization.k8s.io', version: 'v1' }

export const access: ResourceColumns[] = [
  { ...rbac, resource: 'roles', kind: 'Role', namespaced: true, columns: { ...common, ...namespaced, ...roleColumns } },
  { ...rbac, resource: 'clusterroles', kind: 'ClusterRole', namespaced: false, columns: { ...common, ...roleColumns } },
  { ...rbac, resource: 'rolebindings', kind: 'RoleBinding', namespaced: true, columns: { ...common, ...namespaced, ...bindingColumns } },
  { ...rbac, resource: 'clusterrolebindings', kind: 'ClusterRoleBinding', namespaced: false, columns: { ...common, ...bindingColumns } },
  {
    resource: 'certificatesigningrequests',
    group: 'certificates.k8s.io',
    version: 'v1',
    kind: 'CertificateSigningRequest',
    namespaced: false,
    columns: {
      ...common,
      signerName: text((object) => textAt(object, 'spec', 'signerName')),
      requestor: text((object) => textAt(object, 'spec', 'username')),
      usages: text((object) => listAt(object, 'spec', 'usages').map(String).join(',')),
      condition: text(csrCondition),
      expirationSeconds: number((object) => numberAt(object, 'spec', 'expirationSeconds')),
    },
  },
]
