// In a new network namespace: brings up its loopback, carries what connects to a port there over a socket file, and runs a program.
import { spawn, spawnSync } from 'node:child_process'
import { connect, createServer } from 'node:net'

const [socket, port, program, ...args] = process.argv.slice(2)
spawnSync('ip', ['link', 'set', 'lo', 'up'], { stdio: 'inherit' })
createServer((inside) => {
  const outside = connect(socket)
  inside.on('error', () => outside.destroy())
  outside.on('error', () => inside.destroy())
  inside.pipe(outside).pipe(inside)
}).listen(Number(port), '127.0.0.1', () => {
  const child = spawn(program, args, { stdio: 'inherit' })
  child.on('exit', (code) => process.exit(code ?? 1))
  process.on('SIGTERM', () => child.kill('SIGTERM'))
})
