import { randomBytes } from 'node:crypto'
import { isolatedWorld, mainWorld, type WorldConfig } from './pageWorlds.ts'
import { decode, encode } from './wire.ts'

/** Name of the preload script's world, by which its binding finds it. */
export const WORLD = 'electron-preload'

/** The two scripts of a window, put on every document before its own scripts run. */
export interface PageScripts extends WorldConfig {
  mainWorld: string
  isolatedWorld: string
}

const codec = `${encode.toString()}\n${decode.toString()}\nconst codec = { encode, decode }`

/** @param preload the preload script's text; nothing of it is evaluated later, so the page's policy need not allow that */
export function pageScripts(preload: string): PageScripts {
  const secret = randomBytes(9).toString('hex')
  const config: WorldConfig = { binding: `tell${secret}`, receive: `take${secret}`, bridge: `bridge${secret}` }
  const given = JSON.stringify(config)
  return {
    ...config,
    mainWorld: `(() => {\n${codec}\n;(${mainWorld.toString()})(${given}, codec)\n})()`,
    isolatedWorld: `(() => {\n${codec}\n;(${isolatedWorld.toString()})(${given}, codec, (require, module, exports) => {\n${preload}\n})\n})()`,
  }
}
