import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FakeClock } from '#shared/base/clock.ts'
import type { DnsRecord } from '#shared/planning/cluster-dns/records.ts'
import { basePrograms } from '#electron/controlplane/kubelet/shell/basePrograms.ts'
import { dnsPrograms } from '#electron/controlplane/kubelet/shell/dnsPrograms.ts'
import { FileTree } from '#electron/controlplane/kubelet/shell/fileTree.ts'
import { machinePrograms } from '#electron/controlplane/kubelet/shell/machinePrograms.ts'
import { emptyInput, noNetwork, textOf } from '#electron/controlplane/kubelet/shell/process.ts'
import { Shell } from '#electron/controlplane/kubelet/shell/shell.ts'
import { temporaryDirectory } from '#test/support/peers.ts'

const root = temporaryDirectory('dns')
mkdirSync(join(root, 'etc'))
writeFileSync(join(root, 'etc/resolv.conf'), 'search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n')
writeFileSync(join(root, 'etc/hosts'), '127.0.0.1\tlocalhost\n10.244.1.7\tweb.front.shop.svc.cluster.local\tweb\n')
writeFileSync(join(root, 'bytes'), Buffer.from('de01020304050607 08 41'.replaceAll(' ', ''), 'hex'))

const records: Record<string, DnsRecord[]> = {
  'db.shop.svc.cluster.local./A': [{ name: 'db.shop.svc.cluster.local.', type: 'A', ttlSeconds: 5, data: '10.96.7.7' }],
  '_sql._tcp.db.shop.svc.cluster.local./SRV': [
    {
      name: '_sql._tcp.db.shop.svc.cluster.local.',
      type: 'SRV',
      ttlSeconds: 5,
      data: { priority: 0, weight: 100, port: 5432, target: 'db.shop.svc.cluster.local.' },
    },
  ],
}
const network = {
  ...noNetwork,
  lookup: (name: string, type: string) => {
    const answers = records[`${name}/${type}`] ?? []
    return Promise.resolve({
      status: answers.length > 0 || name.startsWith('db.shop.') ? ('NOERROR' as const) : ('NXDOMAIN' as const),
      answers,
      authority: [],
      additional: [],
    })
  },
  resolve: (name: string) => Promise.resolve(name === 'pod-1' ? ['10.244.1.7'] : []),
}

async function run(command: string): Promise<{ code: number; out: string; err: string }> {
  const host = {
    files: new FileTree(root),
    hostname: 'pod-1',
    clock: new FakeClock(),
    signal: new AbortController().signal,
    programs: new Map([...basePrograms, ...dnsPrograms, ...machinePrograms]),
    network,
  }
  let [out, err] = ['', '']
  const code = await new Shell(host, new Map()).run(command, { input: emptyInput, out: (text) => (out += textOf(text)), err: (text) => (err += text) })
  return { code, out, err }
}

describe('programs that ask the DNS', () => {
  it.each([
    ['dig +noall +answer +search db A', 'db.shop.svc.cluster.local.\t5\tIN\tA\t10.96.7.7\n'],
    ['dig +noall +answer db', ''],
    ['dig +short +search _sql._tcp.db SRV', '0 100 5432 db.shop.svc.cluster.local.\n'],
    ['dig +short db.shop.svc.cluster.local', '10.96.7.7\n'],
    ['getent hosts web', '10.244.1.7      web.front.shop.svc.cluster.local web\n'],
    ['hostname -i | awk -F. \'{print $1"-"$2"-"$3"-"$4".shop.pod"}\'', '10-244-1-7.shop.pod\n'],
    ["printf 'a b\\nc d\\n' | awk '{print $2, $1}'", 'b a\nd c\n'],
    ["printf 'a b\\nc d\\n' | awk '/c/ {print $NF}'", 'd\n'],
    ['hexdump -C /bytes', '00000000  de 01 02 03 04 05 06 07  08 41                    |.........A|\n0000000a\n'],
  ])('%s', async (command, expected) => {
    expect((await run(command)).out).toBe(expected)
  })

  it('fail for names that are not there', async () => {
    expect(await run('nslookup none')).toMatchObject({ code: 1, out: expect.stringContaining("** server can't find none: NXDOMAIN") as string })
    expect((await run('nslookup db')).out).toContain('Name:\tdb.shop.svc.cluster.local\nAddress: 10.96.7.7\n')
    expect((await run('getent hosts none')).code).toBe(2)
    expect((await run('nslookup -type=TXT db.shop.svc.cluster.local.')).out).toContain("*** Can't find db.shop.svc.cluster.local.: No answer")
    expect((await run('dig none.shop.svc.cluster.local')).out).toMatch(/status: NXDOMAIN[^]*ANSWER: 0,/)
  })

  it('change no network interface in a container that is not privileged', async () => {
    expect(await run('ip link add dummy0 type dummy')).toEqual({ code: 2, out: '', err: 'RTNETLINK answers: Operation not permitted\n' })
  })
})
