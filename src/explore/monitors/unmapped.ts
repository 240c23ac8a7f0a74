/**
 * Pages whose old translations are said to be gone from every vCPU (XM_UNMAPPED, until XM_MAPPED) are not accessed
 * through one: `stale-translation`. What a shootdown claims when it returns, judged at the first use that belies it.
 */
import { denied } from '../../cpu/paging.ts'
import { GUEST_CALLS } from '../../smp/guestCalls.ts'
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'

/** Stretches of linear pages that can be unmapped at the same time. */
const SLOTS = 16

interface Stretch {
  /** First and last linear page number. */
  readonly first: number
  readonly last: number
}

export class Unmapped implements Monitor {
  readonly name = 'unmapped'
  #machine!: Machine
  /** Number of stretches, then first and last page of each, sorted; the rest 0. */
  #ghosts = 0

  ghostWords(): number {
    return 1 + SLOTS * 2
  }

  attach(machine: Machine, ghosts: number): void {
    this.#machine = machine
    this.#ghosts = ghosts
  }

  onMark(vcpu: number, call: number, eax: number, edx: number): void {
    if (call !== GUEST_CALLS.unmapped && call !== GUEST_CALLS.mapped) return
    const first = eax >>> 12
    const last = ((eax >>> 0) + Math.max(edx >>> 0, 1) - 1) >>> 12
    const others = this.#list().flatMap((one) => [{ ...one, last: Math.min(one.last, first - 1) }, { ...one, first: Math.max(one.first, last + 1) }]).filter((one) => one.first <= one.last)
    this.#save(vcpu, call === GUEST_CALLS.mapped ? others : [...others, { first, last }].sort((a, b) => a.first - b.first))
  }

  onTranslation(vcpu: number, linear: number, entry: number, access: number): void {
    const page = linear >>> 12
    if (!this.#list().some((one) => one.first <= page && page <= one.last) || denied(this.#machine.cpus[vcpu].r, entry, access)) return
    this.#machine.violate('stale-translation', vcpu, `accesses ${this.#machine.symbolize(linear)} by a translation that the tables no longer hold, after it was said to be gone everywhere`)
  }

  #list(): Stretch[] {
    const { w } = this.#machine.store
    return Array.from({ length: w[this.#ghosts] }, (_, k) => ({ first: w[this.#ghosts + 1 + k * 2], last: w[this.#ghosts + 2 + k * 2] }))
  }

  #save(vcpu: number, list: readonly Stretch[]): void {
    const { store } = this.#machine
    if (list.length > SLOTS) return this.#machine.violate('limit', vcpu, `more than ${SLOTS} stretches of pages are unmapped at once`)
    store.set(this.#ghosts, list.length)
    for (let k = 0; k < SLOTS; k++) {
      store.set(this.#ghosts + 1 + k * 2, list[k]?.first ?? 0)
      store.set(this.#ghosts + 2 + k * 2, list[k]?.last ?? 0)
    }
  }
}
