import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { BrowserWindow } from '#test/standin/browserWindow.ts'
import { guarded } from '#test/standin/guarded.ts'
import { IpcMain } from '#test/standin/ipcMain.ts'
import { MessageChannelMain, MessagePortMain } from '#test/standin/messagePorts.ts'
import { Session, WebRequest } from '#test/standin/session.ts'
import { members, parts } from '#test/standin/surface.ts'
import { UtilityProcess } from '#test/standin/utilityProcess.ts'
import { WebContents } from '#test/standin/webContents.ts'
import { WebFrameMain } from '#test/standin/webFrameMain.ts'
import { decode, encode } from '#test/standin/wire.ts'

/** Members of each class and interface in the installed Electron's own types, those of its parents included. */
function declaredMembers(): Map<string, Set<string>> {
  const path = createRequire(import.meta.url).resolve('electron/electron.d.ts')
  const file = ts.createSourceFile('electron.d.ts', readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, false)
  const found = new Map<string, Set<string>>()
  const visit = (node: ts.Node): void => {
    if ((ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node)) && node.name !== undefined) {
      const names = found.get(node.name.text) ?? new Set<string>()
      for (const member of node.members) if (member.name !== undefined && ts.isIdentifier(member.name)) names.add(member.name.text)
      found.set(node.name.text, names)
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}

/** Members that a class of ours gives to the app, without those every emitter has. */
function ownMembers(target: object): string[] {
  const names = [...Object.getOwnPropertyNames(target)]
  return names.filter((name) => !['constructor', 'length', 'name', 'prototype'].includes(name) && !/^_/.test(name))
}

const electron = declaredMembers()

/** Ours for the rest of the stand-in, not for the app. */
const INNER: Readonly<Record<string, readonly string[]>> = {
  App: ['configure', 'becomeReady', 'sandboxEnabled'],
  BrowserWindow: ['closed'],
  // The last is Electron's own, but in no type.
  WebContents: ['deliver', 'create', 'targetId', 'getLastWebPreferences'],
  IpcMain: ['answer'],
  Protocol: ['becomeReady', 'handlerOf', 'shown', 'real'],
  Session: ['deviceHandler', 'permissions'],
  WebRequest: ['allows'],
  MessagePortMain: ['giveTo', 'take', 'fromPage', 'ended'],
  CommandLine: ['all'],
}

describe('the stand-in for Electron', () => {
  it.each([
    ['App', Object.getPrototypeOf(parts.app) as object],
    ['CommandLine', Object.getPrototypeOf(parts.app.commandLine) as object],
    ['BrowserWindow', BrowserWindow.prototype],
    ['BrowserWindow', BrowserWindow],
    ['WebContents', WebContents.prototype],
    ['WebContents', WebContents],
    ['WebFrameMain', WebFrameMain.prototype],
    ['IpcMain', IpcMain.prototype],
    ['Protocol', Object.getPrototypeOf(parts.protocol) as object],
    ['Session', Session.prototype],
    ['WebRequest', WebRequest.prototype],
    ['MessagePortMain', MessagePortMain.prototype],
    ['MessageChannelMain', MessageChannelMain.prototype],
    ['UtilityProcess', UtilityProcess.prototype],
    ['Menu', members.Menu.prototype],
    ['Dialog', members.dialog],
    ['Shell', members.shell],
    ['NativeTheme', Object.getPrototypeOf(members.nativeTheme) as object],
    ['SafeStorage', members.safeStorage],
    ['PowerMonitor', Object.getPrototypeOf(members.powerMonitor) as object],
    ['Clipboard', members.clipboard],
    ['Screen', members.screen],
    ['Net', members.net],
  ])('has no member of %s that the installed Electron lacks', (type, target) => {
    const declared = electron.get(type) ?? new Set()
    expect(declared.size).toBeGreaterThan(0)
    expect(ownMembers(target).filter((name) => !declared.has(name) && !(INNER[type] ?? []).includes(name))).toEqual([])
  })

  it('exports only what the electron module exports', async () => {
    const module = (await import('#test/standin/module.ts')) as object
    const path = createRequire(import.meta.url).resolve('electron/electron.d.ts')
    const text = readFileSync(path, 'utf8')
    const main = text.slice(text.indexOf('namespace CrossProcessExports'))
    const names = new Set([...main.matchAll(/^ {4}(?:const|class) (\w+)/gm)].map(([, name]) => name))
    expect(Object.keys(module).filter((name) => !['default', 'module.exports'].includes(name) && !names.has(name))).toEqual([])
    expect(Object.keys(module).length).toBeGreaterThan(10)
  })

  it('throws when the app asks for something that it does not have', () => {
    const app = guarded('app', { getVersion: () => '1' }) as { getVersion: () => string; setBadgeCount?: () => void }
    expect(app.getVersion()).toBe('1')
    expect(() => app.setBadgeCount).toThrow('the stand-in for Electron has no app.setBadgeCount')
  })

  it('refuses a window without its safeguards', () => {
    for (const preferences of [{ sandbox: false }, { contextIsolation: false }, { nodeIntegration: true }, { webSecurity: false }])
      expect(() => WebContents.create({ session: members.session.defaultSession } as never, { width: 1, height: 1, preferences })).toThrow(
        /stand-in makes only/,
      )
  })

  it.each([
    ['text', 'é\u0000'],
    ['numbers', [0, -0, 1.5, Number.NaN, Number.POSITIVE_INFINITY]],
    ['nothing', [null, undefined]],
    ['bytes', new Uint8Array([0, 255, 7])],
    ['columns', { codes: new Uint32Array([1, 2, 4_000_000_000]), values: new Float64Array([0.1, Number.NaN]) }],
    ['buffers', new Uint8Array([1, 2]).buffer],
    ['maps and sets', new Map<unknown, unknown>([['a', new Set([1n, 2n])]])],
    ['dates', new Date(5)],
    ['keys that look like tags', { undefined: true, object: [1], __proto__: null }],
  ])('carries %s between the processes unchanged', (_name, value) => {
    expect(decode(JSON.parse(JSON.stringify(encode(value))))).toEqual(value)
  })

  it('refuses to carry functions', () => {
    expect(() => encode({ call: () => 1 })).toThrow('An object could not be cloned.')
  })

  it('joins two ports: messages wait for start, keep their order, and the end is told', async () => {
    const { port1, port2 } = new MessageChannelMain()
    const seen: unknown[] = []
    port1.postMessage('a')
    port1.postMessage({ b: 1 })
    port2.on('message', ({ data }: { data: unknown }) => seen.push(data))
    port2.on('close', () => seen.push('closed'))
    await Promise.resolve()
    expect(seen).toEqual([])
    port2.start()
    port1.postMessage('c')
    await Promise.resolve()
    port1.close()
    await Promise.resolve()
    expect(seen).toEqual(['a', { b: 1 }, 'c', 'closed'])
  })

  it("shows the app's own schemes to Chromium under addresses that lead nowhere", () => {
    parts.protocol.registerSchemesAsPrivileged([{ scheme: 'own', privileges: { standard: true } }])
    expect(parts.protocol.shown('own://app/a/b?c#d')).toBe('https://app.own.standin.test/a/b?c#d')
    expect(parts.protocol.real('https://app.own.standin.test/a/b?c#d')).toBe('own://app/a/b?c#d')
    expect(parts.protocol.shown('https://example.com/')).toBe('https://example.com/')
  })

  it('asks the one listener of onBeforeRequest whether a request may go out', async () => {
    const requests = new WebRequest()
    requests.onBeforeRequest((_details: unknown, answer: (response: { cancel?: boolean }) => void) => {
      answer({})
    })
    requests.onBeforeRequest((details: { url: string }, answer: (response: { cancel?: boolean }) => void) => {
      answer({ cancel: details.url.startsWith('http') })
    })
    const details = { id: 1, method: 'GET', resourceType: 'xhr' }
    expect(await requests.allows({ ...details, url: 'http://x/' })).toBe(false)
    expect(await requests.allows({ ...details, url: 'own://x/' })).toBe(true)
  })
})
