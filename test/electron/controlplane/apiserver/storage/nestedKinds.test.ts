import { describe, expect, it } from 'vitest'
import { decodeObject, encodeProtobuf } from '#shared/kubernetes/codec/codec.ts'
import { withNestedKinds } from '#electron/controlplane/apiserver/storage/nestedKinds.ts'

describe('withNestedKinds', () => {
  it('gives claim templates the kind that their encoding has no place for', () => {
    const claim = { kind: 'PersistentVolumeClaim', apiVersion: 'v1', metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'] } }
    const set = { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'db' }, spec: { serviceName: 'db', volumeClaimTemplates: [claim] } }
    const read = decodeObject(encodeProtobuf(set)).object
    expect(read['spec']).not.toMatchObject({ volumeClaimTemplates: [{ kind: 'PersistentVolumeClaim' }] })
    expect(withNestedKinds(read)['spec']).toMatchObject({ volumeClaimTemplates: [claim] })
  })
})
