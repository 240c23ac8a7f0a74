/**
 * Code that is being written (XM_BUILDING, until XM_BUILT) is not executed: `under-construction`. Exempt is an INT3 at its
 * first byte: who meets it is led elsewhere.
 */
import { GUEST_CALLS } from '../../smp/guestCalls.ts'
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'
import { Stretches } from './stretches.ts'

const SITES = 16
const INT3 = 0xcc

export class Construction implements Monitor {
  readonly name = 'construction'
  #machine!: Machine
  #sites!: Stretches

  ghostWords(): number {
    return Stretches.ghostWords(SITES)
  }

  attach(machine: Machine, ghosts: number): void {
    this.#machine = machine
    this.#sites = new Stretches(machine, ghosts, SITES, 'stretches of code are under construction')
  }

  isIdle(): boolean {
    return this.#sites.isEmpty
  }

  onMark(vcpu: number, call: number, eax: number, edx: number): void {
    if (call !== GUEST_CALLS.building && call !== GUEST_CALLS.built) return
    const from = eax >>> 0
    const to = from + (edx >>> 0)
    this.#sites.remove(vcpu, from, to)
    if (call === GUEST_CALLS.building) this.#sites.add({ from, to, vcpu })
  }

  onFetch(vcpu: number, _eip: number, sizeBytes: number, physical: number): void {
    const hit = this.#sites.find(physical, sizeBytes)
    if (hit === null || (physical >>> 0 === hit.from && sizeBytes === 1 && this.#machine.executedBytes(vcpu, 1)[0] === INT3)) return
    this.#machine.violate('under-construction', vcpu, `executes ${this.#machine.symbolize(physical)}, which vCPU ${hit.vcpu} is building`)
  }
}
