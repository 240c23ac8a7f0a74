/**
 * How executions of a program can end, as whoever asks reads it off the machine: a search over states alone, with neither
 * costs nor classes, for programs whose state space is small.
 */
import type { MachineImage } from '../smp/image.ts'
import type { Machine } from '../smp/machine.ts'
import type { Model } from '../smp/model.ts'
import type { Monitor, Violation } from '../smp/monitor.ts'
import { CHOICES_MAX, remake } from './explorable.ts'
import { Workshop } from './workshop.ts'

export interface FinalStatesFound {
  /** What `read` made of the machine at the ends of executions. */
  readonly outcomes: ReadonlySet<string>
  /** Kinds of violations in which others ended. */
  readonly violations: ReadonlySet<Violation['kind']>
  readonly states: number
  /** Why there may be more outcomes; empty: these are all. */
  readonly reasons: readonly string[]
}

const PASSES_MAX = 64
const STATES_MAX = 1_000_000

export interface FinalStatesOptions {
  /** Default: 1 000 000. */
  readonly statesMax?: number
  /** `read` looks at memory alone, so what registers hold that nothing reads any more may be forgotten. */
  readonly forgets?: boolean
  /** That watch all of it, besides those that judge. */
  readonly monitors?: readonly Monitor[]
}

/** @param read asked where an execution has ended; it only looks */
export function finalStates(image: MachineImage, model: Model, read: (machine: Machine) => string, options: FinalStatesOptions = {}): FinalStatesFound {
  const { statesMax = STATES_MAX, forgets = false, monitors = [] } = options
  const workshop = new Workshop(image, model, forgets, monitors)
  const make = forgets ? workshop.makeUncounted : workshop.makeAside
  let machine = make()
  for (let pass = 1; ; pass++) {
    if (pass > 1) machine = remake(machine, make)
    const found = search(machine, read, statesMax)
    const grown = machine.sharing.grown
    if (grown && found.reasons.length === 0 && pass < PASSES_MAX) continue
    return grown ? { ...found, reasons: [...found.reasons, 'more memory turned out to be shared'] } : found
  }
}

function search(machine: Machine, read: (machine: Machine) => string, statesMax: number): FinalStatesFound {
  const outcomes = new Set<string>()
  const violations = new Set<string>()
  const seen = new Set<string>()
  const list = new Int32Array(CHOICES_MAX)
  const frames: { readonly choices: Int32Array; next: number }[] = []
  const enter = () => {
    seen.add(`${machine.store.h0},${machine.store.h1}`)
    const count = machine.enabled(list)
    if (machine.violation !== null) violations.add(machine.violation.kind)
    else if (count === 0) outcomes.add(read(machine))
    frames.push({ choices: list.slice(0, count), next: 0 })
  }
  enter()
  while (frames.length > 0 && seen.size < statesMax) {
    const frame = frames[frames.length - 1]
    if (frame.next === frame.choices.length) {
      frames.pop()
      if (frames.length > 0) machine.undo()
      continue
    }
    const verdict = machine.take(frame.choices[frame.next++])
    if (verdict === 1) violations.add(machine.violation!.kind)
    if (verdict === 0 && !seen.has(`${machine.store.h0},${machine.store.h1}`)) enter()
    else machine.undo()
  }
  const reasons = [...machine.weaknesses, ...(frames.length > 0 ? [`more than ${statesMax} states`] : [])]
  return { outcomes, violations, states: seen.size, reasons }
}
