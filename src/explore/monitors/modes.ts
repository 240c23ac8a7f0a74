/**
 * Modes of a vCPU (lazy MMU and lazy CPU mode, "the virtual interrupt flag is closed"), named by an address: it is in one of a name at a
 * time (`mode-entered-twice`), leaves the one that it is in (`mode-unpaired`), on the vCPU where it was entered and before that ends, and
 * executes none of the functions that XM_FORBIDS lists for the name while it is in one (`forbidden-call`).
 */
import { GUEST_CALLS } from '../../smp/guestCalls.ts'
import { MODE_POINT, type Forbids, type MachineImage } from '../../smp/image.ts'
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'
import { GhostList, type RowKind } from './ghostList.ts'

const MODES_MAX = 32

interface Mode {
  readonly vcpu: number
  readonly name: number
  readonly which: number
}

const MODE: RowKind<Mode> = {
  words: 3,
  pack: ({ vcpu, name, which }) => [vcpu, name, which],
  unpack: ([vcpu, name, which]) => ({ vcpu, name, which }),
  compare: (a, b) => a.vcpu - b.vcpu || a.name - b.name,
}

export class Modes implements Monitor {
  readonly name = 'modes'
  readonly watches: readonly number[]
  readonly #forbids: readonly Forbids[]
  readonly #image: MachineImage
  #machine!: Machine
  #on!: GhostList<Mode>

  constructor(image: MachineImage) {
    this.#image = image
    this.#forbids = (image.claims ?? []).filter((claim) => claim.kind === 'forbids')
    this.watches = [...new Set(this.#forbids.flatMap(({ functions }) => functions.map((one) => one >>> 0)))]
  }

  ghostWords(): number {
    return GhostList.ghostWords(MODE, MODES_MAX)
  }

  attach(machine: Machine, ghosts: number): void {
    this.#machine = machine
    this.#on = new GhostList(machine, ghosts, MODE, MODES_MAX, 'modes are entered')
  }

  isIdle(): boolean {
    return this.#on.length === 0
  }

  onMark(vcpu: number, call: number, name: number, which: number): void {
    if (call !== GUEST_CALLS.modeon && call !== GUEST_CALLS.modeoff) return
    const on = this.#of(vcpu, name)
    const machine = this.#machine
    if (call === GUEST_CALLS.modeon) {
      for (const claim of this.#forbids) if (claim.address === name) machine.countPoint(claim.id + MODE_POINT)
      if (on !== undefined) return machine.violate('mode-entered-twice', vcpu, `enters mode ${which} of ${this.#nameOf(name)}, and is in mode ${on.which}`)
      return this.#on.save(vcpu, [...this.#on.list(), { vcpu, name, which }])
    }
    if (on?.which !== which) {
      const elsewhere = this.#on.find((one) => one.name === name && one.which === which)
      const what = on !== undefined ? `and is in mode ${on.which}` : elsewhere === undefined ? 'and is in none' : `which vCPU ${elsewhere.vcpu} is in`
      return machine.violate('mode-unpaired', vcpu, `leaves mode ${which} of ${this.#nameOf(name)}, ${what}`)
    }
    this.#on.save(vcpu, this.#on.list().filter((one) => one.vcpu !== vcpu || one.name !== name))
  }

  onEnd(vcpu: number): void {
    const left = this.#machine.running() ? this.#on.find((one) => one.vcpu === vcpu) : undefined
    if (left !== undefined) this.#machine.violate('mode-unpaired', vcpu, `ends in mode ${left.which} of ${this.#nameOf(left.name)}`)
  }

  onExecute(vcpu: number, eip: number): void {
    const machine = this.#machine
    for (const { id, address, functions } of this.#forbids) {
      if (!functions.some((one) => one >>> 0 === eip >>> 0)) continue
      machine.countPoint(id)
      const on = this.#of(vcpu, address)
      if (on !== undefined) machine.violate('forbidden-call', vcpu, `executes ${machine.symbolize(eip)} in mode ${on.which} of ${this.#nameOf(address)}, which forbids it`)
    }
  }

  #of(vcpu: number, name: number): Mode | undefined {
    return this.#on.find((one) => one.vcpu === vcpu && one.name === name)
  }

  #nameOf(name: number): string {
    return this.#image.claims?.find((claim) => claim.kind === 'forbids' && claim.address === name)?.name ?? this.#machine.symbolize(name)
  }
}
