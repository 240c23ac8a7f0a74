/**
 * Each pass over a site (from its first instruction to the one behind it, by the same context) calls exactly one of the
 * functions of XM_CALLS, once, whether the call is executed there or emulated: `lost-call`, `double-call`. What it counts are calls
 * and jumps that leave the stack as the site's own would.
 */
import { ESP, SEG_BASE, SS } from '../../cpu/registers.ts'
import type { MachineImage } from '../../smp/image.ts'
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'

/** Passes that can be open at the same time. */
const SLOTS = 32
const SLOT_WORDS = 3

interface Pass {
  /** Address of the top of the stack, at both ends of the pass. */
  readonly top: number
  readonly site: number
  readonly calls: number
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
  /** Number of open passes, then each: top of the stack, number of the site, calls so far; sorted by top, the rest 0. */
  #ghosts = 0

  constructor(image: MachineImage) {
    this.#sites = image.sites.flatMap(({ name, address, sizeBytes, calls }) =>
      calls === undefined ? [] : [{ name, address: address >>> 0, end: (address + sizeBytes) >>> 0, functions: calls.map((one) => one >>> 0) }],
    )
    this.watches = [...new Set(this.#sites.flatMap(({ address, end, functions }) => [address, end, ...functions]))]
  }

  ghostWords(): number {
    return this.#sites.length === 0 ? 0 : 1 + SLOTS * SLOT_WORDS
  }

  attach(machine: Machine, ghosts: number): void {
    this.#machine = machine
    this.#ghosts = ghosts
  }

  onExecute(vcpu: number, eip: number): void {
    const { r } = this.#machine.cpus[vcpu]
    const top = (r[SEG_BASE + SS] + r[ESP]) >>> 0
    this.#sites.forEach((site, number) => {
      if (this.#machine.violation !== null) return
      if (site.functions.includes(eip)) this.#count(vcpu, number, top)
      if (eip === site.address) this.#open(vcpu, number, top)
      if (eip === site.end) this.#close(vcpu, number, top)
    })
  }

  /** A site that is tried again, as a handler may decide, is one pass. */
  #open(vcpu: number, site: number, top: number): void {
    const list = this.#list()
    if (!list.some((one) => one.site === site && one.top === top)) this.#save(vcpu, [...list, { top, site, calls: 0 }])
  }

  #count(vcpu: number, site: number, top: number): void {
    const list = this.#list()
    // Called: the return address is on the stack. Jumped to: it is not.
    const found = list.find((one) => one.site === site && one.top === (top + 4) >>> 0) ?? list.find((one) => one.site === site && one.top === top)
    if (found === undefined) return
    if (found.calls > 0) return this.#machine.violate('double-call', vcpu, `site ${this.#sites[site].name}: a second call in one pass, of ${this.#machine.symbolize(this.#machine.eip(vcpu))}`)
    this.#save(vcpu, list.map((one) => (one === found ? { ...one, calls: 1 } : one)))
  }

  #close(vcpu: number, site: number, top: number): void {
    const list = this.#list()
    const found = list.find((one) => one.site === site && one.top === top)
    if (found === undefined) return
    if (found.calls === 0) return this.#machine.violate('lost-call', vcpu, `a pass over site ${this.#sites[site].name} called none of its functions`)
    this.#save(vcpu, list.filter((one) => one !== found))
  }

  #list(): Pass[] {
    const { w } = this.#machine.store
    return Array.from({ length: w[this.#ghosts] }, (_, k) => {
      const at = this.#ghosts + 1 + k * SLOT_WORDS
      return { top: w[at] >>> 0, site: w[at + 1], calls: w[at + 2] }
    })
  }

  #save(vcpu: number, passes: readonly Pass[]): void {
    const { store } = this.#machine
    if (passes.length > SLOTS) return this.#machine.violate('limit', vcpu, `more than ${SLOTS} passes over sites are open at once`)
    const list = [...passes].sort((a, b) => a.top - b.top || a.site - b.site)
    const used = Math.max(list.length, store.w[this.#ghosts])
    store.set(this.#ghosts, list.length)
    for (let k = 0; k < used; k++) {
      const words = k < list.length ? [list[k].top, list[k].site, list[k].calls] : [0, 0, 0]
      words.forEach((word, i) => store.set(this.#ghosts + 1 + k * SLOT_WORDS + i, word))
    }
  }
}
