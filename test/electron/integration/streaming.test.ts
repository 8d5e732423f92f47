import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { hasProgram, runProgram, temporaryDirectory, type CommandResult } from '#test/support/peers.ts'
import { startCluster, type RunningCluster } from '#test/support/runningCluster.ts'

/** Bytes that are no text, more than one message and one window. */
const BINARY = Buffer.from(Array.from({ length: 700_001 }, (_, index) => (index * 131 + (index >> 8)) & 0xff))

const PROTOCOLS = [
  { protocol: 'WebSocket', env: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'true', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'true' } },
  { protocol: 'SPDY/3.1', env: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' } },
]

describe.skipIf(!hasProgram('kubectl'))('real kubectl in simulated containers', { timeout: 60_000 }, () => {
  const dataDir = temporaryDirectory('streaming')
  const work = temporaryDirectory('streaming-files')
  let cluster: RunningCluster

  beforeAll(async () => {
    cluster = await startCluster(dataDir)
    await cluster.kubectl(['run', 'web', '--image=nginx:1.29'])
    await cluster.kubectl(['run', 'ticker', '--image=busybox', '--', 'sh', '-c', 'while true; do echo tick; sleep 0.2; done'])
    await cluster.kubectl(['create', 'clusterrolebinding', 'onlooker', '--clusterrole=view', '--user=onlooker'])
    expect(await cluster.kubectl(['wait', '--for=condition=Ready', 'pod', 'web', 'ticker', '--timeout=20s'])).toMatchObject({ code: 0 })
  }, 60_000)
  afterAll(() => cluster.end())

  describe.each(PROTOCOLS)('over $protocol', ({ protocol, env }) => {
    const kubectl = (args: string[], input?: string): Promise<CommandResult> =>
      runProgram('kubectl', ['--kubeconfig', cluster.kubeconfig, ...args], { env, ...(input === undefined ? {} : { input }) })
    /** In a terminal of 101 columns: `typed` lines are sent one after the other. */
    const inTerminal = async (args: string, typed: string[]): Promise<CommandResult> => {
      const keys = typed.map((line) => `sleep 0.4; printf '${line}'`).join('; ')
      return runProgram(
        'bash',
        [
          '-c',
          `(sleep 1.5; ${keys}; sleep 0.6) | script -qec "stty rows 33 cols 101; kubectl --kubeconfig ${cluster.kubeconfig} ${args}" /dev/null; exit \${PIPESTATUS[1]}`,
        ],
        { env },
      )
    }

    it('keeps stdout, stderr and the exit code apart', async () => {
      expect(await kubectl(['exec', 'web', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3'])).toEqual({
        code: 3,
        stdout: 'out\n',
        stderr: 'err\ncommand terminated with exit code 3\n',
      })
      expect(await kubectl(['exec', 'web', '--', 'hostname'])).toEqual({ code: 0, stdout: 'web\n', stderr: '' })
    })

    it('pipes stdin to its end', async () => {
      expect(await kubectl(['exec', '-i', 'web', '--', 'cat'], 'one\ntwo')).toEqual({ code: 0, stdout: 'one\ntwo', stderr: '' })
      expect(await kubectl(['exec', '-i', 'web', '--', 'sh'], 'for i in 1 2\ndo echo $i\ndone\nexit 4\n')).toMatchObject({ code: 4, stdout: '1\n2\n' })
    })

    it.skipIf(!hasProgram('script'))('gives a terminal with its size, echo, Ctrl-C and the exit code', async () => {
      const { code, stdout } = await inTerminal('exec -it web -- sh', ['stty size\\r', 'sleep 60\\r', '\\003', 'echo code=$?\\r', 'exit 7\\r'])
      expect(stdout).toContain('33 101')
      expect(stdout).toContain('^C')
      expect(stdout).toContain('code=130')
      expect(code).toBe(7)
    })

    it.skipIf(!hasProgram('script'))('runs a pod and attaches to its shell', async () => {
      const name = protocol === 'WebSocket' ? 'shell-websocket' : 'shell-spdy'
      const { code, stdout } = await inTerminal(`run ${name} --rm -it --restart=Never --image=busybox -- sh`, [
        '\\r',
        '\\r',
        '\\r',
        '\\r',
        'echo from-$((1+1))-here\\r',
        'exit 5\\r',
      ])
      expect(stdout).toContain('from-2-here')
      expect(code).toBe(5)
    })

    it('attaches to what runs', async () => {
      const child = spawn('kubectl', ['--kubeconfig', cluster.kubeconfig, 'attach', 'ticker'], {
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
      child.kill()
      expect(line).toBe('tick')
    })

    it('copies files and directories there and back', async () => {
      const [from, back] = [join(work, `from-${env.KUBECTL_REMOTE_COMMAND_WEBSOCKETS}`), join(work, `back-${env.KUBECTL_REMOTE_COMMAND_WEBSOCKETS}`)]
      const long = 'long-'.repeat(25)
      mkdirSync(join(from, 'sub'), { recursive: true })
      writeFileSync(join(from, 'binary'), BINARY)
      writeFileSync(join(from, 'sub', long), 'deep')
      symlinkSync('../binary', join(from, 'sub', 'link'))
      expect(await kubectl(['cp', from, 'web:/tmp/copied'])).toMatchObject({ code: 0 })
      expect(await kubectl(['exec', 'web', '--', 'wc', '-c', '/tmp/copied/sub/link'])).toMatchObject({
        stdout: `${String(BINARY.length)} /tmp/copied/sub/link\n`,
      })
      expect(await kubectl(['cp', 'web:/tmp/copied', back])).toMatchObject({ code: 0 })
      expect(readFileSync(join(back, 'binary')).equals(BINARY)).toBe(true)
      expect(readFileSync(join(back, 'sub', long), 'utf8')).toBe('deep')
      await kubectl(['exec', 'web', '--', 'rm', '-r', '/tmp/copied'])
    })

    it('forwards a port to the server in the container and tells when nobody listens', async () => {
      await kubectl(['exec', '-i', 'web', '--', 'sh', '-c', 'cat > /usr/share/nginx/html/own.html'], `<p>${protocol}</p>`)
      const child = spawn('kubectl', ['--kubeconfig', cluster.kubeconfig, 'port-forward', '--address=127.0.0.1', 'pod/web', ':80', ':81'], {
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let stderr = ''
      child.stderr.on('data', (bytes: Buffer) => {
        stderr += bytes.toString()
      })
      const ports: string[] = []
      for await (const line of createInterface({ input: child.stdout })) {
        ports.push(/127\.0\.0\.1:(\d+) ->/.exec(line)?.[1] ?? '')
        if (ports.length === 2) break
      }
      const [page, other] = await Promise.all(['/own.html', '/missing'].map((path) => fetch(`http://127.0.0.1:${ports[0] ?? ''}${path}`)))
      expect([page?.status, await page?.text(), other?.status]).toEqual([200, `<p>${protocol}</p>`, 404])
      await expect(fetch(`http://127.0.0.1:${ports[1] ?? ''}/`)).rejects.toThrow()
      await expect.poll(() => stderr, { timeout: 5_000 }).toContain('connection refused')
      child.kill()
      expect((await kubectl(['logs', 'web'])).stdout).toContain('"GET /own.html HTTP/1.1" 200')
    })

    it('says what is wrong as the real one does', async () => {
      expect((await kubectl(['exec', 'web', '--', 'no-such-program'])).stderr).toContain('exec: "no-such-program": executable file not found in $PATH')
      expect((await kubectl(['exec', 'web', '-c', 'other', '--', 'ls'])).stderr).toMatch(/container other is not valid for pod web/)
      expect((await kubectl(['exec', 'nobody', '--', 'ls'])).stderr).toContain('pods "nobody" not found')
      await kubectl(['run', 'unpulled', '--image=no-such-image'])
      await kubectl(['wait', '--for=jsonpath={.status.containerStatuses[0].state.waiting.message}', 'pod/unpulled', '--timeout=10s'])
      expect(await kubectl(['logs', 'unpulled'])).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(
          /container "unpulled" in pod "unpulled" is waiting to start: (image can't be pulled|trying and failing to pull image)/,
        ) as string,
      })
      expect((await kubectl(['exec', 'unpulled', '--', 'ls'])).stderr).toContain('container not found ("unpulled")')
      await kubectl(['delete', 'pod', 'unpulled', '--wait=false'])
    })

    it('forbids whom no role lets create pods/exec', async () => {
      expect((await kubectl(['--as=onlooker', 'exec', 'web', '--', 'ls'])).stderr).toContain('cannot create resource "pods/exec"')
    })
  })

  it('proxies HTTP to pods and services', async () => {
    await cluster.kubectl(['run', 'backend', '--image=nginx', '--port=80', '--expose'])
    await cluster.kubectl(['wait', '--for=condition=Ready', 'pod/backend', '--timeout=10s'])
    const get = (path: string): Promise<CommandResult> => cluster.kubectl(['get', '--raw', `/api/v1/namespaces/default/${path}`])
    expect((await get('pods/web:80/proxy/index.html')).stdout).toContain('nginx:1.29')
    expect((await get('pods/web:81/proxy/')).stderr).toContain('connection refused')
    await expect.poll(async () => (await get('services/backend:80/proxy/')).stdout, { timeout: 5_000 }).toContain('pod backend')
    expect((await get('services/kubernetes/proxy/')).stderr).toContain('no endpoints available for service')
  })

  it('connects containers to Services, pods and the API server', async () => {
    const run = async (script: string): Promise<string> => {
      const { stdout, stderr } = await cluster.kubectl(['exec', 'ticker', '--', 'sh', '-c', script])
      return stdout + stderr
    }
    await cluster.kubectl(['create', 'deployment', 'shop', '--image=nginx', '--replicas=2'])
    await cluster.kubectl(['expose', 'deployment', 'shop', '--port=8000', '--target-port=80'])
    await cluster.kubectl(['rollout', 'status', 'deployment/shop', '--timeout=20s'])
    const pods = (await cluster.kubectl(['get', 'pods', '-l', 'app=shop', '-o', 'jsonpath={.items[*].metadata.name}'])).stdout.split(' ').sort()
    await expect
      .poll(() => run('for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do curl -s http://shop.default.svc:8000 | grep -o "pod shop[^,]*"; done | sort -u'), {
        timeout: 10_000,
      })
      .toBe(pods.map((pod) => `pod ${pod}\n`).join(''))
    expect(await run('curl -s -o /dev/null -w "%{http_code}" shop:8000/missing; wget -q -O /dev/null http://nobody')).toContain("404wget: bad address 'nobody'")
    const [address = ''] = (await cluster.kubectl(['get', 'pod', pods[0] ?? '', '-o', 'jsonpath={.status.podIP}'])).stdout.split(' ')
    expect(await run(`nc -zv ${address} 80; nc -z ${address} 81`)).toMatch(/open[^]*Connection refused/)
    expect(await run('curl -sk https://kubernetes/version')).toContain('"gitVersion":"v1.')
    await cluster.kubectl(['scale', 'deployment/shop', '--replicas=0'])
    await expect.poll(() => run('curl -sS shop:8000'), { timeout: 10_000 }).toContain('curl: (7) Failed to connect to shop port 8000: Connection refused')
  })

  it('adds debug containers to a running pod', async () => {
    expect(
      await cluster.kubectl(['debug', 'web', '--image=busybox', '-c', 'debugger', '--profile=general', '--', 'sh', '-c', 'echo looking; sleep 1000']),
    ).toMatchObject({ code: 0 })
    await expect.poll(async () => (await cluster.kubectl(['logs', 'web', '-c', 'debugger'])).stdout, { timeout: 10_000, interval: 200 }).toBe('looking\n')
    expect((await cluster.kubectl(['exec', 'web', '-c', 'debugger', '--', 'hostname'])).stdout).toBe('web\n')
    expect((await cluster.kubectl(['get', 'pod', 'web', '-o', 'jsonpath={.status.phase} {.status.ephemeralContainerStatuses[*].name}'])).stdout).toBe(
      'Running debugger',
    )
  })

  describe('WebSockets of other clients', () => {
    const open = (query: string, protocol: string, token: string): WebSocket =>
      new WebSocket(`${cluster.apiUrl.replace('https', 'wss')}/api/v1/namespaces/default/pods/web/${query}`, [protocol], {
        rejectUnauthorized: false,
        headers: { authorization: `Bearer ${token}` },
      })
    const tokenOf = async (account: string): Promise<string> => {
      await cluster.kubectl(['create', 'serviceaccount', account])
      return (await cluster.kubectl(['create', 'token', account])).stdout.trim()
    }

    it('are served v4.channel.k8s.io with a Status at the end', async () => {
      const token = await tokenOf('operator')
      await cluster.kubectl(['create', 'clusterrolebinding', 'operator', '--clusterrole=cluster-admin', '--serviceaccount=default:operator'])
      const socket = open('exec?stdout=true&command=sh&command=-c&command=echo+hi%3B+exit+9', 'v4.channel.k8s.io', token)
      const messages: Buffer[] = []
      socket.on('message', (data: Buffer) => messages.push(data))
      await once(socket, 'close')
      const channel = (number: number): string =>
        Buffer.concat(messages.filter((message) => message[0] === number).map((message) => message.subarray(1))).toString()
      expect(channel(1)).toBe('hi\n')
      expect(JSON.parse(channel(3))).toMatchObject({
        status: 'Failure',
        reason: 'NonZeroExitCode',
        details: { causes: [{ reason: 'ExitCode', message: '9' }] },
      })
    })

    it('need the verb create, too: get alone must not run commands', async () => {
      const token = await tokenOf('reader')
      await cluster.kubectl(['create', 'role', 'reader', '--verb=get', '--resource=pods,pods/exec'])
      await cluster.kubectl(['create', 'rolebinding', 'reader', '--role=reader', '--serviceaccount=default:reader'])
      const socket = open('exec?stdout=true&command=ls', 'v5.channel.k8s.io', token)
      const [error] = (await once(socket, 'error')) as [Error]
      expect(error.message).toBe('Unexpected server response: 403')
    })
  })
})
