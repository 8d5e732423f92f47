import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Drydock } from '#test/support/killing/killedCommand.ts'
import { temporaryDirectory } from '#test/support/peers.ts'
import { startCluster, type RunningCluster } from '#test/support/runningCluster.ts'

/** The serial number a TLS server shows to who connects now. */
function servedSerial(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().serialNumber)
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

describe('renewing the certificates of a cluster by its runbook', () => {
  const directory = temporaryDirectory('renewal')
  let cluster: RunningCluster

  beforeAll(async () => {
    cluster = await startCluster(join(directory, 'cluster'), ['--nodes', '1'])
  }, 60_000)
  afterAll(async () => {
    await cluster.end()
  })

  it('changes the files, restarts what uses them in order, and ends once the new ones are served', { timeout: 240_000 }, async () => {
    const drydock = new Drydock(cluster, join(directory, 'drydock'), { nodes: ['controlplane'] })
    const serialOf = (file: string): string => new X509Certificate(readFileSync(join(cluster.pki, file))).serialNumber
    const before = { api: serialOf('apiserver.crt'), etcd: serialOf('etcd/server.crt'), ca: serialOf('ca.crt') }
    expect(await servedSerial(cluster.apiUrl)).toBe(before.api)
    const checked = await drydock.run(['certs', 'check'])
    expect(checked.code, checked.stderr).toBe(0)
    expect(checked.stdout).toContain(`kube-apiserver serves ${before.api}, as in /etc/kubernetes/pki/apiserver.crt`)

    const { code, stdout, stderr } = await drydock.run(['certs', 'renew', '--yes'])
    expect(code, stdout + stderr).toBe(0)
    expect(stdout).toContain('copies of admin.conf elsewhere, such as ~/.kube/config, have the certificate of before until its end')
    expect(serialOf('apiserver.crt')).not.toBe(before.api)
    expect(serialOf('ca.crt')).toBe(before.ca)
    expect(await servedSerial(cluster.apiUrl)).toBe(serialOf('apiserver.crt'))
    expect(await servedSerial(cluster.etcd)).toBe(serialOf('etcd/server.crt'))
    const [run] = await drydock.runs()
    expect(run?.steps.map(({ id }) => id)).toEqual([
      'preflight',
      ...['keep', 'renew', 'etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'proof'].map((step) => `controlplane/${step}`),
    ])
    expect((await cluster.kubectl(['get', 'nodes'])).stdout).toContain('controlplane')
  })
})
