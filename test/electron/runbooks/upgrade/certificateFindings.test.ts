import { describe, expect, it } from 'vitest'
import { certificateFindings } from '#electron/runbooks/upgrade/certificateFindings.ts'
import type { NodeShell } from '#electron/runbooks/nodeShell/nodeShell.ts'

const TABLE = `[check-expiration] Reading configuration from the cluster...

CERTIFICATE                EXPIRES                  RESIDUAL TIME   CERTIFICATE AUTHORITY   EXTERNALLY MANAGED
admin.conf                 Nov 22, 2027 23:11 UTC   364d                                    no      
apiserver                  Nov 28, 2026 00:00 UTC   2d              ca                      no      
!MISSING! etcd-peer                                                                                 
front-proxy-client         Nov 20, 2026 23:11 UTC   <invalid>       front-proxy-ca          no      

CERTIFICATE AUTHORITY   EXPIRES                  RESIDUAL TIME   EXTERNALLY MANAGED
ca                      Feb 24, 2027 12:27 UTC   90d             no      
etcd-ca                 Nov 24, 2036 12:27 UTC   9y              no      
`

function shellThatSays(stdout: string, exitCode = 0): NodeShell {
  return {
    run: () => Promise.resolve({ exitCode, stdout, stderr: exitCode === 0 ? '' : 'no such file' }),
    forward: () => Promise.reject(new Error('none')),
    close: () => undefined,
  }
}

describe('certificateFindings', () => {
  const context = { name: 'cp1', nowMs: Date.parse('2026-11-26T00:00:00Z'), signal: new AbortController().signal }

  it('blocks on what has expired, and warns of what ends soon, of authorities early', async () => {
    const findings = await certificateFindings(shellThatSays(TABLE), context)
    expect(findings.map(({ level, title }) => `${level}: ${title}`)).toEqual([
      'warning: apiserver on cp1 ends in 2 days',
      'warning: etcd-peer is missing on cp1',
      'blocking: front-proxy-client on cp1 has expired',
      'warning: ca on cp1 ends in 90 days',
    ])
  })

  it('says so when kubeadm cannot tell', async () => {
    expect(await certificateFindings(shellThatSays('', 1), context)).toEqual([
      { level: 'warning', title: 'the certificates on cp1 could not be read', cure: 'no such file' },
    ])
  })
})
