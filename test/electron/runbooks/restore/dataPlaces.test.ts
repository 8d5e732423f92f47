import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { placesOf, swapBackCommand, swapCommand } from '#electron/runbooks/restore/dataPlaces.ts'
import { STOPPED } from '#electron/runbooks/staticPods.ts'
import type { RestorePlanNode } from '#shared/contract/runbooks.ts'
import { startDiskNode, type DiskNode } from '#test/support/diskNode.ts'
import { etcdManifest } from '#test/support/etcdManifest.ts'
import { temporaryDirectory } from '#test/support/peers.ts'
import { canMount } from '#test/support/smallDisk.ts'

/** What a command may be cut off at. */
const PROGRAMS = ['mv', 'cp', 'sed', 'mkdir', 'rmdir', 'rm']
const [PLAIN, OTHER, DISK, LINK] = ['/var/lib/etcd', '/var/lib/etcd-by-hand', '/var/lib/disk', '/var/lib/link']

const LAYOUTS: [string, Pick<RestorePlanNode, 'dataPath' | 'kubeadmPath' | 'keptInPlace'>, cut?: 'cut'][] = [
  ['in its place', { dataPath: PLAIN, kubeadmPath: PLAIN }, 'cut'],
  ['elsewhere than kubeadm thinks', { dataPath: OTHER, kubeadmPath: PLAIN }],
  ['on a disk of its own', { dataPath: DISK, kubeadmPath: DISK, keptInPlace: [DISK] }, 'cut'],
  ['behind a link', { dataPath: LINK, kubeadmPath: LINK, keptInPlace: [LINK] }],
  ['elsewhere, where kubeadm thinks of a disk of its own', { dataPath: OTHER, kubeadmPath: DISK, keptInPlace: [DISK] }, 'cut'],
]

/** The commands themselves, by this machine's shell, on disks of their own. */
describe.skipIf(!(await canMount()))('the data of a member', { timeout: 120_000 }, () => {
  const directory = temporaryDirectory('data-places')
  const cutting = join(directory, 'cutting')
  let disks: DiskNode
  beforeAll(async () => {
    disks = await startDiskNode(directory, { '/var/lib': 2, '/etc': 2, [DISK]: 2 })
    mkdirSync(cutting)
    // Ends the shell that calls it right after the call whose turn it is.
    const wrapper = (program: string): string => `#!/bin/sh
n=$(($(cat ${cutting}/count) + 1)); echo $n > ${cutting}/count
PATH=\${PATH#${cutting}:} ${program} "$@"; code=$?
[ "$n" = "$CUT" ] && kill -9 $PPID
exit $code
`
    for (const program of PROGRAMS) {
      writeFileSync(join(cutting, program), wrapper(program))
      chmodSync(join(cutting, program), 0o755)
    }
  })
  afterAll(() => disks.close())

  const RUN = 'r1'
  describe.each(LAYOUTS)('%s', (_, layout, cutOff) => {
    const node: RestorePlanNode = { name: 'cp1', address: '10.0.0.11', member: 'cp1', peerUrls: '', ...layout }
    const { dataPath, kubeadmPath } = node
    const places = placesOf(node, RUN)
    const prepare = [
      `rm -rf /etc/kubernetes ${PLAIN}* ${OTHER}* ${DISK}/* ${LINK} /var/lib/far`,
      `mkdir -p /var/lib/far ${STOPPED} /etc/kubernetes/manifests && ln -s far ${LINK}`,
      `mkdir -p ${dataPath}/member/snap && echo old > ${dataPath}/member/snap/db`,
      ...(kubeadmPath === dataPath ? [] : [`mkdir -p ${kubeadmPath}/member/snap && echo older > ${kubeadmPath}/member/snap/db`]),
      `mkdir -p ${places.upload}/member/snap && echo new > ${places.upload}/member/snap/db`,
      `cat > ${STOPPED}/etcd.yaml << 'END'\n${etcdManifest(dataPath)}END`,
      `chmod 700 ${places.upload}; chmod 600 ${STOPPED}/etcd.yaml`,
    ].join('\n')
    const list = `find -L /var/lib /etc/kubernetes -not -path '*/drydock/*' -printf '%p %y %m\\n' | sort; cat ${STOPPED}/etcd.yaml; for each in $(find -L /var/lib -name db | sort); do echo "$each: $(cat $each)"; done`
    const stateAfter = async (...scripts: string[]): Promise<string> => {
      const { exitCode, stdout, stderr } = await disks.run(
        [`( ${prepare}\n) || exit 9`, ...scripts.map((each) => `( ${each}\n) > /dev/null || exit 8`), list].join('\n'),
      )
      expect(exitCode, stderr).toBe(0)
      return stdout
    }
    const cut = (command: string, at: string): string =>
      `echo 0 > ${cutting}/count; CUT=${at} PATH=${cutting}:$PATH sh -c "$(cat << 'COMMAND'\n${command}\nCOMMAND\n)" 2> /dev/null; true`
    const [swap, back] = [swapCommand(node, RUN), swapBackCommand(node, RUN)]

    it('is put aside for the restored one, and taken back', async () => {
      const before = await stateAfter('true')
      const swapped = await stateAfter(swap)
      expect(swapped).toContain(`${kubeadmPath}/member/snap/db: new\n`)
      expect(swapped).toContain(`${places.dataAside}${places.dataAside.endsWith('/member') ? '' : '/member'}/snap/db: old\n`)
      if (kubeadmPath !== dataPath) expect(swapped).toContain(`${places.liveAside}${places.liveAside.endsWith('/member') ? '' : '/member'}/snap/db: older\n`)
      expect(swapped).toContain(`hostPath: {path: ${kubeadmPath}, `)
      expect(swapped).toMatch(/drydock-stopped\/etcd\.yaml f 600\n/)
      expect(swapped).not.toContain(places.upload)
      expect(await stateAfter(swap, back)).toBe(before)
      // Nothing was begun: nothing is taken back.
      expect(await stateAfter(back)).toBe(before)
    })

    it.runIf(cutOff === 'cut')('ends the same when a command is cut off anywhere and given again', async () => {
      const swapped = await stateAfter(swap)
      const before = await stateAfter('true')
      const count = async (command: string, ...first: string[]): Promise<number> => {
        await stateAfter(...first, cut(command, 'never'))
        return Number((await disks.run(`cat ${cutting}/count`)).stdout)
      }
      const cuts = async (command: string, ...first: string[]): Promise<string[]> =>
        Array.from({ length: await count(command, ...first) }, (_, index) => String(index + 1))
      const swapCuts = await cuts(swap)
      expect(swapCuts.length).toBeGreaterThanOrEqual(2)
      for (const at of swapCuts) {
        expect(await stateAfter(cut(swap, at), swap), at).toBe(swapped)
        expect(await stateAfter(cut(swap, at), back), at).toBe(before)
      }
      for (const at of await cuts(back, swap)) expect(await stateAfter(swap, cut(back, at), back), at).toBe(before)
    })
  })
})
