import type { Session as ElectronSession } from 'electron'
import type { Protocol } from './schemes.ts'
import type { WebContents } from './webContents.ts'

type RequestHandler = Parameters<ElectronSession['setPermissionRequestHandler']>[0]
type CheckHandler = Parameters<ElectronSession['setPermissionCheckHandler']>[0]
type DeviceHandler = Parameters<ElectronSession['setDevicePermissionHandler']>[0]
type Permission = Parameters<NonNullable<CheckHandler>>[1]
interface BeforeRequestDetails {
  id: number
  url: string
  method: string
  resourceType: string
}
type BeforeRequest = (details: BeforeRequestDetails, callback: (response: { cancel?: boolean }) => void) => void

/** Chromium's names of permissions that a page can ask about, and Electron's for the same. */
const PERMISSIONS: readonly (readonly [string, Permission])[] = [
  ['geolocation', 'geolocation'],
  ['notifications', 'notifications'],
  ['camera', 'media'],
  ['microphone', 'media'],
  ['midi', 'midi'],
  ['clipboard-read', 'clipboard-read'],
  ['clipboard-write', 'clipboard-sanitized-write'],
  ['idle-detection', 'idle-detection'],
  ['screen-wake-lock', 'screen-wake-lock'],
]

/** One listener per event, as in Electron: the last one counts. */
export class WebRequest {
  #beforeRequest: BeforeRequest | null = null

  onBeforeRequest(first: unknown, second?: unknown): void {
    this.#beforeRequest = (typeof first === 'function' || first === null ? first : second) as BeforeRequest | null
  }

  /** Whether the request may go out. */
  allows(details: BeforeRequestDetails): Promise<boolean> {
    const listener = this.#beforeRequest
    if (listener === null) return Promise.resolve(true)
    return new Promise((resolve) => {
      listener(details, ({ cancel }) => {
        resolve(cancel !== true)
      })
    })
  }
}

/** The default session, the only one here. */
export class Session {
  readonly protocol: Protocol
  readonly webRequest = new WebRequest()
  #request: RequestHandler = null
  #check: CheckHandler = null
  #device: DeviceHandler = null

  constructor(protocol: Protocol) {
    this.protocol = protocol
  }

  setPermissionRequestHandler(handler: RequestHandler): void {
    this.#request = handler
  }

  setPermissionCheckHandler(handler: CheckHandler): void {
    this.#check = handler
  }

  setDevicePermissionHandler(handler: DeviceHandler): void {
    this.#device = handler
  }

  /** Which handlers are set; devices cannot be asked for here. */
  get deviceHandler(): DeviceHandler {
    return this.#device
  }

  /** What the handlers answer for a page of this origin, by Chromium's name. Without handlers everything is granted, as in Electron. */
  async permissions(contents: WebContents, origin: string): Promise<{ name: string; granted: boolean }[]> {
    const answers: { name: string; granted: boolean }[] = []
    for (const [name, permission] of PERMISSIONS) {
      const checked = this.#check?.(contents as never, permission, origin, { requestingUrl: origin, isMainFrame: true } as never) ?? true
      const request = this.#request
      const granted =
        request === null
          ? true
          : await new Promise<boolean>((resolve) => {
              request(contents as never, permission, resolve, { requestingUrl: origin, isMainFrame: true } as never)
            })
      answers.push({ name, granted: checked && granted })
    }
    return answers
  }
}
