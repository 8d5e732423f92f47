/** Programs of several releases from the environment: `3.4=PATH,3.5=PATH`, in the order given; none when it is not set. */
export function programsByRelease(variable: string): { release: string; path: string }[] {
  return (process.env[variable] ?? '').split(',').flatMap((pair) => {
    const [release = '', path = ''] = pair.split('=')
    return release === '' || path === '' ? [] : [{ release, path }]
  })
}

export interface EtcdRelease {
  release: string
  etcd: string
  etcdctl: string
  /** Since 3.5; '' before. */
  etcdutl: string
}

/** Releases for which both an etcd (`DRYDOCK_ETCD_RELEASES`) and an etcdctl (`DRYDOCK_ETCDCTL_RELEASES`) are named. */
export function etcdReleases(): EtcdRelease[] {
  const find = (variable: string, release: string): string => programsByRelease(variable).find((each) => each.release === release)?.path ?? ''
  return programsByRelease('DRYDOCK_ETCD_RELEASES').flatMap(({ release, path }) => {
    const ctl = find('DRYDOCK_ETCDCTL_RELEASES', release)
    return ctl === '' ? [] : [{ release, etcd: path, etcdctl: ctl, etcdutl: find('DRYDOCK_ETCDUTL_RELEASES', release) }]
  })
}
