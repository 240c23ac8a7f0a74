/** An object that a vCPU entered (XM_ENTER) is entered by no other until it left: `mutual-exclusion`. */
import { GUEST_CALLS } from '../../smp/guestCalls.ts'
import type { MachineImage } from '../../smp/image.ts'
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'

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
    if (call !== GUEST_CALLS.enter && call !== GUEST_CALLS.leave) return
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
      if (call === GUEST_CALLS.leave && owner === vcpu + 1) {
        store.set(at, 0)
        store.set(at + 1, 0)
        return
      }
      const verb = call === GUEST_CALLS.enter ? 'enters' : 'leaves'
      return this.#machine.violate('mutual-exclusion', vcpu, `${verb} ${this.#nameOf(eax)}, which vCPU ${owner - 1} owns`)
    }
    if (call === GUEST_CALLS.leave)
      return this.#machine.violate('mutual-exclusion', vcpu, `leaves ${this.#nameOf(eax)}, which nobody owns`)
    if (free < 0) return this.#machine.violate('limit', vcpu, `more than ${SLOTS} objects are owned at once`)
    store.set(free, eax)
    store.set(free + 1, vcpu + 1)
  }

  #nameOf(address: number): string {
    const object = this.#image.objects.find((one) => one.address >>> 0 === address >>> 0)
    return object?.name ?? this.#machine.symbolize(address)
  }
}
