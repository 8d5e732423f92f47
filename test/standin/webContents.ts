import { EventEmitter } from 'node:events'
import { readFileSync } from 'node:fs'
import type { WebPreferences } from 'electron'
import type { DevTools } from './devTools.ts'
import { guarded } from './guarded.ts'
import { ipcMain } from './ipcMain.ts'
import type { MessagePortMain } from './messagePorts.ts'
import { answerRequest, type PausedRequest } from './network.ts'
import { pageScripts, WORLD } from './pageScripts.ts'
import type { Session } from './session.ts'
import { WebFrameMain } from './webFrameMain.ts'
import { decode, encode } from './wire.ts'

/** What Electron's window needs of the world around it. */
export interface Surroundings {
  devTools: () => DevTools
  session: Session
}

type OpenHandler = (details: { url: string; frameName: string; features: string; disposition: string; referrer: object }) => { action: string }

const all = new Map<number, WebContents>()
let lastId = 0

/** What a window shows. */
export class WebContents extends EventEmitter {
  readonly id = ++lastId
  readonly session: Session
  /** The target's id in the DevTools protocol, once it is made. */
  targetId: string | null = null
  mainFrame: WebFrameMain
  readonly #preferences: WebPreferences
  readonly #surroundings: Surroundings
  readonly #self: WebContents
  readonly #scripts: ReturnType<typeof pageScripts> | null
  readonly #made: Promise<string>
  readonly #ports = new Map<string, MessagePortMain>()
  #openHandler: OpenHandler | null = null
  #worldId: number | null = null
  #frameId = ''
  #title = ''
  #ownNavigation: string | null = null
  #loaded: { resolve: () => void; reject: (error: Error) => void } | null = null
  #destroyed = false
  /** Messages to the page go one after the other, also while a document is being made. */
  #outbox: Promise<unknown> = Promise.resolve()

  static create(surroundings: Surroundings, options: { width: number; height: number; preferences: WebPreferences }): WebContents {
    return new WebContents(surroundings, options).#self
  }

  private constructor(surroundings: Surroundings, { width, height, preferences }: { width: number; height: number; preferences: WebPreferences }) {
    super()
    if (preferences.contextIsolation === false || preferences.sandbox === false || preferences.nodeIntegration === true || preferences.webSecurity === false)
      throw new Error('the stand-in makes only windows with context isolation, sandbox and web security, and without node integration')
    this.session = surroundings.session
    this.#surroundings = surroundings
    this.#preferences = {
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      allowRunningInsecureContent: false,
      experimentalFeatures: false,
      webviewTag: false,
      ...preferences,
    }
    this.mainFrame = new WebFrameMain(this, '')
    this.#scripts = preferences.preload === undefined ? null : pageScripts(readFileSync(preferences.preload, 'utf8'))
    this.#self = guarded('webContents', this)
    all.set(this.id, this.#self)
    this.#made = this.#make(width, height)
    this.#made.catch((error: unknown) => {
      if (!this.#destroyed) process.stderr.write(`stand-in: the window could not be made: ${String(error)}\n`)
    })
  }

  getURL(): string {
    return this.mainFrame.url
  }

  getTitle(): string {
    return this.#title
  }

  getType(): 'window' {
    return 'window'
  }

  getLastWebPreferences(): WebPreferences {
    return this.#preferences
  }

  isDestroyed(): boolean {
    return this.#destroyed
  }

  isLoading(): boolean {
    return this.#loaded !== null
  }

  isDevToolsOpened(): boolean {
    return false
  }

  /** Resolves when the page is loaded. @throws Error with Chromium's reason when it is not */
  async loadURL(url: string): Promise<void> {
    const session = await this.#made
    const { protocol } = this.session
    await this.#applyPermissions(url)
    this.#ownNavigation = url
    const loaded = new Promise<void>((resolve, reject) => {
      this.#loaded = { resolve, reject }
    })
    const { errorText } = await this.#send<{ errorText?: string }>('Page.navigate', { url: protocol.shown(url) }, session)
    if (errorText !== undefined) {
      this.#loaded = null
      this.emit('did-fail-load', {}, -2, errorText, url, true)
      throw new Error(`${errorText} loading '${url}'`)
    }
    await loaded
  }

  reload(): void {
    void this.#made.then((session) => {
      this.#ownNavigation = this.getURL()
      return this.#send('Page.reload', {}, session)
    })
  }

  setWindowOpenHandler(handler: OpenHandler): void {
    this.#openHandler = handler
  }

  send(channel: string, ...args: unknown[]): void {
    this.deliver(channel, args)
  }

  postMessage(channel: string, message: unknown, transfer: MessagePortMain[] = []): void {
    this.deliver(channel, [message], transfer)
  }

  async executeJavaScript(code: string): Promise<unknown> {
    const session = await this.#made
    const { result, exceptionDetails } = await this.#send<{ result: { value?: unknown }; exceptionDetails?: { text: string } }>(
      'Runtime.evaluate',
      { expression: code, awaitPromise: true, returnByValue: true },
      session,
    )
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.text)
    return result.value
  }

  close(): void {
    void this.#made.then(() => this.#send('Target.closeTarget', { targetId: this.targetId })).catch(() => undefined)
  }

  /** Takes a message, and ports, to the page's preload script. */
  deliver(channel: string, args: unknown[], transfer: MessagePortMain[] = []): void {
    const wire = encode(structuredClone(args))
    for (const port of transfer) {
      this.#ports.set(port.id, port)
    }
    this.#tell({ t: 'event', channel, args: wire, ports: transfer.map(({ id }) => id) })
    for (const port of transfer)
      port.giveTo({
        post: (data) => {
          this.#tell({ t: 'port', id: port.id, value: encode(data) })
        },
        close: () => {
          this.#ports.delete(port.id)
          this.#tell({ t: 'portClose', id: port.id })
        },
      })
  }

  static getAllWebContents(): WebContents[] {
    return [...all.values()]
  }

  static fromId(id: number): WebContents | undefined {
    return all.get(id)
  }

  static fromDevToolsTargetId(targetId: string): WebContents | undefined {
    return [...all.values()].find((each) => each.targetId === targetId)
  }

  #send<T = Record<string, unknown>>(method: string, params: object = {}, session?: string): Promise<T> {
    return this.#surroundings.devTools().send<T>(method, params, session)
  }

  /** Whether a navigation may go on; the app is asked unless it started it. */
  #mayNavigate(url: string, isMainFrame: boolean): boolean {
    if (isMainFrame && this.#ownNavigation === url) {
      this.#ownNavigation = null
      return true
    }
    let prevented = false
    const details = {
      url,
      isMainFrame,
      isSameDocument: false,
      frame: this.mainFrame,
      initiator: this.mainFrame,
      preventDefault: () => {
        prevented = true
      },
      get defaultPrevented() {
        return prevented
      },
    }
    this.emit('will-frame-navigate', details)
    if (isMainFrame && !prevented) this.emit('will-navigate', details, url, false, true, this.mainFrame.processId, 1)
    return !prevented
  }

  async #applyPermissions(url: string): Promise<void> {
    const origin = this.session.protocol.shown(new URL('/', url).href).replace(/\/$/, '')
    if (!origin.startsWith('https://')) return
    for (const { name, granted } of await this.session.permissions(this.#self, `${url.slice(0, url.indexOf('/', url.indexOf('://') + 3))}/`))
      await this.#send('Browser.setPermission', { permission: { name }, setting: granted ? 'granted' : 'denied', origin })
  }

  async #make(width: number, height: number): Promise<string> {
    const devTools = this.#surroundings.devTools()
    await this.#send('Target.setDiscoverTargets', { discover: true })
    const { targetId } = await this.#send<{ targetId: string }>('Target.createTarget', { url: 'about:blank', width, height, newWindow: true })
    this.targetId = targetId
    const { sessionId } = await this.#send<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true })
    const on = (method: string, listener: (params: never) => void): void => {
      devTools.on(`${sessionId} ${method}`, listener as (params: unknown) => void)
    }
    const once = (): void => {
      if (this.#destroyed) return
      this.#destroyed = true
      this.#closePorts()
      all.delete(this.id)
      this.emit('destroyed')
    }
    devTools.on(' Target.detachedFromTarget', (params: { sessionId: string }) => {
      if (params.sessionId === sessionId) once()
    })
    devTools.on('close', once)
    on('Inspector.targetCrashed', () => this.emit('render-process-gone', {}, { reason: 'crashed', exitCode: 1 }))
    on('Fetch.requestPaused', (request: PausedRequest) => {
      void answerRequest(request, {
        session: this.session,
        mayNavigate: (url) => this.#mayNavigate(url, request.frameId === this.#frameId),
        send: (method, params) => this.#send(method, params, sessionId),
      })
    })
    // By a link; `window.open` is answered on the page.
    on('Page.windowOpen', ({ url, windowName, windowFeatures }: { url: string; windowName: string; windowFeatures: string[] }) => {
      this.#askToOpen(url, windowName, windowFeatures.join(','))
    })
    devTools.on(' Target.targetCreated', ({ targetInfo }: { targetInfo: { targetId: string; openerId?: string } }) => {
      if (targetInfo.openerId === targetId) void this.#send('Target.closeTarget', { targetId: targetInfo.targetId }).catch(() => undefined)
    })
    on('Page.frameNavigated', ({ frame }: { frame: { id: string; parentId?: string; url: string; urlFragment?: string } }) => {
      if (frame.parentId === undefined) this.#navigated(frame.url + (frame.urlFragment ?? ''))
    })
    on('Page.loadEventFired', () => {
      this.#loaded?.resolve()
      this.#loaded = null
      if (this.getURL() === 'about:blank') return
      this.emit('dom-ready')
      this.emit('did-finish-load')
    })
    on('Runtime.executionContextCreated', ({ context }: { context: { id: number; name: string; auxData?: { frameId?: string } } }) => {
      if (context.name === WORLD && context.auxData?.frameId === this.#frameId) this.#worldId = context.id
    })
    on('Runtime.executionContextDestroyed', ({ executionContextId }: { executionContextId: number }) => {
      if (executionContextId !== this.#worldId) return
      this.#worldId = null
      this.#closePorts()
    })
    on('Runtime.bindingCalled', ({ payload }: { payload: string }) => {
      this.#take(JSON.parse(payload) as never)
    })
    const { frameTree } = await this.#send<{ frameTree: { frame: { id: string } } }>('Page.getFrameTree', {}, sessionId)
    this.#frameId = frameTree.frame.id
    await this.#send('Page.enable', {}, sessionId)
    await this.#send('Runtime.enable', {}, sessionId)
    await this.#send('Fetch.enable', { patterns: [{ urlPattern: '*' }] }, sessionId)
    // The page's own area, as Electron's width and height without a frame.
    await this.#send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 0, mobile: false }, sessionId)
    if (this.#scripts !== null) {
      await this.#send('Runtime.addBinding', { name: this.#scripts.binding, executionContextName: WORLD }, sessionId)
      await this.#send('Page.addScriptToEvaluateOnNewDocument', { source: this.#scripts.mainWorld }, sessionId)
      await this.#send('Page.addScriptToEvaluateOnNewDocument', { source: this.#scripts.isolatedWorld, worldName: WORLD }, sessionId)
    }
    return sessionId
  }

  #askToOpen(url: string, frameName: string, features: string): void {
    const answer = this.#openHandler?.({ url: this.session.protocol.real(url), frameName, features, disposition: 'foreground-tab', referrer: {} })
    if (answer?.action !== 'deny') process.stderr.write('stand-in: a window that is not denied is not opened either\n')
  }

  #navigated(shownUrl: string): void {
    const url = this.session.protocol.real(shownUrl)
    this.mainFrame.detached = true
    this.mainFrame = new WebFrameMain(this, url)
    if (url !== 'about:blank') this.emit('did-navigate', {}, url, 200, 'OK')
  }

  /** A message of the preload script. */
  #take(message: { t: string; channel: string; args: unknown; id: never; data: unknown; url: string; windowName: string; features: string }): void {
    if (message.t === 'open') this.#askToOpen(message.url, message.windowName, message.features)
    else if (message.t === 'port') this.#ports.get(message.id)?.fromPage(decode(message.data))
    else if (message.t === 'portClose') {
      this.#ports.get(message.id)?.close()
      this.#ports.delete(message.id)
    } else {
      const frame = this.mainFrame
      const event = { sender: this.#self, senderFrame: frame, frameId: 1, processId: this.id, type: 'frame', ports: [], returnValue: undefined }
      const args = decode(message.args) as unknown[]
      if (message.t === 'send') {
        const reply = (channel: string, ...own: unknown[]): void => {
          frame.send(channel, ...own)
        }
        ipcMain.emit(message.channel, { ...event, reply }, ...args)
      } else
        void ipcMain.answer(message.channel, event, args).then(
          (value) => {
            this.#tell({ t: 'reply', id: message.id, ok: true, value: encode(structuredClone(value)) })
          },
          (error: unknown) => {
            this.#tell({ t: 'reply', id: message.id, ok: false, value: `Error invoking remote method '${message.channel}': ${String(error)}` })
          },
        )
    }
  }

  #tell(message: object): void {
    const scripts = this.#scripts
    if (scripts === null) return
    this.#outbox = this.#outbox
      .then(async () => {
        const session = await this.#made
        const contextId = this.#worldId
        if (contextId === null || this.#destroyed) return
        await this.#send(
          'Runtime.callFunctionOn',
          {
            functionDeclaration: `(text) => globalThis[${JSON.stringify(scripts.receive)}](text)`,
            executionContextId: contextId,
            arguments: [{ value: JSON.stringify(message) }],
          },
          session,
        )
      })
      // The document that should have it is gone.
      .catch(() => undefined)
  }

  #closePorts(): void {
    for (const port of this.#ports.values()) port.close()
    this.#ports.clear()
  }
}
