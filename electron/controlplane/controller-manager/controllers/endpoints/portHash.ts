import { createHash } from 'node:crypto'
import type { JsonObject } from '#shared/kubernetes/json.ts'
import { countAt, textAt } from '../../controller.ts'

/**
 * By what upstream orders the ports of an Endpoints subset: the MD5 of the port's struct as its dumper writes it, so that the order
 * is the same everywhere though it means nothing.
 *
 * @see pkg/api/v1/endpoints/util.go portsByHash
 */
export function portHash(port: JsonObject, minor: number): Buffer {
  const appProtocol = port['appProtocol'] === undefined ? '(*string)<nil>' : `(*string)${textAt(port['appProtocol'])}`
  // The field came with 1.18.
  const last = minor >= 18 ? ` AppProtocol:${appProtocol}` : ''
  const text = `(v1.EndpointPort){Name:(string)${textAt(port['name'])} Port:(int32)${String(countAt(port['port']))} Protocol:(v1.Protocol)${textAt(port['protocol'])}${last}}`
  return createHash('md5').update(text).digest()
}
