/** Control, debug and table registers, flags that privilege guards, caches, HLT. */
import type { Cpu } from '../cpu.ts'
import { CREG, DREG, MEM, type Op } from '../decode.ts'
import { DR6_BD, DR7_GD } from '../debug.ts'
import { DB, GP, UD } from '../exceptions.ts'
import { cplOf, inRealMode, inVirtual8086, ioplOf } from '../modes.ts'
import { readPdptes } from '../paging.ts'
import {
  ACTIVITY, CR0, CR0_AM, CR0_CD, CR0_EM, CR0_ET, CR0_MP, CR0_NE, CR0_NW, CR0_PE, CR0_PG, CR0_TS, CR0_WP, CR2, CR3, CR4, CR4_DE, CR4_OSFXSR,
  CR4_PAE, CR4_PCE, CR4_PGE, CR4_PSE, CR4_PVI, CR4_TSD, CR4_VME, DR0, DR6, DR7, EFLAGS, GDT_BASE, GDT_LIMIT, HALTED, IDT_BASE, IDT_LIMIT,
  IF, PDPTE, SEG_BASE, SHADOW, SHADOW_STI, VIF, VIP,
} from '../registers.ts'
import { serializing, type Handler, type HandlerRow } from './handler.ts'
import { storeWord } from './segments.ts'

/** #GP(0) outside CPL 0. */
export const privileged = (apply: Handler): Handler => (cpu, op) => (cplOf(cpu.r) === 0 ? apply(cpu, op) : cpu.fault(GP, 0))

// --- control registers ------------------------------------------------------------------------------------

function cr0Bits(cpu: Cpu): number {
  const later = cpu.cls.features.has('486') ? CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD : 0
  return CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_PG | later
}

function cr4Bits(cpu: Cpu): number {
  const { features } = cpu.cls
  const MCE = 1 << 6
  return (
    (features.has('vme') ? CR4_VME | CR4_PVI : 0) | (features.has('tsc') ? CR4_TSD | MCE : 0) | (features.has('de') ? CR4_DE : 0) |
    (features.has('pse') ? CR4_PSE : 0) | (features.has('pae') ? CR4_PAE : 0) | (features.has('pge') ? CR4_PGE : 0) |
    (features.has('rdpmc') ? CR4_PCE : 0) | (features.has('fxsr') ? CR4_OSFXSR : 0)
  )
}

/** CR4 came with the Pentium. */
function hasControl(cpu: Cpu, number: number): boolean {
  return number === 0 || number === 2 || number === 3 || (number === 4 && cpu.cls.features.has('vme'))
}

/** CR0 CR2 CR3 CR4 stand next to each other in the register block. */
const CONTROL = [CR0, -1, CR2, CR3, CR4]

function writeCr0(cpu: Cpu, value: number): void {
  const r = cpu.r
  const next = (value & cr0Bits(cpu)) | CR0_ET
  if ((next & CR0_PG) !== 0 && (next & CR0_PE) === 0) return cpu.fault(GP, 0)
  if ((next & CR0_NW) !== 0 && (next & CR0_CD) === 0) return cpu.fault(GP, 0)
  const changed = next ^ r[CR0]
  const loads = (next & CR0_PG) !== 0 && (r[CR4] & CR4_PAE) !== 0 && (changed & (CR0_PG | CR0_CD | CR0_NW)) !== 0
  const entries = loads ? readPdptes(cpu, r[CR3]) : null
  cpu.bus.serialize()
  cpu.bus.gateInvalidation()
  if (cpu.stop !== 0) return
  r[CR0] = next
  if (entries !== null) r.set(entries, PDPTE)
  if ((changed & (CR0_PG | CR0_PE)) !== 0) cpu.bus.invalidateTlb(true)
  else if (entries !== null) cpu.bus.retarget()
}

/** With paging off there is nothing to drop. */
function gateInvalidation(cpu: Cpu): void {
  if ((cpu.r[CR0] & CR0_PG) !== 0) cpu.bus.gateInvalidation()
}

function writeCr3(cpu: Cpu, value: number): void {
  const r = cpu.r
  const loads = (r[CR0] & CR0_PG) !== 0 && (r[CR4] & CR4_PAE) !== 0
  const entries = loads ? readPdptes(cpu, value) : null
  cpu.bus.serialize()
  gateInvalidation(cpu)
  if (cpu.stop !== 0) return
  r[CR3] = value
  if (entries !== null) r.set(entries, PDPTE)
  cpu.bus.invalidateTlb(false)
}

function writeCr4(cpu: Cpu, value: number): void {
  const r = cpu.r
  if ((value & ~cr4Bits(cpu)) !== 0) return cpu.fault(GP, 0)
  const changed = value ^ r[CR4]
  const loads = (r[CR0] & CR0_PG) !== 0 && (value & CR4_PAE) !== 0 && (changed & (CR4_PAE | CR4_PGE | CR4_PSE)) !== 0
  const entries = loads ? readPdptes(cpu, r[CR3]) : null
  cpu.bus.serialize()
  gateInvalidation(cpu)
  if (cpu.stop !== 0) return
  r[CR4] = value
  if (entries !== null) r.set(entries, PDPTE)
  if ((changed & (CR4_PAE | CR4_PGE | CR4_PSE)) !== 0) cpu.bus.invalidateTlb(true)
}

function moveControl(cpu: Cpu, op: Op): void {
  const toControl = op.a.kind === CREG
  const number = toControl ? op.a.value : op.b.value
  if (!hasControl(cpu, number)) return cpu.fault(UD)
  if (cplOf(cpu.r) !== 0) return cpu.fault(GP, 0)
  if (!toControl) return cpu.setRegister(op.a.value, 4, cpu.r[CONTROL[number]])
  const value = cpu.register(op.b.value, 4)
  if (number === 0) writeCr0(cpu, value)
  else if (number === 3) writeCr3(cpu, value)
  else if (number === 4) writeCr4(cpu, value)
  else {
    cpu.bus.serialize()
    if (cpu.stop === 0) cpu.r[CR2] = value
  }
}

/** Bits that are always 0 and always 1 (SDM vol. 3B figure 19-1). */
const DR6_FIXED_1 = 0xffff0ff0 | 0
const DR6_WRITABLE = 0xe00f
const DR7_FIXED_1 = 0x400
const DR7_FIXED_0 = 0xd800

function moveDebug(cpu: Cpu, op: Op): void {
  const r = cpu.r
  const toDebug = op.a.kind === DREG
  const number = toDebug ? op.a.value : op.b.value
  // DR4 and DR5 are DR6 and DR7 unless debug extensions are on (SDM vol. 3B 19.2.2).
  if ((number === 4 || number === 5) && (r[CR4] & CR4_DE) !== 0) return cpu.fault(UD)
  if (cplOf(r) !== 0) return cpu.fault(GP, 0)
  if ((r[DR7] & DR7_GD) !== 0) {
    r[DR6] |= DR6_BD
    return cpu.fault(DB)
  }
  const register = number < 4 ? DR0 + number : DR6 + (number & 1)
  if (!toDebug) return cpu.setRegister(op.a.value, 4, r[register])
  const value = cpu.register(op.b.value, 4)
  cpu.bus.serialize()
  if (cpu.stop !== 0) return
  if (register === DR6) r[DR6] = (value & DR6_WRITABLE) | DR6_FIXED_1
  else if (register === DR7) r[DR7] = (value & ~DR7_FIXED_0) | DR7_FIXED_1
  else r[register] = value
}

/** MOV from and to control and debug registers. */
export const moveSystem: Handler = (cpu, op) => (op.a.kind === CREG || op.b.kind === CREG ? moveControl(cpu, op) : moveDebug(cpu, op))

const lmsw = privileged((cpu, op) => {
  const value = cpu.get(op, op.a)
  if (cpu.stop !== 0) return
  // PE can be set, not cleared.
  writeCr0(cpu, (cpu.r[CR0] & ~(CR0_MP | CR0_EM | CR0_TS)) | (value & (CR0_PE | CR0_MP | CR0_EM | CR0_TS)))
})

const smsw: Handler = (cpu, op) => {
  const value = cpu.r[CR0]
  if (op.a.kind === MEM) storeWord(cpu, op, value & 0xffff)
  else cpu.setRegister(op.a.value, op.opSize, value)
}

// --- descriptor-table registers ---------------------------------------------------------------------------

const loadTable = (base: number, limit: number): Handler =>
  privileged((cpu, op) => {
    const at = cpu.address(op)
    const size = cpu.readMemory(op.seg, at, 2)
    const start = cpu.readMemory(op.seg, (at + 2) | 0, 4)
    if (cpu.stop !== 0) return
    cpu.bus.serialize()
    if (cpu.stop !== 0) return
    cpu.r[base] = op.opSize === 2 ? start & 0xffffff : start
    cpu.r[limit] = size
  })

/** All 32 bits of the base, whatever the operand size: the manual's zeroed top byte is the 286's. */
const storeTable = (base: number, limit: number): Handler => (cpu, op) => {
  const at = cpu.address(op)
  cpu.writeMemory(op.seg, at, 2, cpu.r[limit])
  if (cpu.stop === 0) cpu.writeMemory(op.seg, (at + 2) | 0, 4, cpu.r[base])
}

// --- the interrupt flag -----------------------------------------------------------------------------------

/** Whether CLI and STI act on VIF instead (VME in virtual-8086 mode, PVI at CPL 3); #GP(0) where they may not act at all. */
function actsOnVif(cpu: Cpu): boolean {
  const r = cpu.r
  if (inRealMode(r)) return false
  if (cplOf(r) <= ioplOf(r)) return false
  const enabled = inVirtual8086(r) ? CR4_VME : cplOf(r) === 3 ? CR4_PVI : 0
  if ((r[CR4] & enabled) === 0) cpu.fault(GP, 0)
  return true
}

const cli: Handler = (cpu) => {
  const virtual = actsOnVif(cpu)
  if (cpu.stop === 0) cpu.r[EFLAGS] &= ~(virtual ? VIF : IF)
}

const sti: Handler = (cpu) => {
  const r = cpu.r
  const virtual = actsOnVif(cpu)
  if (cpu.stop !== 0) return
  if (virtual) {
    if ((r[EFLAGS] & VIP) !== 0) return cpu.fault(GP, 0)
    r[EFLAGS] |= VIF
    return
  }
  if ((r[EFLAGS] & IF) === 0) r[SHADOW] |= SHADOW_STI
  r[EFLAGS] |= IF
}

export const SYSTEM: readonly HandlerRow[] = [
  ['cli', cli],
  ['sti', sti],
  ['hlt', privileged((cpu) => { cpu.r[ACTIVITY] = HALTED })],
  ['invd', privileged(serializing(() => {}))],
  ['wbinvd', privileged(serializing((cpu) => cpu.bus.flushCaches()))],
  ['clflush', flushLine],
  ['invlpg', privileged(serializing((cpu, op) => invalidatePage(cpu, op)))],
  ['clts', privileged((cpu) => { cpu.r[CR0] &= ~CR0_TS })],
  ['smsw', smsw],
  ['lmsw', lmsw],
  ['lgdt', loadTable(GDT_BASE, GDT_LIMIT)],
  ['lidt', loadTable(IDT_BASE, IDT_LIMIT)],
  ['sgdt', storeTable(GDT_BASE, GDT_LIMIT)],
  ['sidt', storeTable(IDT_BASE, IDT_LIMIT)],
]

/** CLFLUSH is a load as far as faults go (SDM vol. 2A); it comes after older stores, as on the parts that order it with them. */
function flushLine(cpu: Cpu, op: Op): void {
  const linear = cpu.linear(op.seg, cpu.address(op), 1, false)
  cpu.bus.fence()
  const physical = cpu.stop !== 0 ? 0 : cpu.translate(linear, false)
  if (cpu.stop === 0) cpu.bus.flushLine(physical)
}

/** INVLPG takes the linear address; segment limits are not checked (SDM vol. 2A). */
function invalidatePage(cpu: Cpu, op: Op): void {
  gateInvalidation(cpu)
  if (cpu.stop === 0) cpu.bus.invalidatePage((cpu.r[SEG_BASE + op.seg] + cpu.address(op)) | 0)
}
