import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ContainerProcess } from '#electron/controlplane/kubelet/containerProcess.ts'
import { durationMs, parseFlags } from '#electron/controlplane/kubelet/images/agnhost/flags.ts'
import { FakeClock } from '#shared/base/clock.ts'
import { SeededRandom } from '#shared/base/random.ts'
import { temporaryDirectory } from '#test/support/peers.ts'

const root = temporaryDirectory('agnhost')
let count = 0

function started(args: string[], files: Record<string, string> = {}): { process: ContainerProcess; clock: FakeClock; rootDir: string } {
  const rootDir = join(root, String(count++))
  mkdirSync(join(rootDir, 'data'), { recursive: true })
  for (const [path, text] of Object.entries(files)) writeFileSync(join(rootDir, path), text)
  const clock = new FakeClock()
  const process = new ContainerProcess({
    container: { name: 'main', image: 'k8s.gcr.io/e2e-test-images/agnhost:2.21', args },
    runsToCompletion: false,
    rootDir,
    logFile: null,
    network: null,
    hostname: 'pod-1',
    node: 'node01',
    hostIP: '10.0.0.1',
    podIP: '10.244.1.2',
    clock,
    random: new SeededRandom(1),
    startedAtMs: null,
  })
  return { process, clock, rootDir }
}

function get(process: ContainerProcess, port: number, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const connection = process.connect(port, '10.244.2.9')
    if (connection === null) {
      reject(new Error('connection refused'))
      return
    }
    const asked = request({ createConnection: () => connection, path, headers: { host: 'pod-1' } }, (response) => {
      let body = ''
      response.on('data', (part: Buffer) => (body += part.toString()))
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body })
      })
    })
    asked.on('error', reject)
    asked.end()
  })
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('agnhost', () => {
  it('tells files, permissions and content as mounttest', async () => {
    const { process, rootDir } = started(['mounttest', '--file_content=/data/a', '--file_perm=/data/a', '--new_file_0666=/data/new', '--file_mode', '/data'], {
      'data/a': 'hello',
    })
    expect((await process.exited).exitCode).toBe(0)
    const log = process.log.tail(20)
    expect(log).toContain('content of file "/data/a": hello')
    expect(log).toContain('perms of file "/data/a": -rw-r--r--')
    expect(log).toContain('content of file "/data/new": mount-tester new file')
    expect(log).toContain('mode of file "/data": drwxr-xr-x')
    expect(statSync(join(rootDir, 'data/new')).mode & 0o777).toBe(0o666)
  })

  it('fails as mounttest for a file that is not there', async () => {
    const { process } = started(['mounttest', '--file_content=/data/none'])
    expect((await process.exited).exitCode).toBe(1)
    expect(process.log.tail(1)).toBe('error reading file content for "/data/none": open /data/none: no such file or directory')
  })

  it('answers as netexec over HTTP and UDP', async () => {
    const { process } = started(['netexec', '--http-port=8083', '--udp-port', '8084'])
    await turn()
    expect(await get(process, 8083, '/hostname')).toEqual({ status: 200, body: 'pod-1' })
    expect(await get(process, 8083, '/echo?msg=a+b&code=418')).toEqual({ status: 418, body: 'a b' })
    expect((await get(process, 8083, '/clientip')).body).toMatch(/^10\.244\.2\.9:\d+$/)
    expect(JSON.parse((await get(process, 8083, '/shell?cmd=echo%20x%3B%20exit%203')).body)).toEqual({ error: 'exit status 3', output: 'x\n' })
    expect(await get(process, 8083, '/dial?host=x&port=1')).toMatchObject({ status: 400 })
    expect(process.exchange(8084, Buffer.from('hostname'), '10.244.2.9')?.toString()).toBe('pod-1')
    expect(process.exchange(8084, Buffer.from('nothing'), '10.244.2.9')).toBeNull()
    expect(process.exchange(1, Buffer.from('hostname'), '10.244.2.9')).toBeUndefined()
    await expect(get(process, 8080, '/')).rejects.toThrow('connection refused')
    await expect(get(process, 8083, '/exit?code=7')).rejects.toThrow()
    expect((await process.exited).exitCode).toBe(7)
  })

  it('is well for ten seconds as liveness', async () => {
    const { process, clock } = started(['liveness'])
    await turn()
    expect(await get(process, 8080, '/healthz')).toEqual({ status: 200, body: 'ok' })
    await clock.advance(10_001)
    expect((await get(process, 8080, '/healthz')).status).toBe(500)
  })

  it("serves the container's files as test-webserver, and nothing outside", async () => {
    const { process } = started(['test-webserver'], { 'data/a': 'hello' })
    await turn()
    expect((await get(process, 80, '/data/a')).body).toBe('hello')
    expect((await get(process, 80, '/data/none')).status).toBe(404)
    expect((await get(process, 80, '/data/..%2F..%2F..%2Fetc%2Fpasswd')).status).toBe(404)
  })

  it('prints its arguments as entrypoint-tester and refuses unknown commands', async () => {
    const tester = started(['entrypoint-tester', 'a', 'b']).process
    await tester.exited
    expect(tester.log.tail(1)).toBe('[/agnhost entrypoint-tester a b]')
    expect((await started(['nothing']).process.exited).exitCode).toBe(1)
  })
})

describe('flags', () => {
  it('come with = or as the next word', () => {
    const { flags, rest } = parseFlags(['--a=1', '-b', '2', 'x', '--tcp', 'y'], ['tcp'])
    expect([Object.fromEntries(flags), rest]).toEqual([{ a: '1', b: '2', tcp: 'true' }, ['x', 'y']])
  })

  it.each([
    ['1m30s', 90_000],
    ['250ms', 250],
    ['0', 0],
    ['x', null],
    ['5', null],
  ])('duration %s is %s ms', (text, expected) => {
    expect(durationMs(text)).toBe(expected)
  })
})
