/**
 * Each pass over a site (from its first instruction to the one behind it, by the same context) calls exactly one of the
 * functions of XM_CALLS, once, whether the call is executed there or emulated: `lost-call`, `double-call`. What it counts are calls
 * and jumps that leave the stack as the site's own would. A jump ends the pass: nothing behind the site is executed.
 */
import { ESP, SEG_BASE, SS } from '../../cpu/registers.ts'
import type { MachineImage } from '../../smp/image.ts'
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'
import { GhostList, type RowKind } from './ghostList.ts'

/** Passes that can be open at the same time. */
const OPEN_MAX = 32

interface Pass {
  /** Address of the top of the stack, at both ends of the pass. */
  readonly top: number
  readonly site: number
  readonly calls: number
}

const PASS: RowKind<Pass> = {
  words: 3,
  pack: ({ top, site, calls }) => [top, site, calls],
  unpack: ([top, site, calls]) => ({ top: top >>> 0, site, calls }),
  compare: (a, b) => a.top - b.top || a.site - b.site,
}

interface CountedSite {
  readonly name: string
  readonly address: number
  readonly end: number
  readonly functions: readonly number[]
}

export class CallCount implements Monitor {
  readonly name = 'call-count'
  readonly watches: readonly number[]
  readonly #sites: readonly CountedSite[]
  #machine!: Machine
  #open!: GhostList<Pass>

  constructor(image: MachineImage) {
    this.#sites = image.sites.flatMap(({ name, address, sizeBytes, calls }) =>
      calls === undefined ? [] : [{ name, address: address >>> 0, end: (address + sizeBytes) >>> 0, functions: calls.map((one) => one >>> 0) }],
    )
    this.watches = [...new Set(this.#sites.flatMap(({ address, end, functions }) => [address, end, ...functions]))]
  }

  ghostWords(): number {
    return this.#sites.length === 0 ? 0 : GhostList.ghostWords(PASS, OPEN_MAX)
  }

  attach(machine: Machine, ghosts: number): void {
    this.#machine = machine
    this.#open = new GhostList(machine, ghosts, PASS, OPEN_MAX, 'passes over sites are open')
  }

  onExecute(vcpu: number, eip: number): void {
    const { r } = this.#machine.cpus[vcpu]
    const top = (r[SEG_BASE + SS] + r[ESP]) >>> 0
    this.#sites.forEach((site, number) => {
      if (this.#machine.violation !== null) return
      if (site.functions.includes(eip)) this.#count(vcpu, number, top)
      if (eip === site.address) this.#begin(vcpu, number, top)
      if (eip === site.end) this.#end(vcpu, number, top)
    })
  }

  /** A site that is tried again, as a handler may decide, is one pass. */
  #begin(vcpu: number, site: number, top: number): void {
    const list = this.#open.list()
    if (!list.some((one) => one.site === site && one.top === top)) this.#open.save(vcpu, [...list, { top, site, calls: 0 }])
  }

  #count(vcpu: number, site: number, top: number): void {
    const list = this.#open.list()
    // Called: the return address is on the stack. Jumped to, it returns to the caller of the site: the pass is over.
    const called = list.find((one) => one.site === site && one.top === (top + 4) >>> 0)
    const found = called ?? list.find((one) => one.site === site && one.top === top)
    if (found === undefined) return
    if (found.calls > 0) return this.#machine.violate('double-call', vcpu, `site ${this.#sites[site].name}: a second call in one pass, of ${this.#machine.symbolize(this.#machine.eip(vcpu))}`)
    this.#open.save(vcpu, called === undefined ? list.filter((one) => one !== found) : list.map((one) => (one === found ? { ...one, calls: 1 } : one)))
  }

  #end(vcpu: number, site: number, top: number): void {
    const list = this.#open.list()
    const found = list.find((one) => one.site === site && one.top === top)
    if (found === undefined) return
    if (found.calls === 0) return this.#machine.violate('lost-call', vcpu, `a pass over site ${this.#sites[site].name} called none of its functions`)
    this.#open.save(vcpu, list.filter((one) => one !== found))
  }
}
