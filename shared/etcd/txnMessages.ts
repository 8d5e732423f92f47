import type { Plain } from './message.ts'
import type { RequestOp, ResponseHeader, ResponseOp, TxnRequest, TxnResponse } from './rpc.ts'

type OneOf = 'range' | 'put' | 'deleteRange' | 'txn'
const KINDS: readonly OneOf[] = ['range', 'put', 'deleteRange', 'txn']
const NO_HEADER: ResponseHeader = { clusterId: 0n, memberId: 0n, revision: 0, raftTerm: 0 }

/** Between a transaction's tagged operations and the wire's one-of messages. Messages without any operation are dropped. */
export function txnToWire(request: TxnRequest): Plain {
  const op = (operation: RequestOp): Plain => ({ [operation.type]: operation.type === 'txn' ? txnToWire(operation.request) : operation.request })
  return { compare: request.compare, success: request.success.map(op), failure: request.failure.map(op) }
}

export function txnFromWire(message: Plain): TxnRequest {
  const ops = (list: unknown): RequestOp[] =>
    (list as Plain[]).flatMap((plain) => {
      const type = KINDS.find((kind) => plain[kind] !== undefined)
      if (type === undefined) return []
      return [{ type, request: type === 'txn' ? txnFromWire(plain['txn'] as Plain) : plain[type] } as RequestOp]
    })
  return { compare: message['compare'] as TxnRequest['compare'], success: ops(message['success']), failure: ops(message['failure']) }
}

export function txnResponseToWire(response: TxnResponse): Plain {
  return {
    header: response.header,
    succeeded: response.succeeded,
    responses: response.responses.map((op) => ({ [op.type]: op.type === 'txn' ? txnResponseToWire(op.response) : op.response })),
  }
}

export function txnResponseFromWire(message: Plain): TxnResponse {
  const responses = (message['responses'] as Plain[]).flatMap((plain): ResponseOp[] => {
    const type = KINDS.find((kind) => plain[kind] !== undefined)
    if (type === undefined) return []
    return [{ type, response: type === 'txn' ? txnResponseFromWire(plain['txn'] as Plain) : plain[type] } as ResponseOp]
  })
  return { header: (message['header'] as ResponseHeader | undefined) ?? NO_HEADER, succeeded: message['succeeded'] as boolean, responses }
}
