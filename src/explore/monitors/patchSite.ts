/**
 * Every executed instance of a patch site is one of its allowed forms: `illegal-target`, `torn-instruction`. Once
 * the guest says that a site is patched (XM_PATCHED), nobody executes older bytes there: `stale-code`.
 */
import { decode, IMM, type Op } from '../../cpu/decode.ts'
import type { MachineImage, PatchSite } from '../../smp/image.ts'
import { GUEST_CALLS } from '../../smp/guestCalls.ts'
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'

/** A form cut into its instructions: the bytes of each, by its offset in the site. */
interface CutForm {
  readonly name: string
  readonly instructions: ReadonlyMap<number, Uint8Array>
}

export class PatchSites implements Monitor {
  readonly name = 'patch-site'
  readonly watches: readonly number[]
  readonly #sites = new Map<number, PatchSite[]>()
  readonly #forms = new Map<PatchSite, readonly CutForm[]>()
  /** Every site address once: its ghost word holds where the bytes are that it must have, 0: not said. */
  readonly #patched: readonly number[]
  #ghosts = 0
  #machine!: Machine

  constructor(image: MachineImage) {
    for (const site of image.sites) {
      if (site.forms !== undefined) this.#forms.set(site, site.forms.map(cutForm))
      for (let b = 0; b < site.sizeBytes; b++) {
        const at = (site.address + b) >>> 0
        this.#sites.set(at, [...(this.#sites.get(at) ?? []), site])
      }
    }
    this.watches = [...this.#sites.keys()]
    this.#patched = [...new Set(image.sites.map((site) => site.address >>> 0))]
  }

  ghostWords(): number {
    return this.#patched.length
  }

  attach(machine: Machine, ghosts: number): void {
    this.#machine = machine
    this.#ghosts = ghosts
  }

  onMark(vcpu: number, call: number, eax: number, edx: number): void {
    if (call !== GUEST_CALLS.patched) return
    const k = this.#patched.indexOf(eax >>> 0)
    if (k < 0) return this.#machine.violate('bad-call', vcpu, `XM_PATCHED(${this.#machine.symbolize(eax)}): there is no site`)
    const { sizeBytes } = this.#sites.get(eax >>> 0)!.find(({ address }) => address >>> 0 === eax >>> 0)!
    const { memory } = this.#machine
    if (edx !== 0 && (memory.index(edx) < 0 || memory.index(edx + sizeBytes - 1) < 0))
      return this.#machine.violate('bad-call', vcpu, `XM_PATCHED(${this.#machine.symbolize(eax)}, 0x${(edx >>> 0).toString(16)}): the bytes that stand there now are given by their address, and there is no memory`)
    this.#machine.store.set(this.#ghosts + k, edx)
  }

  onExecute(vcpu: number, eip: number, op: Op): void {
    for (const site of this.#sites.get(eip) ?? []) {
      if (site.forms === undefined) this.#judgeTarget(vcpu, eip, op, site)
      else this.#judgeForm(vcpu, eip, op, site)
      this.#judgeAge(vcpu, eip, op, site)
    }
  }

  #judgeTarget(vcpu: number, eip: number, op: Op, site: PatchSite): void {
    const machine = this.#machine
    if (eip !== site.address >>> 0)
      return machine.violate('torn-instruction', vcpu, `executes from the middle of site ${site.name}, at ${machine.symbolize(eip)}`)
    const name = nameOf(op)
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

  #judgeForm(vcpu: number, eip: number, op: Op, site: PatchSite): void {
    const machine = this.#machine
    const offset = eip - (site.address >>> 0)
    if (site.int3 && offset === 0 && nameOf(op) === 'int3') return this.#count(site, 'int3')
    const bytes = machine.executedBytes(vcpu, op.length)
    const found = this.#forms.get(site)!.filter(({ instructions }) => equal(instructions.get(offset), bytes))
    if (found.length === 0) {
      const where = offset === 0 ? '' : ` at offset ${offset}`
      return machine.violate('torn-instruction', vcpu, `site ${site.name}${where} was executed as \`${hex(bytes)}\` (${nameOf(op)}): no form has that there`)
    }
    if (offset === 0) for (const form of found) this.#count(site, `form ${form.name}`)
  }

  #judgeAge(vcpu: number, eip: number, op: Op, site: PatchSite): void {
    const machine = this.#machine
    if (machine.violation !== null) return
    const wanted = machine.store.w[this.#ghosts + this.#patched.indexOf(site.address >>> 0)]
    if (wanted === 0) return
    const offset = eip - (site.address >>> 0)
    const at = machine.memory.index(wanted + offset)
    const bytes = machine.executedBytes(vcpu, op.length)
    const now = machine.memory.u8.subarray(at, at + bytes.length)
    if (!equal(now, bytes))
      machine.violate('stale-code', vcpu, `site ${site.name} was executed as \`${hex(bytes)}\` (${nameOf(op)}) after it was said to be patched to \`${hex(now)}\``)
  }

  #count(site: PatchSite, what: string): void {
    const key = `${site.name}>${what}`
    const sites = this.#machine.coverage.sites
    sites.set(key, (sites.get(key) ?? 0) + 1)
  }
}

function cutForm({ name, bytes }: { name: string; bytes: Uint8Array }): CutForm {
  const instructions = new Map<number, Uint8Array>()
  for (let at = 0; at < bytes.length; ) {
    const { length } = decode(bytes, at, bytes.length - at, true)
    // What is no whole instruction is never executed as this form.
    if (length === 0) break
    instructions.set(at, bytes.subarray(at, at + length))
    at += length
  }
  return { name, instructions }
}

const nameOf = (op: Op) => op.row?.mnemonic ?? '(no instruction)'
const hex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')

function equal(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && a.length === b.length && a.every((byte, k) => byte === b[k])
}
