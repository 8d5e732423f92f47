import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { JOBS } from '#electron/client/resources.ts'
import { isDeleting, keyOf, objectsAt, specOf, splitKey, statusOf, textAt, type Controller, type ControllerContext } from '../../controller.ts'

/** Deletes Jobs with their pods some time after they have ended (on by default since 1.21). */
export function ttlAfterFinishedController(context: ControllerContext): Controller {
  const { client, clock } = context
  const jobs = context.informer(JOBS)
  const queue = context.queue('ttlafterfinished', sync)
  jobs.onEvent(({ type, object }) => {
    if (type !== 'delete' && dueMs(object) !== null) queue.add(keyOf(object))
  })

  /** When the job may go, null when it stays. */
  function dueMs(job: KubeObject): number | null {
    const seconds = specOf(job)['ttlSecondsAfterFinished']
    if (typeof seconds !== 'number' || isDeleting(job)) return null
    const end = objectsAt(statusOf(job)['conditions']).find((each) => (each['type'] === 'Complete' || each['type'] === 'Failed') && each['status'] === 'True')
    return end === undefined ? null : Date.parse(textAt(end['lastTransitionTime'])) + seconds * 1000
  }

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const job = jobs.get(namespace, name)
    const due = job === undefined ? null : dueMs(job)
    if (job === undefined || due === null) return
    if (due > clock.now()) {
      queue.addAfter(key, due - clock.now())
      return
    }
    try {
      await client.delete(JOBS, { namespace, name }, { uid: job.metadata.uid, propagationPolicy: 'Foreground' }, signal)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  return { name: 'ttlafterfinished', run: (signal) => queue.run(signal) }
}
