import type { Transport } from '#shared/kubernetes/transport.ts'
import { MINIMAL_OBJECTS } from '#test/support/minimalObjects.ts'

/** Versions that a server of 1.20 serves in place of those that came later. */
const OLDER: readonly [RegExp, string][] = [
  [/\/policy\/v1\//, '/policy/v1beta1/'],
  [/\/autoscaling\/v2\//, '/autoscaling/v2beta2/'],
  [/\/discovery\.k8s\.io\/v1\//, '/discovery.k8s.io/v1beta1/'],
  [/\/batch\/v1\/(namespaces\/default\/cronjobs)/, '/batch/v1beta1/$1'],
]

/** What `MINIMAL_OBJECTS` has not: kinds with rules of their own, objects with much in them, and a custom resource's definition. */
export const MORE_OBJECTS = `apiVersion: v1
kind: Namespace
metadata: {name: team, labels: {purpose: proof}}
---
apiVersion: v1
kind: Pod
metadata: {name: full, namespace: team, annotations: {note: "ünïcode ☂"}}
spec:
  nodeName: nowhere
  tolerations: [{operator: Exists}]
  volumes: [{name: v, projected: {sources: [{configMap: {name: c}}, {downwardAPI: {items: [{path: l, fieldRef: {fieldPath: metadata.labels}}]}}]}}]
  initContainers: [{name: i, image: busybox, command: [sh, -c, 'true']}]
  containers:
    - name: c
      image: nginx
      ports: [{containerPort: 80, protocol: TCP}]
      resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {cpu: '1', memory: 1Gi}}
      livenessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 7}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: disk}
spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /mnt}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: claim, namespace: team}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: team}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: team}
spec: {replicas: 2, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: nginx}]}}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: none}
webhooks:
  - name: none.example.org
    clientConfig: {url: 'https://127.0.0.1:1/'}
    rules: [{apiGroups: [none.example.org], apiVersions: [v1], operations: [CREATE], resources: [nones]}]
    sideEffects: None
    admissionReviewVersions: [v1]
---
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata: {name: disk.example.org}
spec: {attachRequired: false}
---
apiVersion: storage.k8s.io/v1
kind: VolumeAttachment
metadata: {name: attached}
spec: {attacher: disk.example.org, nodeName: nowhere, source: {persistentVolumeName: disk}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, listKind: WidgetList}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, x-kubernetes-preserve-unknown-fields: true}}}}
`

export const CUSTOM_OBJECT = `apiVersion: example.org/v1
kind: Widget
metadata: {name: first, namespace: team}
spec: {size: 3, nested: {list: [1, 2.5, true, null, "text"]}}
`

/** Makes each minimal object that the server serves in this or an older version. @returns paths it refused, with why */
export async function makeMinimalObjects(transport: Transport, signal: AbortSignal): Promise<string[]> {
  const refused: string[] = []
  for (const { path, object } of MINIMAL_OBJECTS) {
    const old = OLDER.find(([newer]) => newer.test(path))
    const usedPath = old === undefined ? path : path.replace(old[0], old[1])
    const apiVersion = /^\/(?:apis\/([^/]+)|api)\/([^/]+)/.exec(usedPath)
    const body = {
      ...object,
      ...(apiVersion === null ? {} : { apiVersion: [apiVersion[1], apiVersion[2]].filter(Boolean).join('/') }),
      metadata: { ...(object['metadata'] as object | undefined), name: 'minimal' },
    }
    const { status, body: answer } = await transport.request({
      method: 'POST',
      path: usedPath,
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify(body),
      signal,
    })
    if (status !== 201) refused.push(`${usedPath}: ${String(status)} ${Buffer.from(answer).toString().slice(0, 300)}`)
  }
  return refused
}
