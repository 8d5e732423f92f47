/** A pod as a deployment's with two containers looks on a real cluster: some 4.8 kB with what the server adds. `{i}` is its number. */
export function realisticPod(): object {
  const container = (name: string, image: string, port: number): object => ({
    name,
    image,
    imagePullPolicy: 'IfNotPresent',
    args: ['--config=/etc/shop/config.yaml', `--listen=:${String(port)}`, '--log-level=info'],
    ports: [{ name: 'http', containerPort: port, protocol: 'TCP' }],
    env: [
      { name: 'POD_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
      { name: 'POD_NAMESPACE', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } } },
      { name: 'DATABASE_PASSWORD', valueFrom: { secretKeyRef: { name: 'shop-database', key: 'password' } } },
    ],
    resources: { limits: { cpu: '500m', memory: '512Mi' }, requests: { cpu: '100m', memory: '128Mi' } },
    livenessProbe: {
      httpGet: { path: '/healthz', port: 'http', scheme: 'HTTP' },
      initialDelaySeconds: 10,
      timeoutSeconds: 1,
      periodSeconds: 10,
      successThreshold: 1,
      failureThreshold: 3,
    },
    volumeMounts: [
      { name: 'config', mountPath: '/etc/shop', readOnly: true },
      { name: 'cache', mountPath: '/var/cache/shop' },
    ],
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    securityContext: { allowPrivilegeEscalation: false, runAsNonRoot: true, runAsUser: 65532, capabilities: { drop: ['ALL'] } },
  })
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'shop-frontend-7d9c5b8f64-{i}',
      namespace: 'default',
      labels: { app: 'shop', 'app.kubernetes.io/name': 'frontend', 'app.kubernetes.io/version': '4.12.1', 'pod-template-hash': '7d9c5b8f64' },
      annotations: {
        'prometheus.io/scrape': 'true',
        'prometheus.io/port': '8080',
        'checksum/config': '5f1c0f6d3a8e5b7c9d2f4e6a8b0c1d3e5f7a9b2c4d6e8f0a1b3c5d7e9f2a4b6c',
      },
    },
    spec: {
      // No scheduler and no kubelet looks at it: a node that is not there, as on a cluster that is only read.
      nodeName: 'worker-a',
      serviceAccountName: 'default',
      automountServiceAccountToken: false,
      schedulerName: 'default-scheduler',
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      containers: [container('frontend', 'registry.example/shop/frontend:4.12.1', 8080), container('proxy', 'registry.example/mesh/proxy:1.19.3', 15001)],
      volumes: [
        { name: 'config', configMap: { name: 'shop-frontend', defaultMode: 420 } },
        { name: 'cache', emptyDir: {} },
      ],
      tolerations: [
        { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
        { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
      ],
    },
  }
}
