/**
 * What a kernel keeps of a register in memory (whether the FPU is its task's, which page tables are loaded, who has to be told of a flush)
 * is so when it is consulted: whoever loads such a word (XM_BELIEF) takes it for the register, and they are compared at that moment: `belief`.
 * In between they may differ as they like; stores, also the own ones that still wait in the store buffer, count as soon as the load sees them.
 * LOCKed instructions update the word, they do not consult it.
 */
import type { Op } from '../../cpu/decode.ts'
import { CR0, CR0_TS, CR3, CR4, DR7, EFLAGS, FS, GS, IF, SEG_BASE, SELECTOR } from '../../cpu/registers.ts'
import { FP_RESOURCE_READ, RESOURCE_MARKS } from '../../smp/footprint.ts'
import type { Belief, Believed, MachineImage } from '../../smp/image.ts'
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'

/** From a register block, unsigned where it matters to nobody. */
const ACTUAL: Readonly<Record<Believed, (r: Int32Array) => number>> = {
  cr0: (r) => r[CR0],
  cr3: (r) => r[CR3],
  cr4: (r) => r[CR4],
  ts: (r) => Number((r[CR0] & CR0_TS) !== 0),
  if: (r) => Number((r[EFLAGS] & IF) !== 0),
  iopl: (r) => (r[EFLAGS] >>> 12) & 3,
  dr7: (r) => r[DR7],
  fs: (r) => r[SELECTOR + FS],
  gs: (r) => r[SELECTOR + GS],
  fsBase: (r) => r[SEG_BASE + FS],
  gsBase: (r) => r[SEG_BASE + GS],
}

/** As the manual calls them. */
const TEXT: Readonly<Record<Believed, string>> = {
  cr0: 'CR0', cr3: 'CR3', cr4: 'CR4', ts: 'CR0.TS', if: 'IF', iopl: 'IOPL', dr7: 'DR7', fs: 'FS', gs: 'GS', fsBase: 'the base of FS', gsBase: 'the base of GS',
}

/** Registers whose changes others can be told of, as they are made by few instructions. */
const CONTROL: ReadonlySet<Believed> = new Set<Believed>(['cr0', 'cr3', 'cr4', 'ts', 'dr7'])
const writesControl = ({ row }: Op) => row !== null && (row.mnemonic === 'clts' || row.mnemonic === 'lmsw' || row.operands[0] === 'Cd' || row.operands[0] === 'Dd')

export class Beliefs implements Monitor {
  readonly name = 'beliefs'
  readonly tells?: (vcpu: number, op: Op) => boolean
  readonly #beliefs: readonly Belief[]
  #machine!: Machine

  constructor(image: MachineImage) {
    this.#beliefs = (image.claims ?? []).filter((claim) => claim.kind === 'belief')
    const told = new Set(this.#beliefs.flatMap(({ vcpu, what }) => (CONTROL.has(what) ? [vcpu] : [])))
    if (image.vcpus.length > 1 && told.size > 0) this.tells = (vcpu, op) => told.has(vcpu) && writesControl(op)
  }

  ghostWords(): number {
    return 0
  }

  attach(machine: Machine): void {
    this.#machine = machine
    const { memory, sharing, vcpuCount } = machine
    if (vcpuCount < 2) return
    // Each load is an event: the register may change before or after it, be the word ever the same.
    for (const { address, sizeBytes } of this.#beliefs) {
      const at = memory.index(address)
      if (at >= 0) sharing.noteWrite(memory.granule(at), memory.granule(at + sizeBytes - 1), (1 << vcpuCount) - 1)
    }
  }

  /** What it makes of a step depends on what the step is remembered by: registers of its vCPU, and memory that it reads. */
  isIdle(): boolean {
    return true
  }

  onAccess(vcpu: number, physical: number, sizeBytes: number, write: boolean): void {
    if (write || this.#machine.buses[vcpu].locked) return
    for (const belief of this.#beliefs) {
      const { address, bits } = belief
      const from = (physical - address) | 0
      if (from >= belief.sizeBytes || from <= -sizeBytes) continue
      const read = bits & bytes(Math.max(0, from), Math.min(4, from + sizeBytes))
      if (read !== 0) this.#judge(vcpu, belief, read)
    }
  }

  /** @param read of the bits that the guest believes in, those that it loads */
  #judge(vcpu: number, belief: Belief, read: number): void {
    const machine = this.#machine
    const { name, address, sizeBytes, what, value, mayBe } = belief
    machine.countPoint(belief.id)
    if (vcpu !== belief.vcpu) {
      machine.memo.abandon()
      machine.footprint.add(FP_RESOURCE_READ, RESOURCE_MARKS, 0)
      if (!CONTROL.has(what)) machine.weaken(`${name}, which stands for ${TEXT[what]} of vCPU ${belief.vcpu}, was read by vCPU ${vcpu}: what changes ${TEXT[what]} is no event for others`)
    }
    const actual = ACTUAL[what](machine.registersOf(belief.vcpu))
    const said = machine.buffer(vcpu).forward(address, sizeBytes, machine.memory.load(machine.memory.index(address), sizeBytes)) & read
    const isSo = value === null ? said === (actual & read) : said !== 0 ? mayBe || actual === (value | 0) : read !== belief.bits || actual !== (value | 0)
    if (isSo) return
    const bits = value === null ? '' : ` ${said !== 0 ? 'with' : 'without'} bits ${hex(belief.bits)}`
    const taken = value === null ? hex(said) : said !== 0 ? hex(value) : `anything but ${hex(value)}`
    machine.violate('belief', vcpu, `consults ${name}${bits}, and takes ${TEXT[what]} of vCPU ${belief.vcpu} for ${taken}: it is ${hex(actual)}`)
  }
}

/** Bits of the bytes from `from` to before `to`. */
function bytes(from: number, to: number): number {
  return (to >= 4 ? -1 : (1 << (to * 8)) - 1) & (-1 << (from * 8))
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`
}
