/** What a program can do, found without costs, sleep sets or reduction: every state, by its hash, and every step from it. */
import { isInterrupt } from '../../src/explore/dpor/budgets.ts'
import { CHOICES_MAX, remake } from '../../src/explore/explorable.ts'
import type { Machine } from '../../src/smp/machine.ts'

export interface Behaviour {
  readonly ends: ReadonlySet<string>
  /** Kinds of violations. */
  readonly violations: ReadonlySet<string>
  /** From some state nothing ends any more, whatever is chosen. */
  readonly stuck: boolean
  readonly states: number
  /** Why the machines say that this is not all. */
  readonly weaknesses: ReadonlySet<string>
}

/**
 * Null: there are more states than that.
 * @param endOf what of a state in which all has ended is compared
 * @param interruptsMax interrupts and NMIs in one execution
 */
export function behaviourOf(makeMachine: () => Machine, endOf: (machine: Machine) => string, statesMax: number, interruptsMax = Infinity): Behaviour | null {
  let machine = makeMachine()
  for (;;) {
    const behaviour = visitAll(machine, endOf, statesMax, interruptsMax)
    if (!machine.sharing.grown) return behaviour
    machine = remake(machine, makeMachine)
  }
}

function visitAll(machine: Machine, endOf: (machine: Machine) => string, statesMax: number, interruptsMax: number): Behaviour | null {
  const numbers = new Map<string, number>()
  /** By state: whether something ends there, and where its steps lead. */
  const final: boolean[] = []
  const steps: number[][] = []
  const ends = new Set<string>()
  const violations = new Set<string>()
  const list = new Int32Array(CHOICES_MAX)
  if (machine.violation !== null) return { ends, violations: new Set([machine.violation.kind]), stuck: false, states: 1, weaknesses: machine.weaknesses }
  let interrupts = 0
  const number = () => {
    const key = `${machine.store.h0},${machine.store.h1}${interruptsMax < Infinity ? `,${interrupts}` : ''}`
    const known = numbers.get(key)
    if (known !== undefined) return { at: known, fresh: false }
    const at = numbers.size
    numbers.set(key, at)
    final.push(false)
    steps.push([])
    return { at, fresh: true }
  }
  const visit = (at: number): boolean => {
    if (numbers.size > statesMax) return false
    const count = machine.enabled(list)
    if (count === 0) {
      final[at] = true
      ends.add(endOf(machine))
    }
    for (const choice of list.slice(0, count)) {
      const one = isInterrupt(choice) ? 1 : 0
      if (interrupts + one > interruptsMax) continue
      interrupts += one
      const outcome = machine.take(choice)
      if (outcome === 0) {
        const { at: next, fresh } = number()
        steps[at].push(next)
        if (fresh && !visit(next)) return false
      } else {
        final[at] = true
        if (outcome === 1) violations.add(machine.violation!.kind)
      }
      machine.undo()
      interrupts -= one
    }
    return true
  }
  if (!visit(number().at)) {
    while (machine.step > 0) machine.undo()
    return null
  }
  return { ends, violations, stuck: !allReach(final, steps), states: numbers.size, weaknesses: machine.weaknesses }
}

/** Whether a final state can be reached from every state. */
function allReach(final: readonly boolean[], steps: readonly (readonly number[])[]): boolean {
  const before: number[][] = final.map(() => [])
  steps.forEach((next, from) => next.forEach((to) => before[to].push(from)))
  const reached = [...final]
  const open = final.flatMap((is, at) => (is ? [at] : []))
  while (open.length > 0)
    for (const from of before[open.pop()!])
      if (!reached[from]) {
        reached[from] = true
        open.push(from)
      }
  return reached.every(Boolean)
}
