// What runs on the page: the isolated world of the preload script, and the page's own side of the bridge. Both functions are sent as source
// text, so they use nothing from outside themselves but what they are given.
import type { decode, encode } from './wire.ts'

export interface WorldConfig {
  /** The binding that takes text to the main process. */
  binding: string
  /** The function of the isolated world that takes text from the main process. */
  receive: string
  /** Event names of the bridge between the two worlds. */
  bridge: string
}

type Codec = { encode: typeof encode; decode: typeof decode }
type Preload = (require: (name: string) => unknown, module: object, exports: object) => void

/** The world of the preload script. */
export function isolatedWorld(config: WorldConfig, { encode, decode }: Codec, preload: Preload): void {
  if (window.parent !== window) return
  const world = globalThis as unknown as Record<string, unknown>
  const binding = world[config.binding] as (text: string) => void
  Reflect.deleteProperty(world, config.binding)
  const tell = (message: object): void => {
    binding(JSON.stringify(message))
  }
  // Electron's clone refuses proxies and functions with these words.
  const cloned = (value: unknown): unknown => {
    try {
      return structuredClone(value)
    } catch {
      throw new Error('An object could not be cloned.')
    }
  }
  const listeners = new Map<string, ((event: object, ...args: unknown[]) => void)[]>()
  const pending = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  const ports = new Map<string, MessagePort>()
  let lastCall = 0

  const ipcRenderer = {
    on(channel: string, listener: (event: object, ...args: unknown[]) => void) {
      listeners.set(channel, [...(listeners.get(channel) ?? []), listener])
      return ipcRenderer
    },
    once(channel: string, listener: (event: object, ...args: unknown[]) => void) {
      const wrapped = (event: object, ...args: unknown[]): void => {
        ipcRenderer.off(channel, wrapped)
        listener(event, ...args)
      }
      return ipcRenderer.on(channel, wrapped)
    },
    off(channel: string, listener: unknown) {
      listeners.set(
        channel,
        (listeners.get(channel) ?? []).filter((each) => each !== listener),
      )
      return ipcRenderer
    },
    removeListener(channel: string, listener: unknown) {
      return ipcRenderer.off(channel, listener)
    },
    removeAllListeners(channel: string) {
      listeners.delete(channel)
      return ipcRenderer
    },
    send(channel: string, ...args: unknown[]) {
      tell({ t: 'send', channel, args: encode(cloned(args)) })
    },
    invoke(channel: string, ...args: unknown[]) {
      const id = ++lastCall
      const sent = encode(cloned(args))
      return new Promise((resolve, reject) => {
        pending.set(id, { resolve, reject })
        tell({ t: 'invoke', id, channel, args: sent })
      })
    },
    postMessage() {
      throw new Error('the stand-in cannot transfer ports from the page to the main process')
    },
    sendSync() {
      throw new Error('the stand-in has no synchronous messages')
    },
  }

  world[config.receive] = (text: string): void => {
    const message = JSON.parse(text) as { t: string; id: never; channel: string; args: unknown; ports: string[]; ok: boolean; value: unknown }
    if (message.t === 'event') {
      const given = message.ports.map((id) => {
        const { port1, port2 } = new MessageChannel()
        ports.set(id, port1)
        port1.onmessage = ({ data }) => {
          tell({ t: 'port', id, data: encode(data) })
        }
        port1.addEventListener('close', () => {
          if (ports.delete(id)) tell({ t: 'portClose', id })
        })
        return port2
      })
      const args = decode(message.args) as unknown[]
      for (const listener of listeners.get(message.channel) ?? []) listener({ sender: ipcRenderer, ports: given }, ...args)
    } else if (message.t === 'reply') {
      const call = pending.get(message.id)
      pending.delete(message.id)
      if (message.ok) call?.resolve(decode(message.value))
      else call?.reject(new Error(String(message.value)))
    } else if (message.t === 'port') ports.get(message.id)?.postMessage(decode(message.value))
    else {
      const port = ports.get(message.id)
      ports.delete(message.id)
      port?.close()
    }
  }

  // The bridge: what is exposed is copied; functions are called across the worlds, one event there and one back.
  const functions: ((...args: unknown[]) => unknown)[] = []
  const copy = (value: unknown): unknown => {
    if (typeof value === 'function') return { function: functions.push(value as never) - 1 }
    if (Array.isArray(value)) return { array: value.map(copy) }
    if (value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype)
      return { tree: Object.entries(value).map(([key, each]) => [key, copy(each)]) }
    return { value: encode(cloned(value)) }
  }
  const answer = (call: number, result: object): void => {
    document.dispatchEvent(new CustomEvent(`${config.bridge}-answer`, { detail: JSON.stringify({ call, ...result }) }))
  }
  document.addEventListener(`${config.bridge}-call`, (event) => {
    const { call, id, args } = JSON.parse((event as CustomEvent<string>).detail) as { call: number; id: number; args: unknown }
    const settled = (promise: Promise<unknown>): void => {
      promise.then(
        (value) => {
          answer(call, { settled: true, ok: true, value: copy(value) })
        },
        (error: unknown) => {
          answer(call, { settled: true, ok: false, message: String((error as Error).message) })
        },
      )
    }
    try {
      const result = functions[id]?.(...(decode(args) as unknown[]))
      if (result instanceof Promise) {
        answer(call, { promise: true })
        settled(result)
      } else answer(call, { ok: true, value: copy(result) })
    } catch (error) {
      answer(call, { ok: false, message: String((error as Error).message) })
    }
  })
  document.addEventListener(`${config.bridge}-open`, (event) => {
    tell({ t: 'open', ...(JSON.parse((event as CustomEvent<string>).detail) as object) })
  })
  const contextBridge = {
    exposeInMainWorld(key: string, api: unknown) {
      document.dispatchEvent(new CustomEvent(`${config.bridge}-expose`, { detail: JSON.stringify({ key, value: copy(api) }) }))
    },
  }
  const known: Record<string, unknown> = { contextBridge, ipcRenderer }
  const electron = new Proxy(known, {
    get(target, name) {
      if (typeof name === 'string' && name in target) return target[name]
      throw new Error(`the stand-in has no ${String(name)} for preload scripts`)
    },
  })
  const module = { exports: {} }
  preload(
    (name) => {
      if (name === 'electron') return electron
      throw new Error(`module not found: ${name} (a sandboxed preload script has electron alone)`)
    },
    module,
    module.exports,
  )
}

/** The page's own side: makes what the bridge exposes, frozen as Electron freezes it. */
export function mainWorld(config: WorldConfig, { encode, decode }: Codec): void {
  if (window.parent !== window) return
  let lastCall = 0
  const answers = new Map<number, (answer: never) => void>()
  const call = (id: number, args: unknown[]): unknown => {
    let sent: unknown
    try {
      sent = encode(structuredClone(args))
    } catch {
      throw new Error('An object could not be cloned.')
    }
    const number = ++lastCall
    let first: { ok?: boolean; value: unknown; message: string; promise?: boolean } | undefined
    answers.set(number, (answer) => (first = answer))
    document.dispatchEvent(new CustomEvent(`${config.bridge}-call`, { detail: JSON.stringify({ call: number, id, args: sent }) }))
    answers.delete(number)
    if (first === undefined) throw new Error('the preload script is gone')
    if (first.promise === true)
      return new Promise((resolve, reject) => {
        answers.set(number, ({ ok, value, message }: { ok: boolean; value: unknown; message: string }) => {
          answers.delete(number)
          if (ok) resolve(build(value))
          else reject(new Error(message))
        })
      })
    if (first.ok !== true) throw new Error(first.message)
    return build(first.value)
  }
  const build = (wire: unknown): unknown => {
    const part = wire as { function?: number; array?: unknown[]; tree?: [string, unknown][]; value?: unknown }
    if (part.function !== undefined) {
      const id = part.function
      return (...args: unknown[]) => call(id, args)
    }
    if (part.array !== undefined) return Object.freeze(part.array.map(build))
    if (part.tree !== undefined) return Object.freeze(Object.fromEntries(part.tree.map(([key, each]) => [key, build(each)])))
    return decode(part.value)
  }
  // No window is opened from here, and Electron answers a denied one with null.
  window.open = (url = '', windowName = '', features = '') => {
    const detail = JSON.stringify({ url: new URL(url, window.location.href).href, windowName, features })
    document.dispatchEvent(new CustomEvent(`${config.bridge}-open`, { detail }))
    return null
  }
  document.addEventListener(`${config.bridge}-answer`, (event) => {
    const answer = JSON.parse((event as CustomEvent<string>).detail) as { call: number }
    answers.get(answer.call)?.(answer as never)
  })
  document.addEventListener(`${config.bridge}-expose`, (event) => {
    const { key, value } = JSON.parse((event as CustomEvent<string>).detail) as { key: string; value: unknown }
    Object.defineProperty(window, key, { value: build(value), configurable: false, enumerable: true, writable: false })
  })
}
