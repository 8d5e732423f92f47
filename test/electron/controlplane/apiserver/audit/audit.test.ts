import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FakeClock } from '#shared/base/clock.ts'
import { AuditLogFile } from '#electron/controlplane/apiserver/audit/auditLogFile.ts'
import { AuditPolicy } from '#electron/controlplane/apiserver/audit/auditPolicy.ts'
import { temporaryDirectory } from '#test/support/peers.ts'
import { startTestApiServer } from '#test/support/testApiServer.ts'

const POLICY = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: [nobody]
- level: RequestResponse
  resources: [{group: "", resources: [configmaps]}]
  omitManagedFields: true
- level: Request
  resources: [{group: "", resources: ["pods/*", secrets]}]
  verbs: [create]
- level: Metadata
  nonResourceURLs: ["/healthz*"]
`

interface AuditEvent {
  level: string
  stage: string
  verb: string
  requestURI: string
  objectRef?: object
  impersonatedUser?: { username: string }
  responseStatus?: { code: number; reason?: string }
  requestObject?: { metadata: { name: string } }
  responseObject?: { metadata: object }
  annotations?: Record<string, string>
}

describe('the audit log', { timeout: 30_000 }, () => {
  const directory = temporaryDirectory('audit')

  it('writes each request as the first rule that fits wants it', async () => {
    const logPath = join(directory, 'audit.log')
    const audit = { policy: { path: 'policy.yaml', text: POLICY }, logPath, maxSizeMb: 100, maxBackups: 0, maxAgeDays: 0 }
    const server = await startTestApiServer('audit', { settings: { audit } })
    const { connection } = server
    const made = await connection.call({ path: '/api/v1/namespaces/default/configmaps', body: { metadata: { name: 'a' } } })
    await connection.call({ path: '/api/v1/namespaces/default/secrets', body: { metadata: { name: 's' } }, headers: { 'impersonate-user': 'anna' } })
    await connection.call({ path: '/healthz?verbose' })
    await connection.call({ path: '/version' })
    await connection.call({ path: '/healthz', headers: { 'impersonate-user': 'x' } })
    await server.close()
    const events = readFileSync(logPath, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as AuditEvent & { auditID: string })
      .filter(({ requestURI }) => !requestURI.includes('/bootstrap'))
    expect(events.map(({ level, stage, verb, requestURI }) => [level, stage, verb, requestURI])).toEqual([
      ['RequestResponse', 'ResponseComplete', 'create', '/api/v1/namespaces/default/configmaps'],
      ['Request', 'ResponseComplete', 'create', '/api/v1/namespaces/default/secrets'],
      ['Metadata', 'ResponseComplete', 'get', '/healthz?verbose'],
      ['Metadata', 'ResponseComplete', 'get', '/healthz'],
    ])
    const [full, refused, health] = events
    expect(full).toMatchObject({
      auditID: made.headers['audit-id'],
      objectRef: { resource: 'configmaps', namespace: 'default', name: 'a', apiVersion: 'v1' },
      sourceIPs: ['127.0.0.1'],
      user: { username: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] },
      responseStatus: { metadata: {}, code: 201 },
      annotations: { 'authorization.k8s.io/decision': 'allow', 'authorization.k8s.io/reason': '' },
    })
    expect(full?.responseObject?.metadata).not.toHaveProperty('managedFields')
    expect(refused).toMatchObject({
      impersonatedUser: { username: 'anna' },
      requestObject: { metadata: { name: 's' } },
      responseStatus: { code: 403, reason: 'Forbidden', status: 'Failure' },
      annotations: { 'authorization.k8s.io/decision': 'forbid' },
    })
    expect(refused).not.toHaveProperty('responseObject')
    expect(health).not.toHaveProperty('objectRef')
  })

  it('puts full files aside, and keeps as many and as old ones as it was told', async () => {
    const clock = new FakeClock(Date.parse('2026-03-01T10:00:00Z'))
    const log = new AuditLogFile({ path: join(directory, 'small.log'), maxSizeMb: 1, maxBackups: 2, maxAgeDays: 1, nowMs: () => clock.now() })
    const backups = (): string[] => readdirSync(directory).filter((name) => /^small-.*\.log$/.test(name))
    const line = 'x'.repeat(600 * 1024)
    for (let written = 0; written < 5; written++) {
      log.append(line)
      await clock.advance(1000)
    }
    expect(backups()).toEqual(['small-2026-03-01T10-00-03.000.log', 'small-2026-03-01T10-00-04.000.log'])
    await clock.advance(48 * 3600 * 1000)
    log.append(line)
    expect(backups()).toHaveLength(1)
    log.close()
    expect(existsSync(join(directory, 'small.log'))).toBe(true)
  })

  it.each([
    ['rules: [{level: Everything}]', 'rules[0].level: Unsupported value: "Everything"'],
    ['rules: [{users: [x]}]', 'rules[0].level: Required value'],
    ['rules: []', 'loaded illegal policy with 0 rules'],
    ['rules: [{level: None, nonResourceURLs: [healthz]}]', "must begin with a '/' character"],
    ['omitStages: [Later]\nrules: [{level: None}]', 'omitStages[0]: Invalid value: "Later": allowed stages are'],
  ])('says what is wrong with a policy: %s', (text, message) => {
    expect(() => new AuditPolicy('policy.yaml', `apiVersion: audit.k8s.io/v1\nkind: Policy\n${text}\n`)).toThrow(message)
  })
})
