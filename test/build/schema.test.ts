import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { sourceRoots, tableText } from '#build/schema/generate.ts'
import { TableBuilder, type Table } from '#build/schema/table.ts'

const FOLDER = 'api/boats/v1'
const REGISTER = 'package v1\n\nconst GroupName = "boats.io"\n\nvar SchemeGroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1"}\n'

/** Sources of one release: a kind with every sort of field, as gofmt lays them out. */
const TYPES = `package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +enum
type Rig string

const (
	RigSloop Rig = "Sloop"
	RigKetch Rig = "Ketch"
)

type Names []string

type Boat struct {
	metav1.TypeMeta \`json:",inline"\`

	// +optional
	// +default="Sloop"
	Rig Rig \`json:"rig,omitempty" protobuf:"bytes,1,opt,name=rig,casttype=Rig"\`
	// +k8s:minimum=1
	Masts int32 \`json:"masts" protobuf:"varint,2,opt,name=masts"\`
	Length *int64 \`json:"length,omitempty" protobuf:"varint,3,opt,name=length"\`
	// +listType=map
	// +listMapKey=name
	Sails []Sail \`json:"sails,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,4,rep,name=sails"\`
	Flags map[string]Names \`json:"flags,omitempty" protobuf:"bytes,5,rep,name=flags"\`
}

type Sail struct {
	Name string \`json:"name" protobuf:"bytes,1,opt,name=name"\`
}
`

const PROTO = `message Boat {
  optional string rig = 1;

  optional int32 masts = 2;

  optional int64 length = 3;

  repeated Sail sails = 4;

  map<string, Names> flags = 5;
}

message Sail {
  optional string name = 1;
}
`

const META = 'package v1\n\ntype TypeMeta struct {\n\tKind string `json:"kind,omitempty" protobuf:"bytes,1,opt,name=kind"`\n}\n'
const META_PROTO = 'message TypeMeta {\n  optional string kind = 1;\n}\n'

describe('the table of API types', () => {
  const folders: string[] = []
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
  })

  function root(files: Readonly<Record<string, string>>): string {
    const folder = mkdtempSync(join(tmpdir(), 'drydock-schema-'))
    folders.push(folder)
    const meta = 'apimachinery/pkg/apis/meta/v1'
    for (const [name, text] of Object.entries({ [`${meta}/types.go`]: META, [`${meta}/generated.proto`]: META_PROTO, ...files })) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), text)
    }
    return folder
  }

  const boats = (types: string, proto: string): Record<string, string> => ({
    [`${FOLDER}/register.go`]: REGISTER,
    [`${FOLDER}/types.go`]: types,
    [`${FOLDER}/generated.proto`]: proto,
  })

  function table(...roots: string[]): Table {
    const builder = new TableBuilder(sourceRoots(roots))
    const built = builder.build()
    expect(builder.warnings).toEqual([])
    return built
  }

  it('has of each field its number, type, keys, default, values and limits', () => {
    const { groups, types, enums } = table(`1.36=${root(boats(TYPES, PROTO))}`)
    expect(groups).toEqual({ 'boats.v1': { g: 'boats.io', v: 'v1' } })
    expect(enums).toEqual({ 'boats.v1.Rig': ['Sloop', 'Ketch'] })
    expect(types['boats.v1.Boat']).toEqual({
      inl: ['meta.TypeMeta'],
      f: {
        rig: { t: 'string', n: 1, oe: 1, def: 'Sloop', en: 'boats.v1.Rig' },
        masts: { t: 'int32', n: 2, r: 1, c: ['minimum=1'] },
        length: { t: 'int64', n: 3, oe: 1, ptr: 1 },
        sails: { t: '[]boats.v1.Sail', n: 4, oe: 1, lt: 'map', lk: ['name'], ps: 'merge', pk: 'name' },
        flags: { t: '{}[]string', n: 5, oe: 1 },
      },
    })
  })

  it('tells of fields that are always written which earlier release does not have them', () => {
    const without = (...fields: string[]): string =>
      TYPES.split('\n')
        .filter((line) => !fields.some((field) => line.startsWith(`\t${field} `)))
        .join('\n')
    const built = table(
      `1.36=${root(boats(TYPES, PROTO))}`,
      `1.30=${root(boats(without('Rig', 'Length'), PROTO))}`,
      `1.20=${root(boats(without('Rig', 'Masts'), PROTO))}`,
    )
    const { rig, masts, length } = built.types['boats.v1.Boat']?.f ?? {}
    expect([rig?.after, masts?.after, length?.after]).toEqual(['1.30', '1.20', undefined])
  })

  it('adds what only an earlier release has, marked with it', () => {
    const [gone, goneProto] = [
      '\ntype Raft struct {\n\tLogs int32 `json:"logs" protobuf:"varint,1,opt,name=logs"`\n}\n',
      '\nmessage Raft {\n  optional int32 logs = 1;\n}\n',
    ]
    const built = table(`1.36=${root(boats(TYPES, PROTO))}`, `1.20=${root(boats(TYPES + gone, PROTO + goneProto))}`)
    expect(built.types['boats.v1.Raft']).toEqual({ from: '1.20', f: { logs: { t: 'int32', n: 1, r: 1 } } })
    expect(built.types['boats.v1.Sail']).not.toHaveProperty('from')
  })

  it('says what it does not understand', () => {
    const builder = new TableBuilder(sourceRoots([`1.36=${root(boats(TYPES.replace('[]Sail', '[]Oar'), PROTO))}`]))
    builder.build()
    expect(builder.warnings).toEqual(['api.boats.v1.Boat.sails: no type api.boats.v1.Oar'])
  })
})

/** Where the sources are, `VERSION=ROOT` comma-separated, as build/schema/generate.ts takes them. */
const SOURCES = (process.env['DRYDOCK_SCHEMA_SOURCES'] ?? '').split(',').filter((each) => each !== '')

it.skipIf(SOURCES.length === 0)('comes out of the sources as it is committed (DRYDOCK_SCHEMA_SOURCES)', () => {
  const committed = readFileSync(new URL('../../shared/kubernetes/schema/kubernetes-1.36.json', import.meta.url), 'utf8')
  expect(tableText(new TableBuilder(sourceRoots(SOURCES)).build()) === committed).toBe(true)
})
