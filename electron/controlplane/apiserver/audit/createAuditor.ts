import type { ApiServerSettings } from '../settings.ts'
import { AuditLogFile } from './auditLogFile.ts'
import { Auditor, type AuditorOptions } from './auditor.ts'
import { AuditPolicy } from './auditPolicy.ts'

/** @throws Error that names the policy file and what is wrong in it */
export function createAuditor(settings: ApiServerSettings['audit'], options: Omit<AuditorOptions, 'policy' | 'log'>): Auditor | null {
  if (settings === undefined) return null
  const { policy, logPath, maxSizeMb, maxBackups, maxAgeDays } = settings
  const log = new AuditLogFile({ path: logPath, maxSizeMb, maxBackups, maxAgeDays, nowMs: options.nowMs })
  return new Auditor({ ...options, policy: new AuditPolicy(policy.path, policy.text), log })
}
