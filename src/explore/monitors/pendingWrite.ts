/**
 * Words with an update that is queued (XM_PENDING, until XM_SETTLED) are left alone: who reads one sees what was there before, who
 * writes one is overtaken when the queue is carried out, and a page walk goes by the old entry: `pending-write`.
 */
import { GUEST_CALLS } from '../../smp/guestCalls.ts'
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'
import { Stretches } from './stretches.ts'

const WORDS_MAX = 64

export class PendingWrites implements Monitor {
  readonly name = 'pending-write'
  #machine!: Machine
  /** And who queued. */
  #words!: Stretches

  ghostWords(): number {
    return Stretches.ghostWords(WORDS_MAX)
  }

  attach(machine: Machine, ghosts: number): void {
    this.#machine = machine
    this.#words = new Stretches(machine, ghosts, WORDS_MAX, 'words have an update that is queued')
  }

  isIdle(): boolean {
    return this.#words.isEmpty
  }

  onMark(vcpu: number, call: number, eax: number, edx: number): void {
    if (call !== GUEST_CALLS.pending && call !== GUEST_CALLS.settled) return
    const from = eax >>> 0
    const to = from + (edx >>> 0)
    this.#words.remove(vcpu, from, to)
    if (call === GUEST_CALLS.pending) this.#words.add({ from, to, vcpu })
  }

  onAccess(vcpu: number, physical: number, sizeBytes: number, write: boolean): void {
    this.#judge(vcpu, write ? 'writes' : 'reads', physical, sizeBytes)
  }

  onWalk(vcpu: number, physical: number, sizeBytes: number): void {
    this.#judge(vcpu, 'walks page tables at', physical, sizeBytes)
  }

  #judge(vcpu: number, verb: string, physical: number, sizeBytes: number): void {
    const hit = this.#words.find(physical, sizeBytes)
    if (hit !== null) this.#machine.violate('pending-write', vcpu, `${verb} ${this.#machine.symbolize(physical)}, for which vCPU ${hit.vcpu} has an update queued`)
  }
}
