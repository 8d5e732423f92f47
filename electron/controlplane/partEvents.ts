import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import { EventRecorder } from '#electron/client/eventRecorder.ts'
import type { RestClient } from '#electron/client/restClient.ts'
import type { Supervisor } from './supervisor.ts'

/** Events of the node on which a part failed, as those of the node's own agents: whoever looks at the cluster sees that it was started again. */
export function tellOfFailures(supervisor: Supervisor, { node, ...options }: { client: RestClient; clock: Clock; logger: Logger; node: string }): () => void {
  const events = new EventRecorder({ ...options, component: 'drydock' })
  const unsubscribe = supervisor.onFailure(({ part, error, restartInMs }) => {
    const [component = '', own = node] = part.split(' ')
    // Events of nodes name them by their names, in place of uids, as upstream's do.
    const object = { apiVersion: 'v1', kind: 'Node', metadata: { name: own, uid: own } }
    events.event(object, 'Warning', 'ComponentFailed', `${component} failed and is started again in ${String(restartInMs / 1000)} s: ${error}`)
  })
  return () => {
    unsubscribe()
    events.stop()
  }
}
