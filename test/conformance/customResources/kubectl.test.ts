import { execFile } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { temporaryDirectory } from '../../support/peers.ts'
import { startTestApiServer, type TestApiServer } from '../../support/testApiServer.ts'

const RELEASES = ['1.20', '1.32', '1.36']

const DEFINITION = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'crontabs.stable.example.com' },
  spec: {
    group: 'stable.example.com',
    scope: 'Namespaced',
    names: { plural: 'crontabs', singular: 'crontab', kind: 'CronTab', shortNames: ['ct'], categories: ['all'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {}, scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' } },
        additionalPrinterColumns: [{ name: 'Spec', type: 'string', jsonPath: '.spec.cronSpec' }],
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                description: 'What runs when.',
                required: ['cronSpec'],
                properties: {
                  cronSpec: { type: 'string', description: 'The times, as cron has them.' },
                  replicas: { type: 'integer', minimum: 0, default: 1 },
                  ports: {
                    type: 'array',
                    'x-kubernetes-list-type': 'map',
                    'x-kubernetes-list-map-keys': ['port'],
                    items: { type: 'object', required: ['port'], properties: { port: { type: 'integer' }, name: { type: 'string' } } },
                  },
                },
              },
              status: { type: 'object', properties: { replicas: { type: 'integer' } } },
            },
          },
        },
      },
    ],
  },
}

const OBJECT = {
  apiVersion: 'stable.example.com/v1',
  kind: 'CronTab',
  metadata: { name: 'x' },
  spec: { cronSpec: '* * * * */5', ports: [{ port: 80, name: 'http' }] },
}

describe.each(RELEASES)('kubectl %s with custom resources', (release) => {
  const program = `/opt/peers/bin/kubectl-${release}`
  let server: TestApiServer
  let directory = ''

  const kubectl = async (...args: string[]): Promise<{ out: string; error: string; code: number }> => {
    try {
      const { stdout, stderr } = await promisify(execFile)(program, ['--kubeconfig', join(directory, 'config'), ...args], {
        env: { ...process.env, HOME: directory },
      })
      return { out: stdout, error: stderr, code: 0 }
    } catch (error) {
      const { stdout = '', stderr = '', code = 1 } = error as { stdout?: string; stderr?: string; code?: number }
      return { out: stdout, error: stderr, code }
    }
  }
  const write = (name: string, object: unknown): string => {
    writeFileSync(join(directory, name), JSON.stringify(object))
    return join(directory, name)
  }

  beforeAll(async () => {
    server = await startTestApiServer(`kubectl-${release}`)
    directory = temporaryDirectory(`kubectl-config-${release}`)
    const { certificate, key } = server.connection.credentials
    const base64 = (text: string): string => Buffer.from(text).toString('base64')
    write('config', {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'a',
      contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
      clusters: [{ name: 'a', cluster: { server: server.connection.server, 'certificate-authority-data': base64(server.ca.certificate) } }],
      users: [{ name: 'a', user: { 'client-certificate-data': base64(certificate), 'client-key-data': base64(key) } }],
    })
  })

  afterAll(() => server.close())

  it.skipIf(!existsSync(program))(
    'works as with a real API server',
    async () => {
      const file = write('cr.yaml', OBJECT)
      expect(await kubectl('apply', '-f', write('crd.yaml', DEFINITION))).toMatchObject({
        error: '',
        code: 0,
        out: 'customresourcedefinition.apiextensions.k8s.io/crontabs.stable.example.com created\n',
      })
      expect(await kubectl('wait', '--for=condition=Established', 'crd/crontabs.stable.example.com')).toMatchObject({ code: 0 })
      expect(await kubectl('create', '-f', file)).toMatchObject({ code: 0, out: 'crontab.stable.example.com/x created\n' })
      const listed = await kubectl('get', 'ct')
      expect(listed.out).toMatch(/^NAME +SPEC\nx +\* \* \* \* \*\/5\n$/)
      expect((await kubectl('get', 'all')).out).toContain('crontab.stable.example.com/x')
      const told = await kubectl('explain', 'crontab.spec')
      expect(told.error).toBe('')
      expect(told.out).toContain('What runs when.')
      expect(told.out).toMatch(/cronSpec\s+<string>\s+-required-/)
      expect((await kubectl('describe', 'crontab', 'x')).out).toContain('Cron Spec:  * * * * */5')
      expect(await kubectl('patch', 'crontab', 'x', '--type=merge', '-p', '{"spec":{"replicas":3}}')).toMatchObject({ code: 0 })
      const strategic = await kubectl('patch', 'crontab', 'x', '-p', '{"spec":{"replicas":4}}')
      expect(strategic.code).toBe(1)
      expect(strategic.error).toContain('the body of the request was in an unknown format')
      expect(await kubectl('scale', 'crontab', 'x', '--replicas=2')).toMatchObject({ code: 0 })
      expect(await kubectl('apply', '--server-side', '--force-conflicts', '-f', file)).toMatchObject({ code: 0 })
      expect((await kubectl('get', 'crontab', 'x', '-o', 'jsonpath={.spec.replicas}')).out).toBe('2')
      expect(await kubectl('apply', '-f', write('bad.yaml', { ...OBJECT, spec: { cronSpec: 5 } }))).toMatchObject({ code: 1 })
      expect(await kubectl('delete', 'crd', 'crontabs.stable.example.com')).toMatchObject({ code: 0 })
      // kubectl remembers for a while what it discovered.
      expect((await kubectl('get', 'crontabs')).error).toMatch(/could not find the requested resource|doesn't have a resource type/)
    },
    180_000,
  )
})
