/**
 * Code that is being written (XM_BUILDING, until XM_BUILT) is not executed: `under-construction`. Exempt is an INT3 at its
 * first byte: who meets it is led elsewhere.
 */
import { GUEST_CALLS } from '../../smp/guestCalls.ts'
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'

/** Stretches of code that can be under construction at the same time. */
const SLOTS = 16
const SLOT_WORDS = 3
const INT3 = 0xcc

interface Stretch {
  readonly from: number
  readonly to: number
  /** Who builds it. */
  readonly vcpu: number
}

export class Construction implements Monitor {
  readonly name = 'construction'
  #machine!: Machine
  /** Number of stretches, then each: start, end, vCPU; sorted by start, the rest 0. */
  #ghosts = 0

  ghostWords(): number {
    return 1 + SLOTS * SLOT_WORDS
  }

  attach(machine: Machine, ghosts: number): void {
    this.#machine = machine
    this.#ghosts = ghosts
  }

  isIdle(): boolean {
    return this.#machine.store.w[this.#ghosts] === 0
  }

  onMark(vcpu: number, call: number, eax: number, edx: number): void {
    if (call !== GUEST_CALLS.building && call !== GUEST_CALLS.built) return
    const from = eax >>> 0
    const to = from + (edx >>> 0)
    const others = this.#list().flatMap((one) => [{ ...one, to: Math.min(one.to, from) }, { ...one, from: Math.max(one.from, to) }]).filter((one) => one.from < one.to)
    this.#save(vcpu, call === GUEST_CALLS.built ? others : [...others, { from, to, vcpu }].sort((a, b) => a.from - b.from))
  }

  onFetch(vcpu: number, _eip: number, sizeBytes: number, physical: number): void {
    const hit = this.#list().find((one) => physical < one.to && physical + sizeBytes > one.from)
    if (hit === undefined || (physical === hit.from && sizeBytes === 1 && this.#machine.executedBytes(vcpu, 1)[0] === INT3)) return
    this.#machine.violate('under-construction', vcpu, `executes ${this.#machine.symbolize(physical)}, which vCPU ${hit.vcpu} is building`)
  }

  #list(): Stretch[] {
    const { w } = this.#machine.store
    return Array.from({ length: w[this.#ghosts] }, (_, k) => {
      const at = this.#ghosts + 1 + k * SLOT_WORDS
      return { from: w[at] >>> 0, to: w[at + 1] >>> 0, vcpu: w[at + 2] }
    })
  }

  #save(vcpu: number, list: readonly Stretch[]): void {
    const { store } = this.#machine
    if (list.length > SLOTS) return this.#machine.violate('limit', vcpu, `more than ${SLOTS} stretches of code are under construction at once`)
    const used = Math.max(list.length, store.w[this.#ghosts])
    store.set(this.#ghosts, list.length)
    for (let k = 0; k < used; k++) {
      const words = k < list.length ? [list[k].from, list[k].to, list[k].vcpu] : [0, 0, 0]
      words.forEach((word, i) => store.set(this.#ghosts + 1 + k * SLOT_WORDS + i, word))
    }
  }
}
