import { Command } from 'commander'
import { SeededRandom } from '#shared/base/random.ts'
import { register } from '#electron/commands/cluster.ts'

// `drydock cluster` in which two parts fail once each, in the middle of their work: the scheduler's first choice leaves a rejection behind
// that nobody awaits, the first container of node02 an exception in a timer. The parts' own code is as it is: what fails is the
// generator of random numbers they were given.
const PLACES: readonly { path: RegExp; fail: () => void }[] = [
  { path: /^ scheduler$/, fail: () => void Promise.reject(new Error('injected into the scheduler')) },
  {
    path: /^ node02 kubelet \S+\/main$/,
    fail: () =>
      setTimeout(() => {
        throw new Error('injected into a kubelet')
      }, 0),
  },
]
const left = new Set(PLACES)
const paths = new WeakMap<SeededRandom, string>()
const { next, fork } = SeededRandom.prototype

SeededRandom.prototype.fork = function (this: SeededRandom, label: string) {
  const made = fork.call(this, label) as SeededRandom
  paths.set(made, `${paths.get(this) ?? ''} ${label}`)
  return made
}
SeededRandom.prototype.next = function (this: SeededRandom) {
  for (const place of left) {
    if (!place.path.test(paths.get(this) ?? '')) continue
    left.delete(place)
    place.fail()
  }
  return next.call(this)
}

const program = new Command()
register(program)
await program.parseAsync(process.argv)
