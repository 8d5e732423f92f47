import { MessageWriter } from '#shared/etcd/protobuf.ts'
import { Crc32c } from '../crc32c.ts'
import { memberJson, type Membership } from './membership.ts'

/** Raft term of a cluster that begins from a snapshot. */
export const FIRST_TERM = 1
/** etcd allocates a WAL segment whole; the file is sparse. */
export const WAL_SEGMENT_BYTES = 64_000_000
/** The v2 store's event history always has this many slots; with fewer etcd panics when it reads the snapshot. */
const HISTORY_SLOTS = 1000

// Record types, from server/storage/wal/wal.go.
const METADATA = 1
const ENTRY = 2
const STATE = 3
const CRC = 4
const SNAPSHOT = 5

/** Zero values are written: etcd's generated code leaves no field of these messages out. */
const message = (): MessageWriter => new MessageWriter()

/** Every member votes. */
function confState({ members }: Membership): Uint8Array {
  const writer = message()
  for (const { id } of members) writer.varintAlways(1, id)
  return writer.varintAlways(5, 0).finish()
}

/**
 * The first write-ahead log of a restored member: one entry per member that adds it, committed, and the snapshot they are
 * part of. The bytes are those `etcdutl snapshot restore` of 3.5 writes, which etcd 3.4 to 3.6 all read.
 * @see https://github.com/etcd-io/etcd/blob/release-3.5/etcdutl/snapshot/v3_snapshot.go saveWALAndSnap
 */
export function walBytes(membership: Membership): Buffer {
  const { members, clusterId, self } = membership
  const crc = new Crc32c()
  let any = false
  const frames: Buffer[] = []
  const add = (type: number, data: Uint8Array | null): void => {
    if (data !== null) {
      crc.update(data)
      any = true
    }
    const record = message()
      .varintAlways(1, type)
      .varintAlways(2, any ? crc.value : 0)
    if (data !== null) record.bytesAlways(3, data)
    const bytes = record.finish()
    const padding = (8 - (bytes.length % 8)) % 8
    const frame = Buffer.alloc(8 + bytes.length + padding)
    frame.writeUInt32LE(bytes.length, 0)
    // The top byte says how many zeros fill the frame up to a multiple of eight.
    if (padding > 0) frame[7] = 0x80 | padding
    frame.set(bytes, 8)
    frames.push(frame)
  }
  add(CRC, null)
  add(METADATA, message().varintAlways(1, self.id).varintAlways(2, clusterId).finish())
  add(SNAPSHOT, message().varintAlways(1, 0).varintAlways(2, 0).finish())
  for (const [index, member] of members.entries()) {
    const change = message()
      .varintAlways(1, 0)
      .varintAlways(2, 0)
      .varintAlways(3, member.id)
      .bytesAlways(4, Buffer.from(memberJson(member)))
      .finish()
    add(
      ENTRY,
      message()
        .varintAlways(1, 1)
        .varintAlways(2, FIRST_TERM)
        .varintAlways(3, index + 1)
        .bytesAlways(4, change)
        .finish(),
    )
  }
  const first = members[0]?.id ?? 0n
  add(STATE, message().varintAlways(1, FIRST_TERM).varintAlways(2, first).varintAlways(3, members.length).finish())
  add(SNAPSHOT, message().varintAlways(1, members.length).varintAlways(2, FIRST_TERM).bytesAlways(3, confState(membership)).finish())
  return Buffer.concat(frames)
}

/** The raft snapshot that stands beside the database: the members in the form of etcd's old v2 store. */
export function snapBytes(membership: Membership): Uint8Array {
  const metadata = message().bytesAlways(1, confState(membership)).varintAlways(2, membership.members.length).varintAlways(3, FIRST_TERM).finish()
  const data = message()
    .bytesAlways(1, Buffer.from(v2Store(membership)))
    .bytesAlways(2, metadata)
    .finish()
  const crc = new Crc32c()
  crc.update(data)
  return message().varintAlways(1, crc.value).bytesAlways(2, data).finish()
}

function v2Store({ members }: Membership): string {
  const attributes = members.map((member, index) => ({
    path: `/0/members/${member.id.toString(16)}`,
    value: JSON.stringify({ peerURLs: member.peerUrls }),
    index: index + 1,
    name: member.id.toString(16),
  }))
  const node = (path: string, index: number, rest: { value?: string; children?: Record<string, unknown> | null }): unknown => ({
    Path: path,
    CreatedIndex: index,
    ModifiedIndex: index,
    ExpireTime: '0001-01-01T00:00:00Z',
    Value: rest.value ?? '',
    Children: rest.children ?? null,
  })
  const memberNodes = Object.fromEntries(
    attributes
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ path, value, index, name }) => [name, node(path, index, { children: { raftAttributes: node(`${path}/raftAttributes`, index, { value }) } })]),
  )
  const events: unknown[] = attributes.map(({ path, value, index }) => ({
    action: 'create',
    node: { key: `${path}/raftAttributes`, value, modifiedIndex: index, createdIndex: index },
  }))
  const count = members.length
  const store = {
    Root: node('/', 0, {
      children: { '0': node('/0', 0, { children: { members: node('/0/members', 1, { children: memberNodes }) } }), '1': node('/1', 0, { children: {} }) },
    }),
    WatcherHub: {
      EventHistory: {
        // What is beyond the first `count` slots is null, as Go writes a slice of nil pointers.
        Queue: {
          Events: [...events, ...Array.from({ length: HISTORY_SLOTS - count }, () => null)],
          Size: count,
          Front: 0,
          Back: count,
          Capacity: HISTORY_SLOTS,
        },
        StartIndex: 1,
        LastIndex: count,
      },
    },
    CurrentIndex: count,
    Stats: {
      ...Object.fromEntries(
        ['getsSuccess', 'getsFail', 'setsSuccess', 'setsFail', 'deleteSuccess', 'deleteFail', 'updateSuccess', 'updateFail'].map((name) => [name, 0]),
      ),
      createSuccess: count,
      ...Object.fromEntries(
        ['createFail', 'compareAndSwapSuccess', 'compareAndSwapFail', 'compareAndDeleteSuccess', 'compareAndDeleteFail', 'expireCount', 'watchers'].map(
          (name) => [name, 0],
        ),
      ),
    },
    CurrentVersion: 2,
  }
  return JSON.stringify(store)
}
