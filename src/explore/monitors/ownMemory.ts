/** Memory that belongs to one vCPU (XM_OWN), such as its queue of hypercalls, is accessed by no other, be it code that migrated: `foreign-access`. */
import type { MachineImage, OwnMemory as Claim } from '../../smp/image.ts'
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'

export class OwnMemory implements Monitor {
  readonly name = 'own-memory'
  readonly #claims: readonly Claim[]
  #machine!: Machine

  constructor(image: MachineImage) {
    this.#claims = (image.claims ?? []).filter((claim) => claim.kind === 'own')
  }

  ghostWords(): number {
    return 0
  }

  attach(machine: Machine): void {
    this.#machine = machine
  }

  /** What it makes of a step depends on nothing but the step. */
  isIdle(): boolean {
    return true
  }

  onAccess(vcpu: number, physical: number, sizeBytes: number, write: boolean): void {
    for (const claim of this.#claims) {
      const offset = (physical - claim.address) | 0
      if (offset >= claim.sizeBytes || offset <= -sizeBytes) continue
      this.#machine.countPoint(claim.id)
      if (claim.vcpu !== vcpu) this.#machine.violate('foreign-access', vcpu, `${write ? 'writes' : 'reads'} ${this.#machine.symbolize(physical)}: ${claim.name} belongs to vCPU ${claim.vcpu}`)
    }
  }
}
