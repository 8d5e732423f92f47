import type { Logger } from '#shared/base/logger.ts'

const LEVELS = ['debug', 'info', 'warn', 'error'] as const

/** A line per message on stderr: time, level, message, fields as JSON. */
export function stderrLogger(level: string, fields: Record<string, unknown> = {}): Logger {
  const least = LEVELS.findIndex((each) => each === level)
  const write =
    (own: (typeof LEVELS)[number]) =>
    (message: string, more: Record<string, unknown> = {}): void => {
      if (LEVELS.indexOf(own) < (least < 0 ? 2 : least)) return
      const all = { ...fields, ...more }
      process.stderr.write(`${new Date().toISOString()} ${own} ${message}${Object.keys(all).length === 0 ? '' : ` ${JSON.stringify(all)}`}\n`)
    }
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error'), with: (more) => stderrLogger(level, { ...fields, ...more }) }
}
