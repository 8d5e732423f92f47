import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ContainerProcess } from '#electron/controlplane/kubelet/containerProcess.ts'
import { createAuthority } from '#electron/pki/certificate.ts'
import { runProbe, type ProbeResult } from '#electron/controlplane/kubelet/probe.ts'
import type { Container, Probe } from '#electron/controlplane/kubelet/types.ts'
import { FakeClock } from '#shared/base/clock.ts'
import { SeededRandom } from '#shared/base/random.ts'
import { temporaryDirectory } from '#test/support/peers.ts'

const root = temporaryDirectory('probe')
const signal = new AbortController().signal

function started(
  container: Partial<Container> & { image: string },
  files: Record<string, string> = {},
): { probe: (probe: Probe) => Promise<ProbeResult>; clock: FakeClock; rootDir: string } {
  const clock = new FakeClock()
  const whole: Container = { name: 'main', ...container }
  const rootDir = join(root, whole.image)
  mkdirSync(rootDir, { recursive: true })
  for (const [name, text] of Object.entries(files)) writeFileSync(join(rootDir, name), text)
  const process = new ContainerProcess({
    container: whole,
    runsToCompletion: false,
    rootDir,
    logFile: null,
    network: null,
    hostname: 'pod',
    node: 'node01',
    hostIP: '10.0.0.1',
    podIP: '10.244.1.2',
    clock,
    random: new SeededRandom(1),
    startedAtMs: null,
  })
  return { clock, rootDir, probe: (probe) => runProbe(probe, { container: whole, process, podIP: '10.244.1.2', clock, signal }) }
}

describe('runProbe', () => {
  it('asks the HTTP server of the container and judges its status', async () => {
    const { probe, rootDir } = started({ image: 'nginx', ports: [{ name: 'web', containerPort: 80 }] })
    expect(await probe({ httpGet: { path: '/', port: 'web' } })).toEqual({ ok: true, message: '' })
    expect(await probe({ httpGet: { path: '/healthz', port: 80 } })).toEqual({ ok: false, message: 'HTTP probe failed with statuscode: 404' })
    writeFileSync(join(rootDir, 'usr/share/nginx/html/healthz'), 'ok')
    expect(await probe({ httpGet: { path: 'healthz', port: '80' } })).toEqual({ ok: true, message: '' })
  })

  it('speaks TLS where it should, and fails where the server closes on it', async () => {
    const { certificate, key } = createAuthority({ commonName: 'web', notBeforeMs: 0, notAfterMs: 4e12 }, 'ECDSA-P256')
    const args = ['webhook', '--tls-cert-file=/tls.crt', '--tls-private-key-file=/tls.key', '--port=8444']
    const { probe } = started(
      { image: 'k8s.gcr.io/e2e-test-images/agnhost:2.21', args, ports: [{ containerPort: 8444 }] },
      { 'tls.crt': certificate, 'tls.key': key },
    )
    expect(await probe({ httpGet: { scheme: 'HTTPS', path: '/readyz', port: 8444 } })).toEqual({ ok: true, message: '' })
    expect(await probe({ httpGet: { path: '/readyz', port: 8444 } })).toEqual({ ok: false, message: 'Get "http://10.244.1.2:8444/readyz": EOF' })
  })

  it('fails where nobody listens', async () => {
    const { probe } = started({ image: 'httpd' })
    expect(await probe({ tcpSocket: { port: 80 } })).toEqual({ ok: true, message: '' })
    expect(await probe({ tcpSocket: { port: 81 } })).toEqual({ ok: false, message: 'dial tcp 10.244.1.2:81: connect: connection refused' })
    expect(await probe({ httpGet: { path: '/x', port: 81 } })).toEqual({
      ok: false,
      message: 'Get "http://10.244.1.2:81/x": dial tcp 10.244.1.2:81: connect: connection refused',
    })
    expect(await probe({ httpGet: { port: 'unnamed' } })).toMatchObject({ ok: false })
    expect((await started({ image: 'busybox', command: ['sleep', '1000'] }).probe({ tcpSocket: { port: 80 } })).ok).toBe(false)
  })

  it('takes a server for well of which nothing is known', async () => {
    expect(await started({ image: 'redis' }).probe({ tcpSocket: { port: 6379 } })).toEqual({ ok: true, message: '' })
    expect(await started({ image: 'example.com/app' }).probe({ httpGet: { path: '/ready', port: 3000 } })).toEqual({ ok: true, message: '' })
  })

  it('runs commands and gives up on slow ones', async () => {
    const { probe, clock } = started({ image: 'busybox', command: ['sleep', '1000'] })
    expect(await probe({ exec: { command: ['sh', '-c', 'echo no; exit 1'] } })).toEqual({ ok: false, message: 'no' })
    const slow = probe({ exec: { command: ['sleep', '5'] }, timeoutSeconds: 2 })
    await clock.advance(2000)
    expect(await slow).toEqual({ ok: false, message: 'command timed out: "sleep 5" timed out after 2s' })
  })
})
