import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface ProgramPlaces {
  /** Folder of the units that run. */
  units: string
  /** Gets the name of each unit that is started. */
  unitLog: string
  /** What `crictl ps` shows. */
  containers: string
}

const script = (lines: string[]): string => `#!/bin/sh\n${lines.join('\n')}\n`

/** Puts systemd's and the container runtime's commands into a folder, as scripts that know what runbooks ask. A unit is a process group of its own. */
export function writePrograms(folder: string, { units, unitLog, containers }: ProgramPlaces): void {
  const programs = {
    'systemd-run': script([
      'unit=; for each in "$@"; do case $each in --unit=*) unit=${each#--unit=};; esac; done',
      'while [ $# -gt 0 ]; do case $1 in --*) shift;; *) break;; esac; done',
      `mkdir -p ${units}; echo "$unit" >> ${unitLog}`,
      'setsid "$@" > /dev/null 2>&1 < /dev/null &',
      `echo $! > "${units}/$unit"`,
    ]),
    systemctl: script([
      'case $1 in',
      `is-active) [ -e "${units}/$2" ] && kill -0 "$(cat "${units}/$2")" 2> /dev/null;;`,
      'restart) exit 0;;',
      '*) echo "systemctl: $1 is not known here" >&2; exit 1;;',
      'esac',
    ]),
    crictl: script([`[ "$1" = ps ] && exec cat ${containers}`, 'echo "crictl: $1 is not known here" >&2; exit 1']),
  }
  mkdirSync(folder, { recursive: true })
  for (const [program, text] of Object.entries(programs)) {
    writeFileSync(join(folder, program), text)
    chmodSync(join(folder, program), 0o755)
  }
}
