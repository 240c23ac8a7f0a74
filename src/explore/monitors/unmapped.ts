/**
 * Pages whose old translations are said to be gone from every vCPU (XM_UNMAPPED, until XM_MAPPED) are not accessed
 * through one: `stale-translation`. What a shootdown claims when it returns, judged at the first use that belies it.
 */
import { denied } from '../../cpu/paging.ts'
import { GUEST_CALLS } from '../../smp/guestCalls.ts'
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'
import { Stretches } from './stretches.ts'

/** Stretches of linear pages that can be unmapped at the same time. */
const SLOTS = 16

export class Unmapped implements Monitor {
  readonly name = 'unmapped'
  #machine!: Machine
  /** Linear page numbers. */
  #pages!: Stretches

  ghostWords(): number {
    return Stretches.ghostWords(SLOTS)
  }

  attach(machine: Machine, ghosts: number): void {
    this.#machine = machine
    this.#pages = new Stretches(machine, ghosts, SLOTS, 'stretches of pages are unmapped')
  }

  onMark(vcpu: number, call: number, eax: number, edx: number): void {
    if (call !== GUEST_CALLS.unmapped && call !== GUEST_CALLS.mapped) return
    const from = eax >>> 12
    const to = (((eax >>> 0) + Math.max(edx >>> 0, 1) - 1) >>> 12) + 1
    this.#pages.remove(vcpu, from, to)
    if (call === GUEST_CALLS.unmapped) this.#pages.add({ from, to, vcpu })
  }

  onTranslation(vcpu: number, linear: number, entry: number, access: number): void {
    if (this.#pages.find(linear >>> 12, 1) === null || denied(this.#machine.cpus[vcpu].r, entry, access)) return
    this.#machine.violate('stale-translation', vcpu, `accesses ${this.#machine.symbolize(linear)} by a translation that the tables no longer hold, after it was said to be gone everywhere`)
  }
}
