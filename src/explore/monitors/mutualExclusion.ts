/** An object that a vCPU entered (XM_ENTER) is entered by no other until it left: `mutual-exclusion`. */
import { GUEST_CALLS } from '../../smp/guestCalls.ts'
import { ObjectMonitor, WHO } from './objects.ts'

/** WHO is the owner + 1. */
export class MutualExclusion extends ObjectMonitor {
  readonly name = 'mutual-exclusion'

  protected slotWords(): number {
    return 2
  }

  onMark(vcpu: number, call: number, object: number): void {
    const leaves = call === GUEST_CALLS.leave || call === GUEST_CALLS.release
    if (call !== GUEST_CALLS.enter && !leaves) return
    const { store } = this.machine
    const at = this.slotOf(object)
    const owner = at === null ? 0 : store.w[at + WHO]
    if (leaves && owner === vcpu + 1) return this.release(at!)
    if (owner !== 0 || leaves) {
      const whose = owner === 0 ? 'nobody owns' : `vCPU ${owner - 1} owns`
      return this.machine.violate('mutual-exclusion', vcpu, `${leaves ? 'leaves' : 'enters'} ${this.nameOf(object)}, which ${whose}`)
    }
    const free = this.slotFor(object, vcpu, 'are owned')
    if (free !== null) store.set(free + WHO, vcpu + 1)
  }
}
