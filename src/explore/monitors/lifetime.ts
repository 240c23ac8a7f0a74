/**
 * Memory that was freed (XM_FREE) is not touched until it is live again (XM_ALLOC): `use-after-free`,
 * `double-free`. A store counts when it is executed and, where another vCPU freed the memory, again when it
 * drains: "the release is the last access" is a claim about memory, not about the program text.
 */
import { GUEST_CALLS } from '../../smp/guestCalls.ts'
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'

/** Stretches of memory that can be dead at the same time. */
const SLOTS = 32
const SLOT_WORDS = 3

interface Dead {
  readonly from: number
  readonly to: number
  readonly vcpu: number
}

export class Lifetime implements Monitor {
  readonly name = 'lifetime'
  #machine!: Machine
  /** Number of dead stretches, then each: start, end, who freed it; sorted by start, the rest 0. */
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
    if (call !== GUEST_CALLS.free && call !== GUEST_CALLS.alloc) return
    const from = eax >>> 0
    const to = from + (edx >>> 0)
    const dead = this.#list()
    if (call === GUEST_CALLS.alloc) return this.#save(vcpu, dead.flatMap((one) => without(one, from, to)))
    const hit = dead.find((one) => one.from < to && one.to > from)
    if (hit !== undefined)
      return this.#machine.violate('double-free', vcpu, `frees ${this.#machine.symbolize(from)}, which vCPU ${hit.vcpu} freed before`)
    this.#save(vcpu, [...dead, { from, to, vcpu }].sort((a, b) => a.from - b.from))
  }

  onAccess(vcpu: number, physical: number, sizeBytes: number, write: boolean): void {
    const hit = this.#find(physical, sizeBytes)
    if (hit >= 0) this.#report(vcpu, write ? 'writes' : 'reads', physical, hit)
  }

  onWalk(vcpu: number, physical: number, sizeBytes: number): void {
    const hit = this.#find(physical, sizeBytes)
    if (hit >= 0) this.#report(vcpu, 'walks page tables at', physical, hit)
  }

  onDrain(vcpu: number, physical: number, sizeBytes: number): void {
    const hit = this.#find(physical, sizeBytes)
    // The freeing vCPU's own earlier stores reach memory before anything that follows the free.
    if (hit >= 0 && hit !== vcpu) this.#report(vcpu, 'has a buffered store reach', physical, hit)
  }

  onFetch(vcpu: number, _eip: number, sizeBytes: number, physical: number): void {
    const hit = this.#find(physical, sizeBytes)
    if (hit >= 0) this.#report(vcpu, 'executes', physical, hit)
  }

  #report(vcpu: number, verb: string, address: number, freedBy: number): void {
    this.#machine.violate('use-after-free', vcpu, `${verb} ${this.#machine.symbolize(address)}, which vCPU ${freedBy} freed`)
  }

  /** Who freed memory that the access touches; -1: all of it is live. */
  #find(address: number, sizeBytes: number): number {
    const { w } = this.#machine.store
    const from = address >>> 0
    for (let k = 0; k < w[this.#ghosts]; k++) {
      const at = this.#ghosts + 1 + k * SLOT_WORDS
      if (w[at] >>> 0 < from + sizeBytes && (w[at + 1] >>> 0) > from) return w[at + 2]
    }
    return -1
  }

  #list(): Dead[] {
    const { w } = this.#machine.store
    return Array.from({ length: w[this.#ghosts] }, (_, k) => {
      const at = this.#ghosts + 1 + k * SLOT_WORDS
      return { from: w[at] >>> 0, to: w[at + 1] >>> 0, vcpu: w[at + 2] }
    })
  }

  #save(vcpu: number, dead: readonly Dead[]): void {
    const { store } = this.#machine
    if (dead.length > SLOTS) return this.#machine.violate('limit', vcpu, `more than ${SLOTS} stretches of memory are free at once`)
    store.set(this.#ghosts, dead.length)
    for (let k = 0; k < SLOTS; k++) {
      const words = k < dead.length ? [dead[k].from, dead[k].to, dead[k].vcpu] : [0, 0, 0]
      words.forEach((word, i) => store.set(this.#ghosts + 1 + k * SLOT_WORDS + i, word))
    }
  }
}

/** What remains dead of `one` when `from`..`to` lives again. */
function without(one: Dead, from: number, to: number): Dead[] {
  const left = { ...one, to: Math.min(one.to, from) }
  const right = { ...one, from: Math.max(one.from, to) }
  return [left, right].filter((part) => part.from < part.to)
}
