/**
 * A saved EIP is a live reference into the text: while a task, or an interrupted handler, will return into the middle of a
 * patch site, nobody may rewrite what follows there in the site; and nobody may free (XM_FREE) code that somebody will return to:
 * `saved-eip`. What stands in front of it, such as a breakpoint over the first byte, is as if it were not there.
 *
 * Known are frames of interrupts, NMIs and faults, those of INT n that lead into a site (a task that yields there), and return addresses
 * of calls that are made from inside a site. Not those of INT3: its handler chooses where to go on. Each is kept by the place on the stack where it stands, until it is returned
 * through; what counts is what stands there as the site is written.
 */
import type { Op } from '../../cpu/decode.ts'
import { ESP, SEG_BASE, SS } from '../../cpu/registers.ts'
import { FP_MEMORY_READ } from '../../smp/footprint.ts'
import { GUEST_CALLS } from '../../smp/guestCalls.ts'
import type { MachineImage, PatchSite } from '../../smp/image.ts'
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'
import { GhostList, type RowKind } from './ghostList.ts'

/** Contexts that can be parked at the same time. */
const PARKED_MAX = 32

interface Saved {
  /** Address of the word that holds it. */
  readonly place: number
  readonly eip: number
  readonly vcpu: number
}

const SAVED: RowKind<Saved> = {
  words: 3,
  pack: ({ place, eip, vcpu }) => [place, eip, vcpu],
  unpack: ([place, eip, vcpu]) => ({ place: place >>> 0, eip: eip >>> 0, vcpu }),
  compare: (a, b) => a.place - b.place,
}

export class SavedEips implements Monitor {
  readonly name = 'saved-eip'
  readonly watches: readonly number[]
  readonly #sites: readonly PatchSite[]
  #machine!: Machine
  #parked!: GhostList<Saved>

  constructor(image: MachineImage) {
    this.#sites = image.sites
    this.watches = image.sites.flatMap(({ address, sizeBytes }) => Array.from({ length: sizeBytes }, (_, b) => (address + b) >>> 0))
  }

  ghostWords(): number {
    return this.#sites.length === 0 ? 0 : GhostList.ghostWords(SAVED, PARKED_MAX)
  }

  attach(machine: Machine, ghosts: number): void {
    this.#machine = machine
    this.#parked = new GhostList(machine, ghosts, SAVED, PARKED_MAX, 'contexts are parked')
  }

  isIdle(): boolean {
    return this.#sites.length === 0 || this.#parked.length === 0
  }

  onInterrupt(vcpu: number, place: number, eip: number, asked: boolean): void {
    if (asked ? this.#sites.some((site) => isInside(site, eip)) : this.#sites.length > 0) this.#keep({ place, eip, vcpu })
  }

  onExecute(vcpu: number, eip: number, op: Op): void {
    if (op.row?.mnemonic !== 'call') return
    const next = (eip + op.length) >>> 0
    if (!this.#sites.some((site) => isBehind(site, eip) && isInside(site, next))) return
    const { r } = this.#machine.cpus[vcpu]
    this.#keep({ place: (r[SEG_BASE + SS] + r[ESP] - 4) >>> 0, eip: next, vcpu })
  }

  delaysReturn(_vcpu: number, place: number): boolean {
    const found = this.isIdle() ? undefined : this.#parked.find((one) => one.place === place)
    return found !== undefined && this.#canBeLost(this.#presentOf(found))
  }

  onReturn(vcpu: number, place: number): void {
    if (this.isIdle()) return
    const list = this.#parked.list()
    const found = list.find((one) => one.place === place)
    if (found === undefined) return
    this.#noteAccess(found.eip)
    this.#parked.save(vcpu, list.filter((one) => one !== found))
  }

  onWrite(vcpu: number, physical: number, sizeBytes: number, low: number, high: number): void {
    if (this.isIdle()) return
    const { memory } = this.#machine
    for (const site of this.#sites) {
      const from = Math.max(physical, site.address >>> 0)
      const to = Math.min(physical + sizeBytes, (site.address >>> 0) + site.sizeBytes)
      if (from >= to) continue
      const byte = (at: number) => ((at - physical < 4 ? low >>> ((at - physical) * 8) : high >>> ((at - physical - 4) * 8)) & 0xff)
      const old = (at: number) => memory.u8[memory.index(at)]
      let last = -1
      for (let at = from; at < to; at++) if (byte(at) !== old(at)) last = at
      const found = this.#parked.find((one) => isInside(site, this.#presentOf(one)) && last >= this.#presentOf(one))
      if (found !== undefined)
        return this.#machine.violate('saved-eip', vcpu, `rewrites site ${site.name}, into which vCPU ${found.vcpu} will return, to ${this.#machine.symbolize(this.#presentOf(found))}`)
    }
  }

  onMark(vcpu: number, call: number, eax: number, edx: number): void {
    if (call !== GUEST_CALLS.free || this.isIdle()) return
    const found = this.#parked.find((one) => this.#presentOf(one) - (eax >>> 0) >= 0 && this.#presentOf(one) - (eax >>> 0) < edx >>> 0)
    if (found !== undefined)
      this.#machine.violate('saved-eip', vcpu, `frees ${this.#machine.symbolize(eax)}, and vCPU ${found.vcpu} will return to ${this.#machine.symbolize(this.#presentOf(found))}`)
  }

  /** A handler may have changed where it returns to. */
  #presentOf({ place, eip }: Saved): number {
    const { memory, cpus } = this.#machine
    const at = memory.index(place)
    if (at < 0) return eip
    let value = memory.load(at, 4)
    for (let v = 0; v < cpus.length; v++) value = this.#machine.buffer(v).forward(place, 4, value)
    return value >>> 0
  }

  #keep(saved: Saved): void {
    this.#noteAccess(saved.eip)
    // The site can be rewritten before it is returned to.
    if (this.#sites.some((site) => isInside(site, saved.eip))) this.#machine.pause()
    // A frame in the same place: who stood there has gone on in another way.
    this.#parked.save(saved.vcpu, [...this.#parked.list().filter((one) => one.place !== saved.place), saved])
  }

  /** Somebody may rewrite or free what stands there. */
  #canBeLost(eip: number): boolean {
    const { memory, sharing } = this.#machine
    const at = memory.index(eip)
    return this.#sites.some((site) => isInside(site, eip)) || (at >= 0 && sharing.judged[memory.granule(at)] !== 0)
  }

  /** What is saved, and when it no longer is, is ordered with writes to what it leads into. */
  #noteAccess(eip: number): void {
    const { footprint } = this.#machine
    footprint.add(FP_MEMORY_READ, eip, 1)
    for (const site of this.#sites) if (isInside(site, eip)) footprint.add(FP_MEMORY_READ, site.address, site.sizeBytes)
  }
}

/** At its first byte or behind it. */
const isBehind = (site: PatchSite, eip: number) => eip >= site.address >>> 0 && eip < (site.address >>> 0) + site.sizeBytes
/** Behind its first byte. */
const isInside = (site: PatchSite, eip: number) => isBehind(site, eip) && eip !== site.address >>> 0
