/**
 * The release is the last access: who has released an object (XM_RELEASE) does not touch it once another has entered it, which may have
 * freed it by then, until it comes for it again (XM_ARRIVE, XM_ENTER): `access-after-release`.
 */
import { GUEST_CALLS } from '../../smp/guestCalls.ts'
import { OBJECT, ObjectMonitor, WHO } from './objects.ts'

/** Words of a slot besides WHO, which are those who have released it (bits): who of them before another entered it; bytes of the object. */
const PASSED_ON = 2
const BYTES = 3
const SLOT_WORDS = 4

export class LastAccess extends ObjectMonitor {
  readonly name = 'last-access'

  protected slotWords(): number {
    return SLOT_WORDS
  }

  /** The slots, and one word: how many of them have somebody in PASSED_ON. */
  override ghostWords(vcpus: number): number {
    return super.ghostWords(vcpus) + 1
  }

  isIdle(): boolean {
    return this.machine.store.w[this.rest] === 0
  }

  onMark(vcpu: number, call: number, object: number, bytes: number): void {
    const { store } = this.machine
    if (call === GUEST_CALLS.release) {
      const at = this.slotFor(object, vcpu, 'are released')
      if (at === null) return
      store.set(at + WHO, store.w[at + WHO] | (1 << vcpu))
      store.set(at + BYTES, bytes)
      return
    }
    const at = call === GUEST_CALLS.arrive || call === GUEST_CALLS.enter ? this.slotOf(object) : null
    if (at === null) return
    const released = store.w[at + WHO] & ~(1 << vcpu)
    const before = store.w[at + PASSED_ON]
    const passedOn = call === GUEST_CALLS.enter ? released : before & ~(1 << vcpu)
    store.set(this.rest, store.w[this.rest] + Number(passedOn !== 0) - Number(before !== 0))
    store.set(at + WHO, released)
    store.set(at + PASSED_ON, passedOn)
    if (released === 0) this.release(at)
  }

  onAccess(vcpu: number, physical: number, sizeBytes: number, write: boolean): void {
    this.#judge(vcpu, physical, sizeBytes, write ? 'writes' : 'reads')
  }

  /** A store behind the release can be executed before another enters, and reach memory after that. */
  onDrain(vcpu: number, physical: number, sizeBytes: number): void {
    this.#judge(vcpu, physical, sizeBytes, 'has a buffered store reach')
  }

  #judge(vcpu: number, physical: number, sizeBytes: number, verb: string): void {
    if (this.isIdle()) return
    const { w } = this.machine.store
    for (const at of this.slots()) {
      if ((w[at + PASSED_ON] & (1 << vcpu)) === 0) continue
      const offset = (physical - w[at + OBJECT]) | 0
      if (offset >= w[at + BYTES] || offset <= -sizeBytes) continue
      const name = this.nameOf(w[at + OBJECT])
      return this.machine.violate('access-after-release', vcpu, `${verb} ${name} after it was released and another vCPU has entered it: it may be gone`)
    }
  }
}
