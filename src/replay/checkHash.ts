/**
 * The check hash of a trace: a rolling hash over everything observable (events with their addresses and values,
 * the bytes that were fetched, the general registers of the vCPU that moved). It says nothing of how the
 * machine lays out its state, so a trace outlives changes of that.
 */
import { EFLAGS } from '../cpu/registers.ts'
import { choiceVcpu } from '../smp/choice.ts'
import { EVENT_KINDS, type MachineEvent } from '../smp/events.ts'
import type { Machine } from '../smp/machine.ts'

export class CheckHash {
  value = 0x811c9dc5 | 0
  readonly #machine: Machine

  /** Observes `machine` from now on, besides whoever does already. */
  constructor(machine: Machine) {
    this.#machine = machine
    const next = machine.observer
    machine.observer = (event) => {
      this.#event(event)
      next?.(event)
    }
  }

  /** After each `take`: the hash so far. */
  step(choice: number): number {
    this.#mix(choice)
    const { r } = this.#machine.cpus[choiceVcpu(choice)]
    for (let k = 0; k <= EFLAGS; k++) this.#mix(r[k])
    return this.value
  }

  #event(event: MachineEvent): void {
    this.#mix(EVENT_KINDS.indexOf(event.kind) | (event.vcpu << 8) | (event.sizeBytes << 16))
    this.#mix(event.address)
    this.#mix(event.value)
    if (event.bytes !== undefined) for (const byte of event.bytes) this.#mix(byte)
  }

  #mix(word: number): void {
    const h = Math.imul(this.value ^ word, 0x9e3779b1)
    this.value = h ^ (h >>> 15)
  }
}
