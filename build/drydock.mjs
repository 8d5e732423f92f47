// `drydock` from its sources. Its first module is kept as Node made it, too: reading types takes a tenth of a second, more than most commands need.
import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'

enableCompileCache(join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'drydock', 'node'))
await import('../electron/cli.ts')
