import { existsSync } from 'node:fs'

/** Debian's Chromium, or the one named by DRYDOCK_CHROMIUM. */
export const chromiumPath = process.env['DRYDOCK_CHROMIUM'] ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path)) ?? 'chromium'

/** A browser that draws on the processor, asks nothing of the network by itself, and runs as root in a container. */
export const chromiumArgs = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
