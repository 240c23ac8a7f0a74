/**
 * Each pass over a site (from its first instruction to the one behind it, by the same context) calls exactly one of the
 * functions of XM_CALLS, once: `lost-call`, `double-call`. What it counts are calls and jumps that leave the stack as the site's own would,
 * executed there or emulated (a jump ends the pass: nothing behind the site is executed), and those that the handler of an INT3 there makes itself,
 * up to its return. What a function calls that was counted, and interrupts of the handler, are no calls of the site.
 */
import type { Op } from '../../cpu/decode.ts'
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
  /** 1 and the vCPU that runs the handler of its INT3; 0: nobody does. */
  readonly handler: number
  /** Where, below the handler's stack, the return address (or frame) stands of what is no code of its own; 0: it is its own. */
  readonly inside: number
}

/** Bytes that INT3 pushes: EIP, CS, EFLAGS. */
const FRAME_BYTES = 12

const PASS: RowKind<Pass> = {
  words: 5,
  pack: ({ top, site, calls, handler, inside }) => [top, site, calls, handler, inside],
  unpack: ([top, site, calls, handler, inside]) => ({ top: top >>> 0, site, calls, handler, inside: inside >>> 0 }),
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

  /** Returns and interrupts matter to handlers only. */
  isIdle(): boolean {
    return this.#sites.length === 0 || this.#open.find(({ handler }) => handler !== 0) === undefined
  }

  onExecute(vcpu: number, eip: number, op: Op): void {
    const { r } = this.#machine.cpus[vcpu]
    const top = (r[SEG_BASE + SS] + r[ESP]) >>> 0
    const entered = this.#sites.flatMap(({ functions }, number) => (functions.includes(eip) ? [number] : []))
    if (entered.length > 0) this.#count(vcpu, entered, top)
    this.#sites.forEach((site, number) => {
      if (this.#machine.violation !== null) return
      if (eip === site.address) this.#begin(vcpu, number, top, op.row?.mnemonic === 'int3')
      if (eip === site.end) this.#end(vcpu, number, top)
    })
  }

  onInterrupt(vcpu: number, place: number, _eip: number, asked: boolean): void {
    if (!asked) this.#change(vcpu, ({ inside }) => inside === 0, (pass) => ({ ...pass, inside: place }))
  }

  onReturn(vcpu: number, place: number): void {
    if (this.isIdle()) return
    this.#change(vcpu, ({ inside }) => inside !== 0 && place >= inside, (pass) => ({ ...pass, inside: 0 }))
    this.#change(vcpu, ({ top }) => place >= top - FRAME_BYTES, (pass) => ({ ...pass, handler: 0 }))
  }

  /** Changes passes whose handler `vcpu` runs. */
  #change(vcpu: number, isIt: (pass: Pass) => boolean, changed: (pass: Pass) => Pass): void {
    const list = this.#sites.length === 0 ? [] : this.#open.list()
    const found = (pass: Pass) => pass.handler === vcpu + 1 && isIt(pass)
    if (list.some(found)) this.#open.save(vcpu, list.map((pass) => (found(pass) ? changed(pass) : pass)))
  }

  /** A site that is tried again, as a handler may decide, is one pass. */
  #begin(vcpu: number, site: number, top: number, traps: boolean): void {
    const list = this.#open.list()
    const known = list.find((one) => one.site === site && one.top === top)
    const pass = { top, site, calls: known?.calls ?? 0, handler: traps ? vcpu + 1 : 0, inside: 0 }
    if (known === undefined || known.handler !== pass.handler || known.inside !== 0) this.#open.save(vcpu, [...list.filter((one) => one !== known), pass])
  }

  /** A function of XM_CALLS of the sites `entered` is about to be executed. */
  #count(vcpu: number, entered: readonly number[], top: number): void {
    const list = this.#open.list()
    const passes = list.filter(({ site }) => entered.includes(site))
    // Called: the return address is on the stack. Jumped to, it returns to the caller of the site: the pass is over.
    const called = passes.filter((one) => one.top === (top + 4) >>> 0)
    const jumped = passes.filter((one) => one.top === top && !called.some(({ site }) => site === one.site))
    const own = [...called, ...jumped]
    const handled = own.length > 0 ? [] : this.#handled(vcpu, passes, top)
    const double = [...own, ...handled].find(({ calls }) => calls > 0)
    if (double !== undefined)
      return this.#machine.violate('double-call', vcpu, `site ${this.#sites[double.site].name}: a second call in one pass, of ${this.#machine.symbolize(this.#machine.eip(vcpu))}`)
    const counted = (pass: Pass): Pass =>
      handled.includes(pass) ? { ...pass, calls: 1, inside: top } : called.includes(pass) ? { ...pass, calls: 1, handler: 0, inside: 0 } : pass
    if (own.length + handled.length > 0) this.#open.save(vcpu, list.filter((one) => !jumped.includes(one)).map(counted))
  }

  /** The pass whose handler makes the call itself: the innermost that `vcpu` runs the handler of. */
  #handled(vcpu: number, passes: readonly Pass[], top: number): Pass[] {
    const all = passes.filter((one) => one.handler === vcpu + 1 && top < one.top - FRAME_BYTES)
    const innermost = all.reduce((least, one) => Math.min(least, one.top), Infinity)
    return all.filter((one) => one.top === innermost && one.inside === 0)
  }

  #end(vcpu: number, site: number, top: number): void {
    const list = this.#open.list()
    const found = list.find((one) => one.site === site && one.top === top)
    if (found === undefined) return
    if (found.calls === 0) return this.#machine.violate('lost-call', vcpu, `a pass over site ${this.#sites[site].name} called none of its functions`)
    this.#open.save(vcpu, list.filter((one) => one !== found))
  }
}
