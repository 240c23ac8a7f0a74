/**
 * First come, first served (Lamport, CACM 17(8), 1974): who had taken a place in the queue of an object (XM_QUEUED) before another
 * came for it (XM_ARRIVE) enters it before that one does: `fifo-order`. Who only came has no place yet, so two that come at once may
 * enter in either order.
 */
import { GUEST_CALLS } from '../../smp/guestCalls.ts'
import type { MachineImage } from '../../smp/image.ts'
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'
import { nameOfObject } from './objects.ts'

/** Objects that are waited for at the same time. */
const SLOTS = 16
/** Words of a slot: the object, who waits, who of them has a place, then for each vCPU those that it has to let in first (bits). */
const OBJECT = 0
const COME = 1
const QUEUED = 2
const BEFORE = 3

export class LockOrder implements Monitor {
  readonly name = 'fifo-order'
  readonly #image: MachineImage
  #machine!: Machine
  #ghosts = 0
  #vcpus = 0

  constructor(image: MachineImage) {
    this.#image = image
  }

  ghostWords(vcpus: number): number {
    return SLOTS * (BEFORE + vcpus)
  }

  attach(machine: Machine, ghosts: number): void {
    this.#machine = machine
    this.#ghosts = ghosts
    this.#vcpus = machine.vcpuCount
  }

  onMark(vcpu: number, call: number, eax: number): void {
    switch (call) {
      case GUEST_CALLS.arrive:
        return this.#arrive(vcpu, eax)
      case GUEST_CALLS.queued:
        return this.#queued(vcpu, eax)
      case GUEST_CALLS.enter:
        return this.#enter(vcpu, eax)
    }
  }

  #arrive(vcpu: number, object: number): void {
    const at = this.#slotOf(object) ?? this.#slotOf(0)
    if (at === null) return this.#machine.violate('limit', vcpu, `more than ${SLOTS} objects are waited for at once`)
    const { store } = this.#machine
    store.set(at + OBJECT, object)
    store.set(at + COME, store.w[at + COME] | (1 << vcpu))
    store.set(at + QUEUED, store.w[at + QUEUED] & ~(1 << vcpu))
    store.set(at + BEFORE + vcpu, store.w[at + QUEUED])
    // One that comes again (it gave up) has lost its place.
    for (let v = 0; v < this.#vcpus; v++) if (v !== vcpu) store.set(at + BEFORE + v, store.w[at + BEFORE + v] & ~(1 << vcpu))
  }

  #queued(vcpu: number, object: number): void {
    const at = this.#slotOf(object)
    const { store } = this.#machine
    if (at === null || (store.w[at + COME] & (1 << vcpu)) === 0)
      return this.#machine.violate('bad-call', vcpu, `XM_QUEUED(${nameOfObject(this.#machine, this.#image, object)}) without XM_ARRIVE before it`)
    store.set(at + QUEUED, store.w[at + QUEUED] | (1 << vcpu))
  }

  #enter(vcpu: number, object: number): void {
    const at = this.#slotOf(object)
    const { store } = this.#machine
    if (at === null || (store.w[at + COME] & (1 << vcpu)) === 0) return
    const before = store.w[at + BEFORE + vcpu]
    if (before !== 0 && (store.w[at + QUEUED] & (1 << vcpu)) !== 0) {
      const first = 31 - Math.clz32(before & -before)
      const name = nameOfObject(this.#machine, this.#image, object)
      return this.#machine.violate('fifo-order', vcpu, `enters ${name} before vCPU ${first}, which was in the queue when it came`)
    }
    const rest = store.w[at + COME] & ~(1 << vcpu)
    store.set(at + COME, rest)
    store.set(at + QUEUED, store.w[at + QUEUED] & ~(1 << vcpu))
    store.set(at + BEFORE + vcpu, 0)
    for (let v = 0; v < this.#vcpus; v++) store.set(at + BEFORE + v, store.w[at + BEFORE + v] & ~(1 << vcpu))
    if (rest === 0) store.set(at + OBJECT, 0)
  }

  /** First word of the slot of `object` (0: of a free one); null: there is none. */
  #slotOf(object: number): number | null {
    for (let slot = 0; slot < SLOTS; slot++) {
      const at = this.#ghosts + slot * (BEFORE + this.#vcpus)
      if (this.#machine.store.w[at + OBJECT] === object) return at
    }
    return null
  }
}
