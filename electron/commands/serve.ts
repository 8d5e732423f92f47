import { randomBytes } from 'node:crypto'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { SystemClock } from '#shared/base/clock.ts'
import { SeededRandom } from '#shared/base/random.ts'
import { Application } from '#electron/application.ts'
import { servePage } from '#electron/serve.ts'
import { ownProgram, top, version } from './ownProgram.ts'
import { stderrLogger } from './stderrLogger.ts'

interface Options {
  port: string
  dataDir?: string
  kubeconfig: string[]
  ownKubeconfigs: boolean
  logLevel: string
  page?: string
}

/** `drydock serve`: the app for a browser on this machine. */
export function register(program: Command): void {
  program
    .command('serve')
    .description('serve the app to a browser on 127.0.0.1')
    .option('--port <n>', 'port on 127.0.0.1, 0 = any', '0')
    .option('--data-dir <dir>', 'where Drydock keeps settings, backups and the embedded cluster (default: ~/.local/share/drydock)')
    .option(
      '--kubeconfig <file>',
      'a kubeconfig to read besides $KUBECONFIG and ~/.kube/config; may be given again',
      (file: string, files: string[]) => [...files, resolve(file)],
      [] as string[],
    )
    .option('--no-own-kubeconfigs', 'leave $KUBECONFIG and ~/.kube/config alone')
    .option('--page <dir>', 'the built page')
    .option('--log-level <level>', 'debug, info, warn or error, on stderr', 'warn')
    .action(async (options: Options) => {
      const port = Number(options.port)
      if (!Number.isInteger(port) || port < 0 || port > 65_535)
        throw new Error(`--port must be a whole number from 0 to 65535, not ${JSON.stringify(options.port)}`)
      const logger = stderrLogger(options.logLevel)
      const application = new Application({
        dataDir: resolve(options.dataDir ?? join(homedir(), '.local/share/drydock')),
        kubeconfigs: options.kubeconfig,
        userKubeconfigs: options.ownKubeconfigs,
        clusterCommand: ownProgram,
        shell: 'browser',
        version,
        clock: new SystemClock(),
        random: new SeededRandom(randomBytes(4).readUInt32LE()),
        logger,
      })
      await application.start()
      const page = await servePage({
        dispatcher: application.dispatcher,
        pageDir: options.page === undefined ? join(top, 'out/renderer') : resolve(options.page),
        port,
        logger,
      })
      process.stdout.write(`drydock: ready ${page.url}\n`)
      await new Promise<void>((done) => {
        process.once('SIGINT', () => {
          done()
        })
        process.once('SIGTERM', () => {
          done()
        })
      })
      await page.close()
      await application.stop()
    })
}
