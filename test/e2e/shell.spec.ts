import type { ElectronApplication } from '@playwright/test'
import { expect, test, type App } from './support/test.ts'

// What keeps the page from the machine: of the desktop shell alone.

const desktop = (app: App): ElectronApplication => {
  if (app.shell.electron === null) throw new Error('this spec is of the desktop shell')
  return app.shell.electron
}

test('every window is sandboxed, isolated and without Node @shell', async ({ app }) => {
  const preferences = await desktop(app).evaluate(({ BrowserWindow }) =>
    BrowserWindow.getAllWindows().map((window) => {
      const contents = window.webContents as unknown as { getLastWebPreferences: () => Electron.WebPreferences }
      const { sandbox, contextIsolation, nodeIntegration, webSecurity, webviewTag, spellcheck, allowRunningInsecureContent, experimentalFeatures } =
        contents.getLastWebPreferences()
      return { sandbox, contextIsolation, nodeIntegration, webSecurity, webviewTag, spellcheck, allowRunningInsecureContent, experimentalFeatures }
    }),
  )
  expect(preferences).toEqual([
    {
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      webSecurity: true,
      webviewTag: false,
      spellcheck: false,
      allowRunningInsecureContent: false,
      experimentalFeatures: false,
    },
  ])
})

test('the page has one function of the shell, and nothing of Node or Electron @shell', async ({ app }) => {
  const found = await app.page.evaluate(() => {
    const world = globalThis as unknown as Record<string, unknown>
    const bridge = world['drydock'] as object
    return {
      names: ['require', 'process', 'module', 'Buffer', 'global', 'electron', 'ipcRenderer'].filter((name) => name in world),
      bridge: Object.keys(bridge),
      frozen: Object.isFrozen(bridge),
    }
  })
  expect(found).toEqual({ names: [], bridge: ['requestPort'], frozen: true })
})

test('the content policy comes with the page and stops scripts that are not its own @shell', async ({ app }) => {
  const { page } = app
  const headers = await page.evaluate(async () => {
    const response = await fetch(window.location.href.split('#')[0] ?? '')
    return { policy: response.headers.get('content-security-policy'), sniff: response.headers.get('x-content-type-options') }
  })
  expect(headers.policy).toContain("default-src 'none'; script-src 'self'")
  expect(headers.policy).not.toContain('unsafe-eval')
  expect(headers.sniff).toBe('nosniff')
  // From a timer, since the inspector's own code is not held by the policy.
  const outcomes = await page.evaluate(
    () =>
      new Promise<string[]>((resolve) => {
        setTimeout(() => {
          const seen: string[] = []
          try {
            new Function('return 1')()
            seen.push('evaluated')
          } catch (error) {
            seen.push((error as Error).name)
          }
          const script = document.createElement('script')
          script.textContent = 'window.inlineScriptRan = true'
          document.head.append(script)
          seen.push(String('inlineScriptRan' in window))
          fetch('https://example.com/').then(
            () => {
              resolve([...seen, 'reached'])
            },
            () => {
              resolve([...seen, 'not reached'])
            },
          )
        })
      }),
  )
  expect(outcomes).toEqual(['EvalError', 'false', 'not reached'])
  app.takeProblems()
})

test('the page cannot be led away, and web addresses are given to the browser of the user @shell', async ({ app }) => {
  const { page } = app
  const electron = desktop(app)
  await app.frame.live()
  await electron.evaluate(({ shell, BrowserWindow }) => {
    const kept = globalThis as unknown as { opened: string[]; refused: string[]; original: typeof shell.openExternal }
    kept.opened = []
    kept.refused = []
    BrowserWindow.getAllWindows()[0]?.webContents.on('will-frame-navigate', ({ url, defaultPrevented }) => {
      if (defaultPrevented) kept.refused.push(url)
    })
    kept.original = shell.openExternal
    shell.openExternal = (url) => {
      kept.opened.push(url)
      return Promise.resolve()
    }
  })
  const before = page.url()
  const refused = (): Promise<string[]> => electron.evaluate(() => (globalThis as unknown as { refused: string[] }).refused)
  const addresses = ['https://example.com/', 'http://127.0.0.1:1/']
  for (const address of addresses) {
    await page.evaluate((to) => {
      window.location.href = to
    }, address)
    await expect.poll(refused).toContain(address)
  }
  await page.evaluate(() => {
    const link = Object.assign(document.createElement('a'), { href: 'https://example.com/link', textContent: 'away' })
    document.body.append(link)
    link.click()
    link.remove()
  })
  await expect.poll(refused).toEqual([...addresses, 'https://example.com/link'])
  const opened = await page.evaluate(() => [window.open('https://example.com/new'), window.open('file:///etc/passwd'), window.open('javascript:1')].map(String))
  expect(opened).toEqual(['null', 'null', 'null'])
  expect(electron.windows()).toHaveLength(1)
  await app.frame.open('Nodes')
  expect(page.url().split('#')[0]).toBe(before.split('#')[0])
  const asked = await electron.evaluate(({ shell }) => {
    const kept = globalThis as unknown as { opened: string[]; original: typeof shell.openExternal }
    shell.openExternal = kept.original
    return kept.opened
  })
  expect(asked).toEqual(['https://example.com/new'])
  app.takeProblems()
})

test("the page's own addresses lead to its files and to nothing else on the disk @shell", async ({ app }) => {
  const statuses = await app.page.evaluate(async () => {
    const base = new URL('./', window.location.href).href
    const found: Record<string, number> = {}
    for (const path of [
      '',
      'index.html',
      '../package.json',
      '..%2f..%2fpackage.json',
      '%2e%2e/%2e%2e/package.json',
      '..%5c..%5cpackage.json',
      'assets/..%2f..%2fmain%2fmain.js',
      '/etc/passwd',
      'assets',
      '%',
      '%00',
    ])
      found[path] = (await fetch(`${base}${path}`)).status
    return found
  })
  const { '': root, 'index.html': index, ...others } = statuses
  expect([root, index]).toEqual([200, 200])
  expect(Object.entries(others).filter(([, status]) => status !== 404)).toEqual([])
  app.takeProblems()
})

test('a port is given to the main frame of the own page alone @shell', async ({ app }) => {
  const given = await desktop(app).evaluate(({ ipcMain }) => {
    const asked: string[] = []
    const frame = (url: string, parent: object | null): object => ({
      url,
      parent,
      postMessage: () => {
        asked.push(url)
      },
    })
    const senders: (object | null)[] = [
      null,
      frame('https://example.com/', null),
      frame('drydock://elsewhere/', null),
      frame('file:///index.html', null),
      frame('drydock://app/inner', {}),
      frame('drydock://app/', null),
    ]
    for (const senderFrame of senders) ipcMain.emit('drydock:request-port', { senderFrame })
    return asked
  })
  expect(given).toEqual(['drydock://app/'])
})

test('permissions are refused, but for writing what was copied @shell', async ({ app }) => {
  const states = await app.page.evaluate(async () => {
    const found: Record<string, string> = {}
    for (const name of ['geolocation', 'notifications', 'camera', 'microphone', 'midi', 'clipboard-read'])
      found[name] = (await navigator.permissions.query({ name: name as PermissionName })).state
    found['asked'] = await Notification.requestPermission()
    found['position'] = await new Promise<string>((resolve) => {
      navigator.geolocation.getCurrentPosition(
        () => {
          resolve('known')
        },
        ({ code }) => {
          resolve(code === GeolocationPositionError.PERMISSION_DENIED ? 'denied' : `code ${String(code)}`)
        },
      )
    })
    return found
  })
  expect([...new Set(Object.values(states))]).toEqual(['denied'])
  app.takeProblems()
})

test('the app says that it is the desktop app, and copies to the clipboard @shell', async ({ app }) => {
  const { frame, page } = app
  await frame.live()
  await frame.open('Settings')
  await expect(frame.main).toContainText('Desktop app')
  await frame.open('Nodes')
  await frame.main.getByRole('button', { name: 'Show the command' }).first().click()
  await page.locator('.menu.shown').getByRole('button', { name: 'Copy' }).first().click()
  await expect(page.locator('.menu.shown').getByRole('button', { name: 'Copied' })).toBeVisible()
  await page.keyboard.press('Escape')
})
