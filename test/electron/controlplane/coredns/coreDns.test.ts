import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { decode, encode, type DecodedPacket } from 'dns-packet'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { SystemClock } from '#shared/base/clock.ts'
import { silentLogger } from '#shared/base/logger.ts'
import { SeededRandom } from '#shared/base/random.ts'
import { RestClient } from '#electron/client/restClient.ts'
import { CoreDns } from '#electron/controlplane/coredns/coreDns.ts'
import { startEmbeddedApi, type EmbeddedApi } from '#test/support/embeddedApi.ts'
import { hasProgram, runProgram, temporaryDirectory } from '#test/support/peers.ts'

const S = 'svc.cluster.local'
const MANY = 120
const AT_ONCE = 100
const CODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED']

const codeOf = (bytes: Buffer | null): string | undefined | null => (bytes === null ? null : CODES[bytes.readUInt8(3) & 15])

describe('CoreDns', () => {
  const dir = temporaryDirectory('coredns')
  let api: EmbeddedApi | undefined
  let dns: CoreDns | undefined
  let port = 0

  beforeAll(async () => {
    api = await startEmbeddedApi(dir, 'v1.36.0')
    const made = async (path: string, body: object): Promise<void> => {
      const { status, body: answer } = (await api?.call('POST', path, body)) ?? {}
      if (status !== 201) throw new Error(`${path}: ${JSON.stringify(answer)}`)
    }
    for (const name of ['shop']) await made('/api/v1/namespaces', { metadata: { name } })
    await made('/api/v1/namespaces/shop/services', { metadata: { name: 'db' }, spec: { clusterIP: '10.96.7.7', ports: [{ name: 'sql', port: 5432 }] } })
    await made('/api/v1/namespaces/shop/services', { metadata: { name: 'many' }, spec: { clusterIP: 'None', ports: [{ name: 'sync', port: 7000 }] } })
    await made('/api/v1/namespaces/shop/services', { metadata: { name: 'away' }, spec: { type: 'ExternalName', externalName: `db.shop.${S}` } })
    await made('/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices', {
      metadata: { name: 'many-1', labels: { 'kubernetes.io/service-name': 'many' } },
      addressType: 'IPv4',
      ports: [{ name: 'sync', port: 7000 }],
      endpoints: Array.from({ length: MANY }, (_, index) => ({ addresses: [`10.244.3.${String(index + 1)}`], hostname: `peer-${String(index)}` })),
    })
    dns = new CoreDns({
      client: new RestClient(api.transport),
      zone: { domain: 'cluster.local', ttlSeconds: 30, dnsService: { namespace: 'kube-system', name: 'kube-dns' } },
      servedMinor: () => 36,
      clock: new SystemClock(),
      random: new SeededRandom(1),
      logger: silentLogger,
    })
    port = await dns.listen(0)
  })
  afterAll(async () => {
    await dns?.close()
    await api?.close()
  })

  /** Null when nothing comes back before the next datagram, an ordinary question, is answered. */
  async function datagram(bytes: Buffer): Promise<Buffer | null> {
    const socket = createSocket('udp4')
    try {
      const sentinel = encode({ type: 'query', id: 0xfffe, questions: [{ name: 'cluster.local', type: 'SOA' }] })
      const received: Buffer[] = []
      socket.on('message', (answer) => received.push(answer))
      socket.send(bytes, port, '127.0.0.1')
      socket.send(sentinel, port, '127.0.0.1')
      await vi.waitFor(() => {
        if (!received.some((each) => each.readUInt16BE(0) === 0xfffe)) throw new Error('not answered yet')
      }, 5000)
      return received.find((each) => each.readUInt16BE(0) !== 0xfffe) ?? null
    } finally {
      socket.close()
    }
  }

  async function overTcp(...messages: Buffer[]): Promise<DecodedPacket[]> {
    const socket = connect(port, '127.0.0.1')
    const framed = Buffer.concat(messages.flatMap((bytes) => [Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]))
    // In two parts, so that a length is torn apart.
    socket.write(framed.subarray(0, 1))
    socket.write(framed.subarray(1))
    let rest = Buffer.alloc(0)
    const packets: DecodedPacket[] = []
    for await (const part of socket as AsyncIterable<Buffer>) {
      rest = Buffer.concat([rest, part])
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        packets.push(decode(rest.subarray(2, 2 + rest.readUInt16BE(0))))
        rest = rest.subarray(2 + rest.readUInt16BE(0))
      }
      if (packets.length === messages.length) break
    }
    return packets
  }

  const query = (name: string, type: 'A' | 'SRV', more: { udpPayloadSize?: number } = {}): Buffer =>
    encode({
      type: 'query',
      id: 7,
      flags: 0x100,
      questions: [{ name, type }],
      ...(more.udpPayloadSize === undefined
        ? {}
        : { additionals: [{ type: 'OPT', name: '.', udpPayloadSize: more.udpPayloadSize, flags: 0, options: [] } as never] }),
    })

  it('answers with authority, by the identifier and the case that came', async () => {
    const bytes = await datagram(query(`Db.shop.${S}`, 'A'))
    expect(decode(bytes ?? Buffer.alloc(0))).toMatchObject({
      id: 7,
      flag_qr: true,
      flag_aa: true,
      flag_rd: true,
      flag_ra: false,
      rcode: 'NOERROR',
      questions: [{ name: `Db.shop.${S}`, type: 'A' }],
      answers: [{ name: `Db.shop.${S}`, type: 'A', ttl: 30, data: '10.96.7.7' }],
    })
  })

  it('cuts a datagram to what the client takes, and says so; TCP has everything', async () => {
    const plain = (await datagram(query(`many.shop.${S}`, 'A'))) ?? Buffer.alloc(0)
    expect(plain.length).toBeLessThanOrEqual(512)
    const cut = decode(plain)
    expect(cut.flag_tc).toBe(true)
    expect(cut.answers?.length).toBeGreaterThan(5)
    const larger = (await datagram(query(`many.shop.${S}`, 'A', { udpPayloadSize: 1232 }))) ?? Buffer.alloc(0)
    expect(larger.length).toBeLessThanOrEqual(1232)
    expect(decode(larger).answers?.length).toBeGreaterThan(cut.answers?.length ?? 0)
    expect(decode(larger).additionals?.map(({ type }) => type)).toEqual(['OPT'])
    const [whole, again] = await overTcp(query(`many.shop.${S}`, 'A'), query(`many.shop.${S}`, 'SRV'))
    expect([whole?.flag_tc, whole?.answers?.length]).toEqual([false, MANY])
    expect([again?.answers?.length, again?.additionals?.length]).toEqual([MANY, MANY])
  })

  it('sees what changes', async () => {
    await api?.call('POST', '/api/v1/namespaces/shop/services', { metadata: { name: 'late' }, spec: { clusterIP: '10.96.7.9', ports: [{ port: 1 }] } })
    await vi.waitFor(async () => {
      const bytes = await datagram(query(`late.shop.${S}`, 'A'))
      expect(codeOf(bytes)).toBe('NOERROR')
    })
    await api?.call('DELETE', '/api/v1/namespaces/shop/services/late')
    await vi.waitFor(async () => {
      const bytes = await datagram(query(`late.shop.${S}`, 'A'))
      expect(codeOf(bytes)).toBe('NXDOMAIN')
    })
  })

  it.each<[string, Buffer, string | null]>([
    ['shorter than a header', Buffer.from('0007010000', 'hex'), null],
    ['a response', Buffer.from('000781000001000000000000', 'hex'), null],
    ['counts beyond its end', Buffer.from('00070100ffff000000000000', 'hex'), 'FORMERR'],
    ['answers of its own', Buffer.from('000701000001000100000000', 'hex'), 'FORMERR'],
    ['no question', Buffer.from('000701000000000000000000', 'hex'), 'FORMERR'],
    ['a name that points at itself', Buffer.from('000701000001000000000000c00c00010001', 'hex'), 'FORMERR'],
    ['a name that points beyond its end', Buffer.from('000701000001000000000000ffff00010001', 'hex'), 'FORMERR'],
    ['a name that is cut', Buffer.from('0007010000010000000000003f6162', 'hex'), 'FORMERR'],
    ['a label that no name here can have', Buffer.from('000701000001000000000000020 00a0000010001'.replace(' ', ''), 'hex'), 'FORMERR'],
    ['another operation', Buffer.from('000721000001000000000000', 'hex'), 'NOTIMP'],
  ])('survives %s', async (_, bytes, rcode) => {
    const answer = await datagram(bytes)
    expect(codeOf(answer)).toBe(rcode)
  })

  it('answers every damaged packet shortly or not at all', async () => {
    const random = new SeededRandom(Number(process.env['DRYDOCK_SEED'] ?? '5'))
    const good = query(`db.shop.${S}`, 'A', { udpPayloadSize: 1232 })
    const socket = createSocket('udp4')
    const answers: Buffer[] = []
    socket.on('message', (bytes) => answers.push(bytes))
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    const sent = 3000
    for (let round = 0; round < sent; round++) {
      const bytes = random.next() < 0.3 ? Buffer.from(Array.from({ length: random.below(200) }, () => random.below(256))) : Buffer.from(good)
      for (let change = random.below(6); change >= 0 && bytes.length > 0; change--) bytes[random.below(bytes.length)] = random.below(256)
      const cut = bytes.subarray(0, random.next() < 0.3 ? random.below(bytes.length + 1) : bytes.length)
      await new Promise((resolve) => socket.send(cut, port, '127.0.0.1', resolve))
      // A datagram that finds the receiver's buffer full is lost: it is given the time to read.
      if (round % AT_ONCE === 0) await datagram(good)
    }
    // It still answers: what came before has been read by then.
    expect(decode((await datagram(query(`db.shop.${S}`, 'A'))) ?? Buffer.alloc(0)).answers).toHaveLength(1)
    socket.close()
    expect(answers.length).toBeGreaterThan(100)
    for (const bytes of answers) {
      const packet = decode(bytes)
      expect(packet.type).toBe('response')
      expect(bytes.length).toBeLessThanOrEqual(4096)
    }
  })

  it('ends a TCP connection that sends no query, and goes on', async () => {
    const socket = connect(port, '127.0.0.1')
    socket.write(Buffer.from('000400070100', 'hex'))
    await once(socket, 'close')
    expect((await overTcp(query(`db.shop.${S}`, 'A')))[0]?.answers).toHaveLength(1)
  })

  describe.skipIf(!hasProgram('dig'))('by dig', () => {
    async function dig(...args: string[]): Promise<string> {
      const { stdout, code } = await runProgram('dig', ['@127.0.0.1', '-p', String(port), '+tries=1', '+time=5', ...args])
      expect(code).toBe(0)
      return stdout
    }

    it.each<[string, string[], string[]]>([
      ['an address', ['+short', `db.shop.${S}`], ['10.96.7.7']],
      ['a server', ['+short', `_sql._tcp.db.shop.${S}`, 'SRV'], [`0 100 5432 db.shop.${S}.`]],
      ['an alias', ['+short', `away.shop.${S}`], [`db.shop.${S}.`, '10.96.7.7']],
      ['a name of an address', ['+short', '-x', '10.96.7.7'], [`db.shop.${S}.`]],
      ['an endpoint', ['+short', `peer-3.many.shop.${S}`], ['10.244.3.4']],
      ['a pod', ['+short', '10-244-3-4.shop.pod.cluster.local'], ['10.244.3.4']],
      ['by the search list', ['+short', '+search', '+ndots=5', '+domain=shop.svc.cluster.local', 'db'], ['10.96.7.7']],
      ['over TCP', ['+short', '+tcp', `db.shop.${S}`], ['10.96.7.7']],
    ])('tells %s', async (_, args, expected) => {
      expect((await dig(...args)).trim().split('\n')).toEqual(expected)
    })

    it('goes on over TCP when an answer was cut', async () => {
      const answer = await dig('+noedns', `many.shop.${S}`)
      expect(answer).toContain(';; Truncated, retrying in TCP mode.')
      expect(answer).toContain(`ANSWER: ${String(MANY)},`)
    })

    it('says what there is not, with the SOA record', async () => {
      const answer = await dig(`none.shop.${S}`)
      expect(answer).toMatch(/status: NXDOMAIN[^]*flags: qr aa rd;/)
      expect(answer).toMatch(/cluster\.local\.\t+30\tIN\tSOA\tns\.dns\.cluster\.local\. hostmaster\.cluster\.local\. \d+ 7200 1800 86400 30/)
      expect(await dig(`db.shop.${S}`, 'AAAA')).toMatch(/status: NOERROR[^]*ANSWER: 0, AUTHORITY: 1/)
      expect(await dig('example.com')).toContain('status: REFUSED')
      expect(await dig('CH', 'TXT', 'version.bind')).toContain('status: REFUSED')
    })
  })
})
