import type { ClockState } from '#shared/base/adjustableClock.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { ControlPlaneOptions } from './interface.ts'

const MAX_SCALE = 10_000

/** `/debug/clock`: GET tells the cluster's clock, `PUT ?scale=60&paused=false` changes it. The verb is what RBAC asks for. */
export function clockPage(clock: NonNullable<ControlPlaneOptions['clockControl']>): (query: URLSearchParams, method: string) => ClockState {
  return (query, method) => {
    if (method !== 'PUT') return clock.state()
    const [scaleText, pausedText] = [query.get('scale'), query.get('paused')]
    const scale = scaleText === null ? undefined : Number(scaleText)
    if (scale !== undefined && !(scale > 0 && scale <= MAX_SCALE))
      throw new StatusError(failure(400, 'BadRequest', `scale must be a number above 0 and up to ${String(MAX_SCALE)}, not ${JSON.stringify(scaleText)}`))
    if (pausedText !== null && pausedText !== 'true' && pausedText !== 'false')
      throw new StatusError(failure(400, 'BadRequest', `paused must be true or false, not ${JSON.stringify(pausedText)}`))
    clock.adjust({ ...(scale === undefined ? {} : { scale }), ...(pausedText === null ? {} : { paused: pausedText === 'true' }) })
    return clock.state()
  }
}
