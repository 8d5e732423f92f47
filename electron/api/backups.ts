import type { RequestHandlers, SubscriptionHandlers } from '#shared/contract/contract.ts'
import type { Backups } from '../snapshot/backups.ts'

/** The contract's namespace `backups`. */
export function backupHandlers(backups: Backups): {
  requests: Pick<RequestHandlers, 'backups.delete' | 'backups.import' | 'backups.pin' | 'backups.restoreDataDirs'>
  subscriptions: Pick<SubscriptionHandlers, 'backups.watch' | 'backups.save' | 'backups.verify' | 'backups.restore' | 'backups.testRestore'>
} {
  return {
    requests: {
      'backups.delete': (input) => backups.delete(input),
      'backups.restoreDataDirs': (input, context) => backups.restoreDataDirs(input, context),
      'backups.pin': (input) => backups.pin(input),
      'backups.import': (input, context) => backups.import(input, context),
    },
    subscriptions: {
      'backups.watch': (_input, context) => backups.watch(context),
      'backups.save': (input, context) => backups.save(input, context),
      'backups.verify': (input, context) => backups.verify(input, context),
      'backups.testRestore': (input, context) => backups.testRestore(input, context),
      'backups.restore': (input, context) => backups.restore(input, context),
    },
  }
}
