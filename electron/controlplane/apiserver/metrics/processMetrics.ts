import { readdirSync, readFileSync } from 'node:fs'
import { Values } from './instruments.ts'

/** Ticks per second of /proc's CPU times; USER_HZ is 100 on every Linux. */
const TICKS = 100

/** `process_*` as Go's Prometheus client has them; what this system does not tell is left out. */
export function processMetrics(): Values[] {
  const gauge = (name: string, help: string, value: number): Values => {
    const values = new Values({ type: 'gauge', name, help })
    values.set([], value)
    return values
  }
  const cpu = process.cpuUsage()
  const cpuSeconds = new Values({
    type: 'counter',
    name: 'process_cpu_seconds_total',
    help: 'Seconds of CPU that the process has used, in user and system mode together.',
  })
  cpuSeconds.set([], (cpu.user + cpu.system) / 1e6)
  const families = [cpuSeconds, gauge('process_resident_memory_bytes', 'Bytes of memory that are resident.', process.memoryUsage.rss())]
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8')
    // The program's name, in parentheses, may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const bootSeconds = Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? 0)
    const limit = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    families.push(
      gauge('process_start_time_seconds', 'When the process began, in seconds since 1970.', bootSeconds + Number(fields[19]) / TICKS),
      gauge('process_virtual_memory_bytes', 'Bytes of address space.', Number(fields[20])),
      gauge('process_open_fds', 'Files that are open.', readdirSync('/proc/self/fd').length),
      ...(limit === undefined ? [] : [gauge('process_max_fds', 'Files that may be open at once.', Number(limit))]),
    )
  } catch {
    // No Linux: Go's client leaves these out there, too.
  }
  return families
}
