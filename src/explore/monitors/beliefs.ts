/**
 * What a kernel keeps of a register in memory (whether the FPU is its task's, which page tables are loaded, who has to be told of a flush)
 * is so when it is consulted: whoever loads such a word (XM_BELIEF) takes it for the register, and they are compared at that moment: `belief`.
 * In between they may differ as they like; stores, also the own ones that still wait in the store buffer, count as soon as the load sees them.
 * LOCKed instructions update the word, they do not consult it.
 */
import type { Op } from '../../cpu/decode.ts'
import { CR0, CR0_TS, CR3, CR4, DR7, EFLAGS, FS, GS, IF, LDTR, SEG_BASE, SELECTOR } from '../../cpu/registers.ts'
import { changesSegment, CONTROL_CHANGES, DEBUG_CHANGES, DELIVERY_CHANGES, FLAG_CHANGES, systemEffectOf } from '../../cpu/systemEffects.ts'
import { FP_RESOURCE_READ, RESOURCE_MARKS } from '../../smp/footprint.ts'
import type { Belief, Believed, MachineImage } from '../../smp/image.ts'
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'

interface Register {
  /** As the manual calls it. */
  readonly text: string
  /** From a register block; unsigned where it matters to nobody. */
  readonly actual: (r: Int32Array) => number
  /** What may change it (systemEffects.ts): others are able to look before and after. */
  readonly changes: number
}

const segment = (name: string, seg: number): Register => ({ text: name, actual: (r) => r[SELECTOR + seg], changes: changesSegment(seg) })
const base = (name: string, seg: number): Register => ({ text: `the base of ${name}`, actual: (r) => r[SEG_BASE + seg], changes: changesSegment(seg) })

const REGISTERS: Readonly<Record<Believed, Register>> = {
  cr0: { text: 'CR0', actual: (r) => r[CR0], changes: CONTROL_CHANGES },
  cr3: { text: 'CR3', actual: (r) => r[CR3], changes: CONTROL_CHANGES },
  cr4: { text: 'CR4', actual: (r) => r[CR4], changes: CONTROL_CHANGES },
  ts: { text: 'CR0.TS', actual: (r) => Number((r[CR0] & CR0_TS) !== 0), changes: CONTROL_CHANGES },
  if: { text: 'IF', actual: (r) => Number((r[EFLAGS] & IF) !== 0), changes: FLAG_CHANGES },
  iopl: { text: 'IOPL', actual: (r) => (r[EFLAGS] >>> 12) & 3, changes: FLAG_CHANGES },
  dr7: { text: 'DR7', actual: (r) => r[DR7], changes: DEBUG_CHANGES },
  fs: segment('FS', FS),
  gs: segment('GS', GS),
  fsBase: base('FS', FS),
  gsBase: base('GS', GS),
  ldt: segment('LDTR', LDTR),
  ldtBase: base('LDTR', LDTR),
}

export class Beliefs implements Monitor {
  readonly name = 'beliefs'
  readonly tells?: (vcpu: number, op: Op | null) => boolean
  readonly #beliefs: readonly Belief[]
  #machine!: Machine

  constructor(image: MachineImage) {
    this.#beliefs = (image.claims ?? []).filter((claim) => claim.kind === 'belief')
    const told = image.vcpus.map((_, v) => this.#beliefs.reduce((all, { vcpu, what }) => (vcpu === v ? all | REGISTERS[what].changes : all), 0))
    if (told.length > 1 && told.some((changes) => changes !== 0)) this.tells = (vcpu, op) => (told[vcpu] & (op === null ? DELIVERY_CHANGES : systemEffectOf(op))) !== 0
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
    }
    const { text, actual: actualOf } = REGISTERS[what]
    const actual = actualOf(machine.registersOf(belief.vcpu))
    const said = machine.buffer(vcpu).forward(address, sizeBytes, machine.memory.load(machine.memory.index(address), sizeBytes)) & read
    const isSo = value === null ? said === (actual & read) : said !== 0 ? mayBe || actual === (value | 0) : read !== belief.bits || actual !== (value | 0)
    if (isSo) return
    const bits = value === null ? '' : ` ${said !== 0 ? 'with' : 'without'} bits ${hex(belief.bits)}`
    const taken = value === null ? hex(said) : said !== 0 ? hex(value) : `anything but ${hex(value)}`
    machine.violate('belief', vcpu, `consults ${name}${bits}, and takes ${text} of vCPU ${belief.vcpu} for ${taken}: it is ${hex(actual)}`)
  }
}

/** Bits of the bytes from `from` to before `to`. */
function bytes(from: number, to: number): number {
  return (to >= 4 ? -1 : (1 << (to * 8)) - 1) & (-1 << (from * 8))
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`
}
