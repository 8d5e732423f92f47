import type { Command } from 'commander'
import type { CertificateCheck } from '#shared/contract/runbooks.ts'
import { Headless, withRun, type TargetOptions } from './headless.ts'

/** `drydock certs check|renew`: the certificates of a kubeadm cluster, on its nodes. */
export function register(program: Command): void {
  const certs = program.command('certs').description("check and renew a kubeadm cluster's certificates")
  withRun(certs.command('check').alias('check-expiration'))
    .description("kubeadm's tables of every control-plane node, and whether what is served is what the files hold; nothing is changed")
    .action((options: TargetOptions) =>
      Headless.use(options, async (headless) => {
        const checks = await headless.invoke('certs.check', { clusterId: await headless.cluster(options) })
        process.stdout.write(options.output === 'json' ? `${JSON.stringify(checks, null, 2)}\n` : checks.map(checkText).join('\n'))
        if (checks.some(({ served }) => served.some(({ same }) => !same))) process.exitCode = 3
      }),
    )
  withRun(certs.command('renew'))
    .description('renew all of them on one control-plane node after another, restart what uses them, and prove that the new ones are served')
    .action((options: TargetOptions) =>
      Headless.use(options, async (headless) => {
        const clusterId = await headless.cluster(options)
        if (options.output !== 'json') process.stdout.write((await headless.invoke('certs.check', { clusterId })).map(checkText).join('\n'))
        await headless.confirm('Renew these certificates and restart the control plane, component by component?', options)
        const { runId } = await headless.invoke('certs.renew', { clusterId })
        process.stderr.write(`drydock: run ${runId}\n`)
        await headless.follow(runId, options)
      }),
    )
}

function checkText({ node, table, served }: CertificateCheck): string {
  const lines = served.map(({ server, file, same, servedSerial, fileSerial, problem }) =>
    problem !== ''
      ? `${server}: not asked: ${problem}`
      : same
        ? `${server} serves ${servedSerial}, as in ${file}`
        : `${server} serves ${servedSerial}, but ${file} has ${fileSerial}: restart it`,
  )
  return `${node}\n${table}\n${lines.map((line) => `${line}\n`).join('')}`
}
