/** What monitors of marked objects (XM_ENTER and the like) have in common: a slot of ghost state for each object at hand. */
import type { MachineImage } from '../../smp/image.ts'
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'

/** Objects that are kept at the same time. */
const SLOTS = 16
/** First words of every slot: address of the object; vCPUs that have to do with it (0: the slot is free). */
export const OBJECT = 0
export const WHO = 1

export abstract class ObjectMonitor implements Monitor {
  abstract readonly name: string
  protected machine!: Machine
  /** Behind the slots. */
  protected rest = 0
  readonly #image: MachineImage
  #ghosts = 0
  #slotWords = 0

  constructor(image: MachineImage) {
    this.#image = image
  }

  /** Words of a slot. */
  protected abstract slotWords(vcpus: number): number

  ghostWords(vcpus: number): number {
    return SLOTS * this.slotWords(vcpus)
  }

  attach(machine: Machine, ghosts: number): void {
    this.machine = machine
    this.#ghosts = ghosts
    this.#slotWords = this.slotWords(machine.vcpuCount)
    this.rest = ghosts + SLOTS * this.#slotWords
  }

  /** First words of the slots that are taken. */
  protected *slots(): Generator<number> {
    for (let at = this.#ghosts; at < this.rest; at += this.#slotWords) if (this.machine.store.w[at + WHO] !== 0) yield at
  }

  /** First word of the slot of `object`; null: it has none. */
  protected slotOf(object: number): number | null {
    const { w } = this.machine.store
    for (let at = this.#ghosts; at < this.rest; at += this.#slotWords) if (w[at + WHO] !== 0 && w[at + OBJECT] === object) return at
    return null
  }

  /** The same, or a free slot that is given to it, to be taken by setting WHO; null: judged, there are too many. @param what they are: `are owned` */
  protected slotFor(object: number, vcpu: number, what: string): number | null {
    const own = this.slotOf(object)
    if (own !== null) return own
    const { store } = this.machine
    for (let at = this.#ghosts; at < this.rest; at += this.#slotWords) {
      if (store.w[at + WHO] !== 0) continue
      store.set(at + OBJECT, object)
      return at
    }
    this.machine.violate('limit', vcpu, `more than ${SLOTS} objects ${what} at once`)
    return null
  }

  protected release(at: number): void {
    for (let k = 0; k < this.#slotWords; k++) this.machine.store.set(at + k, 0)
  }

  /** The name of the object (XM_OBJECT), or of the symbol there. */
  protected nameOf(object: number): string {
    return this.#image.objects.find((one) => one.address >>> 0 === object >>> 0)?.name ?? this.machine.symbolize(object)
  }
}
