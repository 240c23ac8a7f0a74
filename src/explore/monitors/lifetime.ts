/**
 * Memory that was freed (XM_FREE) is not touched until it is live again (XM_ALLOC): `use-after-free`,
 * `double-free`. A store counts when it is executed and, where another vCPU freed the memory, again when it
 * drains: "the release is the last access" is a claim about memory, not about the program text.
 *
 * Page tables are touched without an access: a vCPU may walk ahead through whatever its directory entries name, those that it has cached
 * among them, and set accessed bits there (SDM vol. 3A 5.8, 5.10.3.1). So who frees a table has to have told all who could.
 */
import { GUEST_CALLS } from '../../smp/guestCalls.ts'
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'
import { Stretches, type Stretch } from './stretches.ts'

const DEAD_MAX = 32

export class Lifetime implements Monitor {
  readonly name = 'lifetime'
  #machine!: Machine
  /** And who freed them. */
  #dead!: Stretches

  ghostWords(): number {
    return Stretches.ghostWords(DEAD_MAX)
  }

  attach(machine: Machine, ghosts: number): void {
    this.#machine = machine
    this.#dead = new Stretches(machine, ghosts, DEAD_MAX, 'stretches of memory are free')
  }

  isIdle(): boolean {
    return this.#dead.isEmpty
  }

  onMark(vcpu: number, call: number, eax: number, edx: number): void {
    if (call !== GUEST_CALLS.free && call !== GUEST_CALLS.alloc) return
    const from = eax >>> 0
    const to = from + (edx >>> 0)
    if (call === GUEST_CALLS.alloc) return this.#dead.remove(vcpu, from, to)
    const hit = this.#dead.find(from, to - from)
    if (hit !== null)
      return this.#machine.violate('double-free', vcpu, `frees ${this.#machine.symbolize(from)}, which vCPU ${hit.vcpu} freed before`)
    this.#dead.add({ from, to, vcpu })
    const isFreed = (table: number) => table < to && table + 4096 > from
    this.#machine.cpus.forEach((_, walker) => {
      if (this.#walksThrough(walker, isFreed)) this.#machine.violate('use-after-free', vcpu, `frees ${this.#machine.symbolize(from)}, which page walks of vCPU ${walker} may go through at any time`)
    })
  }

  onTables(vcpu: number): void {
    if (this.#dead.isEmpty) return
    let hit: Stretch | null = null
    if (this.#walksThrough(vcpu, (table) => (hit = this.#dead.find(table, 4096)) !== null)) this.#judge(vcpu, 'may walk page tables at', hit!.from, hit)
  }

  /** Whether it may, ahead of accesses, one of those tables. */
  #walksThrough(vcpu: number, which: (table: number) => boolean): boolean {
    let found = false
    if (this.#machine.mayWalk(vcpu)) this.#machine.translations?.forEachTable(vcpu, (table) => (found ||= which(table >>> 0)))
    return found
  }

  onAccess(vcpu: number, physical: number, sizeBytes: number, write: boolean): void {
    this.#judge(vcpu, write ? 'writes' : 'reads', physical, this.#dead.find(physical, sizeBytes))
  }

  onWalk(vcpu: number, physical: number, sizeBytes: number): void {
    this.#judge(vcpu, 'walks page tables at', physical, this.#dead.find(physical, sizeBytes))
  }

  onDrain(vcpu: number, physical: number, sizeBytes: number): void {
    const hit = this.#dead.find(physical, sizeBytes)
    // The freeing vCPU's own earlier stores reach memory before anything that follows the free.
    if (hit?.vcpu !== vcpu) this.#judge(vcpu, 'has a buffered store reach', physical, hit)
  }

  onFetch(vcpu: number, _eip: number, sizeBytes: number, physical: number): void {
    this.#judge(vcpu, 'executes', physical, this.#dead.find(physical, sizeBytes))
  }

  #judge(vcpu: number, verb: string, address: number, hit: Stretch | null): void {
    if (hit !== null) this.#machine.violate('use-after-free', vcpu, `${verb} ${this.#machine.symbolize(address)}, which vCPU ${hit.vcpu} freed`)
  }
}
