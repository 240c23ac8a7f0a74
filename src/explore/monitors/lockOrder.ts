/**
 * First come, first served (Lamport, CACM 17(8), 1974): who had taken a place in the queue of an object (XM_QUEUED) before another
 * came for it (XM_ARRIVE) enters it before that one does: `fifo-order`. Who only came has no place yet, so two that come at once may
 * enter in either order.
 */
import { GUEST_CALLS } from '../../smp/guestCalls.ts'
import { ObjectMonitor, WHO } from './objects.ts'

/** Words of a slot besides WHO, which are those who have come: who of them has a place, then for each vCPU those that it has to let in first (bits). */
const QUEUED = 2
const BEFORE = 3

export class LockOrder extends ObjectMonitor {
  readonly name = 'fifo-order'

  protected slotWords(vcpus: number): number {
    return BEFORE + vcpus
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
    const at = this.slotFor(object, vcpu, 'are waited for')
    if (at === null) return
    const { store } = this.machine
    store.set(at + WHO, store.w[at + WHO] | (1 << vcpu))
    store.set(at + QUEUED, store.w[at + QUEUED] & ~(1 << vcpu))
    store.set(at + BEFORE + vcpu, store.w[at + QUEUED])
    // One that comes again (it gave up) has lost its place.
    for (let v = 0; v < this.machine.vcpuCount; v++) if (v !== vcpu) store.set(at + BEFORE + v, store.w[at + BEFORE + v] & ~(1 << vcpu))
  }

  #queued(vcpu: number, object: number): void {
    const at = this.slotOf(object)
    const { store } = this.machine
    if (at === null || (store.w[at + WHO] & (1 << vcpu)) === 0)
      return this.machine.violate('bad-call', vcpu, `XM_QUEUED(${this.nameOf(object)}) without XM_ARRIVE before it`)
    store.set(at + QUEUED, store.w[at + QUEUED] | (1 << vcpu))
  }

  #enter(vcpu: number, object: number): void {
    const at = this.slotOf(object)
    const { store } = this.machine
    if (at === null || (store.w[at + WHO] & (1 << vcpu)) === 0) return
    const before = store.w[at + BEFORE + vcpu]
    if (before !== 0 && (store.w[at + QUEUED] & (1 << vcpu)) !== 0) {
      const first = 31 - Math.clz32(before & -before)
      const name = this.nameOf(object)
      return this.machine.violate('fifo-order', vcpu, `enters ${name} before vCPU ${first}, which was in the queue when it came`)
    }
    const rest = store.w[at + WHO] & ~(1 << vcpu)
    store.set(at + WHO, rest)
    store.set(at + QUEUED, store.w[at + QUEUED] & ~(1 << vcpu))
    store.set(at + BEFORE + vcpu, 0)
    for (let v = 0; v < this.machine.vcpuCount; v++) store.set(at + BEFORE + v, store.w[at + BEFORE + v] & ~(1 << vcpu))
    if (rest === 0) this.release(at)
  }
}
