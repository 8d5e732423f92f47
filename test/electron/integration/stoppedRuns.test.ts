import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ssh2 from 'ssh2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { outcomeOf, type ClusterOutcome } from '#test/support/killing/clusterOutcome.ts'
import { Drydock } from '#test/support/killing/killedCommand.ts'
import { hasProgram, temporaryDirectory } from '#test/support/peers.ts'
import { startCluster, type RunningCluster } from '#test/support/runningCluster.ts'
import { canHaveSudoUser, makeSudoUser } from '#test/support/sudoUser.ts'

const NODES = ['controlplane', 'node01']

/** Each run has to stop at the step that cannot go on, say what happened, and leave what comes after it alone. */
describe.skipIf(!hasProgram('kubectl'))('a run that cannot go on', () => {
  const directory = temporaryDirectory('stopped-runs')
  const place = temporaryDirectory('stopped-runs-sudo')
  const dataDir = join(directory, 'cluster')
  const file = (path: string): string => join(dataDir, 'nodes/controlplane', path)
  let cluster: RunningCluster

  beforeAll(async () => {
    cluster = await startCluster(dataDir, ['--nodes', String(NODES.length), '--kubernetes-version', 'v1.35.8'])
    await expectReady()
  }, 90_000)
  afterAll(async () => {
    await cluster.end()
  })
  async function expectReady(): Promise<void> {
    for (const [condition, ...of] of [
      ['Ready', 'nodes', '--all'],
      ['Available', 'deployments', '--all', '--all-namespaces'],
    ]) {
      const { code, stderr } = await cluster.kubectl(['wait', `--for=condition=${condition ?? ''}`, ...of, '--timeout=60s'], { timeoutMs: 70_000 })
      if (code !== 0) throw new Error(stderr)
    }
  }
  const drydock = (name: string, hostKey?: string): Drydock =>
    new Drydock(cluster, join(directory, name), { nodes: NODES, ...(hostKey === undefined ? {} : { hostKey }) })
  const outcome = (): Promise<ClusterOutcome> => outcomeOf(cluster, { dataDir, nodes: NODES })

  it('refuses a node whose host key is another one than the known one, before anything is run there', { timeout: 60_000 }, async () => {
    const before = await outcome()
    const other = ssh2.utils.generateKeyPairSync('ed25519').public.split(' ').slice(0, 2).join(' ')
    const { code, stdout, stderr } = await drydock('stranger', other).run(['upgrade', 'apply', '--to', 'v1.36.4', '--yes'])
    expect(code).toBe(3)
    expect(stdout).toContain('BLOCKING: node controlplane is not reached by SSH')
    expect(stdout).toContain('the host key is not the one that is known for it')
    expect(stderr).toContain('nothing was changed')
    expect(await outcome()).toEqual(before)
  })

  it.skipIf(!canHaveSudoUser)('takes the password that sudo asks for on a node from standard input', { timeout: 90_000 }, async () => {
    const user = await makeSudoUser(place)
    try {
      user.allow('ALL')
      const sshKey = join(place, 'id')
      writeFileSync(sshKey, user.privateKey, { mode: 0o600 })
      const own = new Drydock({ ...cluster, sshKey }, place, { nodes: NODES, sshPort: user.port, hostKey: user.hostKey, user: user.name })
      const plan = (input: string): ReturnType<Drydock['run']> => own.run(['upgrade', 'plan', '--to', 'v1.36.4', '--ask-sudo-password'], { input })
      const logged = (): string => (existsSync(user.sudoLog) ? readFileSync(user.sudoLog, 'utf8') : '')

      expect(await plan('')).toMatchObject({ code: 1, stderr: 'drydock: nothing was changed: no password was given\n' })
      const wrong = await plan('wrong\n')
      expect(wrong.code, wrong.stderr).toBe(3)
      expect(wrong.stdout).toContain('BLOCKING: nothing can be run on node controlplane')
      expect(wrong.stdout).toContain(`sudo does not take the password that was given for ${user.name}. Nothing was run there`)
      expect(logged()).toContain('incorrect password attempt')
      // What sudo lets pass has nothing before its folder.
      expect(logged()).not.toMatch(/ : PWD=/)

      const right = await plan(`${user.password}\nnot this\n`)
      expect(right.stdout).toContain('COMPONENT')
      expect(right.stdout).not.toContain('nothing can be run on node')
      expect(logged()).toMatch(/ : PWD=.* ; USER=root ; COMMAND=\S*sh -c '?df -Pk/)
      for (const text of [right.stdout, right.stderr, logged()]) expect(text).not.toContain(user.password)
    } finally {
      user.remove()
    }
  })

  it('stops where a package is not found, with apt’s own words, the control plane untouched', { timeout: 120_000 }, async () => {
    const before = await outcome()
    const own = drydock('package')
    const { code, stdout } = await own.run(['upgrade', 'apply', '--to', 'v1.36.99', '--yes'])
    expect(code, stdout).toBe(3)
    expect(stdout).toContain("E: Version '1.36.99-*' for 'kubeadm' was not found")
    const [run] = await own.runs()
    expect(run?.steps.map(({ state }) => state).slice(0, 4)).toEqual(['done', 'done', 'failed', 'pending'])
    expect(run?.steps.find(({ state }) => state === 'failed')?.error).toContain('ended with exit code 100')
    const { controlPlane, nodes } = await outcome()
    expect({ controlPlane, nodes }).toEqual({ controlPlane: before.controlPlane, nodes: before.nodes })
    const aborted = await own.run(['runbook', 'abort', run?.id ?? ''])
    expect(aborted.code, aborted.stderr).toBe(1)
    expect((await own.runs())[0]?.state).toBe('aborted')
  })

  it('refuses to renew what it has no authority for, and goes on once the key is there, each command run once', { timeout: 180_000 }, async () => {
    const own = drydock('again')
    // kubeadm cannot renew what it has no authority for.
    renameSync(file('etc/kubernetes/pki/ca.key'), file('ca.key.away'))
    const refused = await own.run(['certs', 'renew', '--yes'])
    expect(refused.code, refused.stdout).toBe(3)
    expect(refused.stdout).toContain('the key of an authority is not on the node')
    renameSync(file('ca.key.away'), file('etc/kubernetes/pki/ca.key'))
    const [run] = await own.runs()
    const resumed = await own.run(['runbook', 'resume', run?.id ?? ''])
    expect(resumed.code, resumed.stdout + resumed.stderr).toBe(0)
    expect(existsSync(file(`etc/kubernetes/drydock-before-${run?.id ?? ''}/pki/ca.key`))).toBe(true)
    const renewals = readFileSync(file('var/log/commands.log'), 'utf8')
      .split('\n')
      .filter((line) => line.endsWith('kubeadm certs renew all'))
    expect(renewals).toHaveLength(1)
  })

  it('drains nothing before the operator has decided, and leaves a pod there for a written reason', { timeout: 120_000 }, async () => {
    const yaml = `apiVersion: v1
kind: Pod
metadata: {name: alone, namespace: default, labels: {app: alone}}
spec: {nodeName: node01, containers: [{name: main, image: nginx}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: alone, namespace: default}
spec: {minAvailable: 1, selector: {matchLabels: {app: alone}}}
`
    expect((await cluster.kubectl(['apply', '-f', '-'], { input: yaml })).code).toBe(0)
    expect((await cluster.kubectl(['wait', '--for=condition=Ready', 'pod/alone', '--timeout=60s'], { timeoutMs: 70_000 })).code).toBe(0)
    const own = drydock('blocked')
    const undecided = await own.run(['drain', 'apply', 'node01', '--yes'])
    expect(undecided.code).toBe(3)
    expect(undecided.stderr).toContain('nothing was changed: decide on default/alone')
    expect(await own.runs()).toEqual([])
    const plan = await own.run(['drain', 'plan', 'node01', '--override', 'default/alone=evict:only a trial'])
    expect(plan.code).toBe(3)
    expect(plan.stdout).toMatch(/default\/alone\s+blocked\s+-\s+The disruption budget alone needs 1 healthy pods and has 1 currently\. It wants all 1 of them/)
    const left = await own.run(['drain', 'apply', 'node01', '--yes', '--override', 'default/alone=leave:it ends tonight'])
    expect(left.code, left.stdout + left.stderr).toBe(0)
    expect((await cluster.kubectl(['get', 'pod', 'alone', '-o', 'jsonpath={.status.phase}'])).stdout).toBe('Running')
  })
})
