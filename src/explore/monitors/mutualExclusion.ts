/** An object that a vCPU entered (XM_ENTER) is entered by no other until it left: `mutual-exclusion`. */
import { GUEST_CALLS } from '../../smp/guestCalls.ts'
import type { MachineImage } from '../../smp/image.ts'
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'
import { nameOfObject } from './objects.ts'

/** Objects that can be owned at the same time. */
const SLOTS = 16

export class MutualExclusion implements Monitor {
  readonly name = 'mutual-exclusion'
  readonly #image: MachineImage
  #machine!: Machine
  /** Pairs: address of the object, owner + 1. */
  #ghosts = 0

  constructor(image: MachineImage) {
    this.#image = image
  }

  ghostWords(): number {
    return SLOTS * 2
  }

  attach(machine: Machine, ghosts: number): void {
    this.#machine = machine
    this.#ghosts = ghosts
  }

  onMark(vcpu: number, call: number, eax: number): void {
    const leaves = call === GUEST_CALLS.leave || call === GUEST_CALLS.release
    if (call !== GUEST_CALLS.enter && !leaves) return
    const { store } = this.#machine
    let free = -1
    for (let slot = 0; slot < SLOTS; slot++) {
      const at = this.#ghosts + slot * 2
      const owner = store.w[at + 1]
      if (owner === 0) {
        if (free < 0) free = at
        continue
      }
      if (store.w[at] !== eax) continue
      if (leaves && owner === vcpu + 1) {
        store.set(at, 0)
        store.set(at + 1, 0)
        return
      }
      const verb = leaves ? 'leaves' : 'enters'
      return this.#machine.violate('mutual-exclusion', vcpu, `${verb} ${this.#nameOf(eax)}, which vCPU ${owner - 1} owns`)
    }
    if (leaves)
      return this.#machine.violate('mutual-exclusion', vcpu, `leaves ${this.#nameOf(eax)}, which nobody owns`)
    if (free < 0) return this.#machine.violate('limit', vcpu, `more than ${SLOTS} objects are owned at once`)
    store.set(free, eax)
    store.set(free + 1, vcpu + 1)
  }

  #nameOf(address: number): string {
    return nameOfObject(this.#machine, this.#image, address)
  }
}
