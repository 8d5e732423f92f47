import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** A Debian package on a simulated node. */
export interface InstalledPackage {
  name: string
  /** `1.35.8-1.1` */
  version: string
  held: boolean
}

const STATUS = 'var/lib/dpkg/status'

/** Kubernetes' packages on a node, kept in dpkg's own status file. */
export class Packages {
  readonly #path: string

  /** @param rootDir the node's `/` on this machine's disk */
  constructor(rootDir: string) {
    this.#path = join(rootDir, STATUS)
  }

  list(): InstalledPackage[] {
    if (!existsSync(this.#path)) return []
    return readFileSync(this.#path, 'utf8')
      .split('\n\n')
      .flatMap((paragraph) => {
        const field = (name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(paragraph)?.[1] ?? ''
        const name = field('Package')
        return name === '' ? [] : [{ name, version: field('Version'), held: field('Status').startsWith('hold') }]
      })
  }

  find(name: string): InstalledPackage | undefined {
    return this.list().find((each) => each.name === name)
  }

  /** `v1.35.8`, read from the package; '' when it is not installed. */
  kubernetesVersion(name: string): string {
    const version = this.find(name)?.version
    return version === undefined ? '' : `v${version.replace(/-.*$/, '')}`
  }

  put(changed: InstalledPackage): void {
    const others = this.list().filter(({ name }) => name !== changed.name)
    this.#write([...others, changed].sort((a, b) => (a.name < b.name ? -1 : 1)))
  }

  /** What a fresh node of a release has. */
  ensure(kubernetesVersion: string): void {
    if (existsSync(this.#path)) return
    const version = `${kubernetesVersion.replace(/^v/, '')}-1.1`
    this.#write([
      ...['kubeadm', 'kubectl', 'kubelet'].map((name) => ({ name, version, held: true })),
      { name: 'containerd', version: '1.7.24', held: false },
      { name: 'cri-tools', version: version.replace(/\d+-1\.1$/, '0-1.1'), held: false },
    ])
  }

  #write(packages: readonly InstalledPackage[]): void {
    mkdirSync(dirname(this.#path), { recursive: true })
    writeFileSync(
      this.#path,
      packages
        .map(({ name, version, held }) => `Package: ${name}\nStatus: ${held ? 'hold' : 'install'} ok installed\nArchitecture: amd64\nVersion: ${version}\n`)
        .join('\n'),
    )
  }
}
