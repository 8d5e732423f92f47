import { expect, it } from 'vitest'
import { fileURLToPath } from 'node:url'
import { runProgram } from '#test/support/peers.ts'

const module = fileURLToPath(new URL('../../../electron/platform/warnings.ts', import.meta.url))

it('leaves out that a server is named by its address, and shows other warnings once', async () => {
  const script = `import { connect, createServer } from 'node:tls'
import { quietWarnings } from ${JSON.stringify(module)}
quietWarnings()
const server = createServer().listen(0, '127.0.0.1', () => {
  connect({ port: server.address().port, host: '127.0.0.1', servername: '127.0.0.1' }).on('error', () => server.close())
  process.emitWarning('something else', { code: 'OTHER01' })
})`
  const { code, stderr } = await runProgram(process.execPath, ['--input-type=module', '-e', script])
  expect(code, stderr).toBe(0)
  expect(stderr).not.toContain('DEP0123')
  expect(stderr.match(/something else/g)).toHaveLength(1)
})
