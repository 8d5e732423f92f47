/** A Kubernetes version, `v1.36.4`; anything after the patch (`-rc.1`, `+k3s1`) is kept apart. */
export interface KubernetesVersion {
  major: number
  minor: number
  patch: number
  suffix: string
}

/** @returns null when the text is no version */
export function parseVersion(text: string): KubernetesVersion | null {
  const match = /^v?(\d+)\.(\d+)\.(\d+)(.*)$/.exec(text.trim())
  if (match === null) return null
  return { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3]), suffix: match[4] ?? '' }
}

/** Negative when `a` is older. Suffixes are not compared. */
export function compareVersions(a: KubernetesVersion, b: KubernetesVersion): number {
  return a.major - b.major || a.minor - b.minor || a.patch - b.patch
}
