import { describe, expect, it } from 'vitest'
import { belowPrefix } from '#electron/controlplane/apiserver/handlers/proxiedPage.ts'
import type { ApiResponse } from '#electron/controlplane/apiserver/request/apiRequest.ts'

const PREFIX = '/api/v1/namespaces/shop/pods/web:80/proxy'

async function* pieces(...texts: string[]): AsyncGenerator<string> {
  await Promise.resolve()
  yield* texts
}

const page = (type: string, ...texts: string[]): ApiResponse => ({ status: 200, headers: { 'content-type': type }, body: '', stream: pieces(...texts) })

async function textOf({ body, stream }: ApiResponse): Promise<string> {
  let text = String(body)
  if (stream !== undefined) for await (const part of stream) text += String(part)
  return text
}

describe('belowPrefix', () => {
  it.each([
    ['<a href="/x">t</a>', `<a href="${PREFIX}/x">t</a>`],
    ["<img alt=a src='/i.png'>", `<img alt=a src='${PREFIX}/i.png'>`],
    ['<form method=post action=/send>', `<form method=post action=${PREFIX}/send>`],
    ['<a href="x">t</a>', '<a href="x">t</a>'],
    ['<a href="//else.where/x">t</a>', '<a href="//else.where/x">t</a>'],
    ['<p>href="/x"</p>', '<p>href="/x"</p>'],
  ])('of %s', async (html, expected) => {
    expect(await textOf(await belowPrefix(page('text/html; charset=utf-8', html), PREFIX))).toBe(expected)
  })

  it('reads a page that comes in pieces whole, and no other content', async () => {
    expect(await textOf(await belowPrefix(page('text/html', '<a hr', 'ef="/x">'), PREFIX))).toBe(`<a href="${PREFIX}/x">`)
    const plain = await belowPrefix(page('text/plain', '<a href="/x">'), PREFIX)
    expect([plain.body, await textOf(plain)]).toEqual(['', '<a href="/x">'])
  })

  it('sends redirections to the proxy', async () => {
    const answer = await belowPrefix({ status: 302, headers: { location: '/login' }, body: '' }, PREFIX)
    expect(answer.headers['location']).toBe(`${PREFIX}/login`)
  })
})
