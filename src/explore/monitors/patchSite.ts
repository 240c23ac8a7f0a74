/** Every executed instance of a patch site is one of its allowed forms: `illegal-target`, `torn-instruction`. */
import { IMM, type Op } from '../../cpu/decode.ts'
import type { MachineImage, PatchSite } from '../../smp/image.ts'
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'

export class PatchSites implements Monitor {
  readonly name = 'patch-site'
  readonly watches: readonly number[]
  readonly #sites = new Map<number, PatchSite>()
  #machine!: Machine

  constructor(image: MachineImage) {
    for (const site of image.sites)
      for (let b = 0; b < site.sizeBytes; b++) this.#sites.set((site.address + b) >>> 0, site)
    this.watches = [...this.#sites.keys()]
  }

  ghostWords(): number {
    return 0
  }

  attach(machine: Machine): void {
    this.#machine = machine
  }

  onExecute(vcpu: number, eip: number, op: Op): void {
    const site = this.#sites.get(eip)
    if (site === undefined) return
    const machine = this.#machine
    if (eip !== site.address >>> 0)
      return machine.violate('torn-instruction', vcpu, `executes from the middle of site ${site.name}, at ${machine.symbolize(eip)}`)
    const name = op.row?.mnemonic ?? '(no instruction)'
    if (name === 'int3' && site.int3) return this.#count(site, 'int3')
    const jumps = (name === 'call' || name === 'jmp') && op.a.kind === IMM && op.length === site.sizeBytes
    const nop = name === 'nop' && op.length === site.sizeBytes
    if (!jumps && !nop)
      return machine.violate('torn-instruction', vcpu, `site ${site.name} was executed as \`${name}\` of ${op.length} bytes`)
    const target = (eip + op.length + (jumps ? op.a.value : 0)) >>> 0
    if (site.targets.some((allowed) => allowed >>> 0 === target)) return this.#count(site, machine.symbolize(target))
    const allowed = site.targets.map((one) => machine.symbolize(one)).join(' or ')
    machine.violate('illegal-target', vcpu, `site ${site.name} ${name}s ${machine.symbolize(target)}; allowed is ${allowed}`)
  }

  #count(site: PatchSite, what: string): void {
    const key = `${site.name}>${what}`
    const sites = this.#machine.coverage.sites
    sites.set(key, (sites.get(key) ?? 0) + 1)
  }
}
