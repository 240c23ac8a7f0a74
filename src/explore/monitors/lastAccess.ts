/**
 * The release is the last access: who has released an object (XM_RELEASE) does not touch it once another has entered it, which may have
 * freed it by then, until it comes for it again (XM_ARRIVE, XM_ENTER): `access-after-release`.
 */
import { GUEST_CALLS } from '../../smp/guestCalls.ts'
import type { MachineImage } from '../../smp/image.ts'
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'
import { nameOfObject } from './objects.ts'

/** Objects that are released, as promised here, at one time. */
const SLOTS = 16
/** Words of a slot: object, its bytes, who has released it, who of them before another entered it (bits). */
const OBJECT = 0
const BYTES = 1
const RELEASED = 2
const PASSED_ON = 3
const SLOT_WORDS = 4

export class LastAccess implements Monitor {
  readonly name = 'last-access'
  readonly #image: MachineImage
  #machine!: Machine
  #ghosts = 0

  constructor(image: MachineImage) {
    this.#image = image
  }

  /** The slots, and one word: those that have somebody in PASSED_ON (bits). */
  ghostWords(): number {
    return SLOTS * SLOT_WORDS + 1
  }

  attach(machine: Machine, ghosts: number): void {
    this.#machine = machine
    this.#ghosts = ghosts
  }

  isIdle(): boolean {
    return this.#machine.store.w[this.#busy] === 0
  }

  get #busy(): number {
    return this.#ghosts + SLOTS * SLOT_WORDS
  }

  onMark(vcpu: number, call: number, eax: number, edx: number): void {
    const release = call === GUEST_CALLS.release
    if (!release && call !== GUEST_CALLS.arrive && call !== GUEST_CALLS.enter) return
    const { store } = this.#machine
    const at = this.#slotOf(eax) ?? (release ? this.#slotOf(0) : null)
    if (at === null) {
      if (release) this.#machine.violate('limit', vcpu, `more than ${SLOTS} objects are released at once`)
      return
    }
    const self = 1 << vcpu
    if (release) {
      store.set(at + OBJECT, eax)
      store.set(at + BYTES, edx)
      store.set(at + RELEASED, store.w[at + RELEASED] | self)
      return
    }
    const released = store.w[at + RELEASED] & ~self
    store.set(at + RELEASED, released)
    const passedOn = call === GUEST_CALLS.enter ? released : store.w[at + PASSED_ON] & ~self
    store.set(at + PASSED_ON, passedOn)
    const slot = 1 << ((at - this.#ghosts) / SLOT_WORDS)
    store.set(this.#busy, passedOn !== 0 ? store.w[this.#busy] | slot : store.w[this.#busy] & ~slot)
    if (released === 0) for (const word of [OBJECT, BYTES]) store.set(at + word, 0)
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
    const { w } = this.#machine.store
    for (let slot = 0; slot < SLOTS; slot++) {
      const at = this.#at(slot)
      if ((w[at + PASSED_ON] & (1 << vcpu)) === 0) continue
      const offset = (physical - w[at + OBJECT]) | 0
      if (offset >= w[at + BYTES] || offset <= -sizeBytes) continue
      const name = nameOfObject(this.#machine, this.#image, w[at + OBJECT])
      return this.#machine.violate('access-after-release', vcpu, `${verb} ${name} after it was released and another vCPU has entered it: it may be gone`)
    }
  }

  #at(slot: number): number {
    return this.#ghosts + slot * SLOT_WORDS
  }

  /** First word of the slot of `object` (0: of a free one); null: there is none. */
  #slotOf(object: number): number | null {
    for (let slot = 0; slot < SLOTS; slot++) if (this.#machine.store.w[this.#at(slot) + OBJECT] === object) return this.#at(slot)
    return null
  }
}
