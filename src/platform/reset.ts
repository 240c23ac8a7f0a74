/** Register blocks after RESET and INIT (SDM vol. 3A table 10-1), and as Multiboot hands them over. */
import type { CpuClass } from '../cpu/classes.ts'
import {
  ACTIVE, ACTIVITY, CR0, CS, DR6, DR7, DS, EAX, EBX, EDX, EFLAGS, EIP, ES, ESP, FPU_CW, FPU_TW, FS, GDT_LIMIT, GS, IDT_LIMIT, LDTR, MSR_APIC_BASE, MSR_PAT_HI, MSR_PAT_LO, MSR_SYSENTER_CS, MXCSR,
  REGISTER_WORDS, SEG_ATTR, SEG_BASE, SEG_LIMIT, SELECTOR, SS, TR, WAIT_FOR_SIPI,
} from '../cpu/registers.ts'
import { APIC_PAGE } from './boardMemory.ts'

/** Attributes as registers.ts keeps them: present, writable, accessed data; readable code; 32-bit TSS and LDT. */
const DATA16 = 0x93
const CODE16 = 0x9b
const FLAT = 0xc000

export function resetRegisters(cpu: CpuClass, bootstrap: boolean): Int32Array {
  const r = new Int32Array(REGISTER_WORDS)
  r[EFLAGS] = 2
  r[EIP] = 0xfff0
  r[CR0] = cpu.features.has('486') ? 0x60000010 : 0x10
  r[EDX] = cpu.signature
  for (const seg of [ES, SS, DS, FS, GS]) setSegment(r, seg, 0, 0, 0xffff, DATA16)
  setSegment(r, CS, 0xf000, 0xffff0000 | 0, 0xffff, CODE16)
  setSegment(r, TR, 0, 0, 0xffff, 0x8b)
  setSegment(r, LDTR, 0, 0, 0xffff, 0x82)
  r[GDT_LIMIT] = 0xffff
  r[IDT_LIMIT] = 0xffff
  r[DR6] = 0xffff0ff0 | 0
  r[DR7] = 0x400
  r[FPU_CW] = 0x40
  r[FPU_TW] = 0x5555
  r[MXCSR] = 0x1f80
  r[MSR_PAT_LO] = 0x00070406
  r[MSR_PAT_HI] = 0x00070406
  r[MSR_APIC_BASE] = APIC_PAGE | 0x800 | (bootstrap ? 0x100 : 0)
  r[ACTIVITY] = bootstrap ? ACTIVE : WAIT_FOR_SIPI
  return r
}

/** What INIT leaves alone (SDM vol. 3A table 10-1): x87 and SSE state, MSRs. */
const KEPT_BY_INIT = [[MSR_SYSENTER_CS, MSR_APIC_BASE], [FPU_CW, MXCSR]] as const
/** CR0.CD and NW survive INIT too. */
const CR0_CACHE = 0x60000000

/** INIT: the first vCPU goes on at the reset vector, the others wait for a SIPI. */
export function initRegisters(r: Int32Array, cpu: CpuClass, bootstrap: boolean): void {
  const fresh = resetRegisters(cpu, bootstrap)
  for (const [first, last] of KEPT_BY_INIT) for (let k = first; k <= last; k++) fresh[k] = r[k]
  fresh[CR0] = (fresh[CR0] & ~CR0_CACHE) | (r[CR0] & CR0_CACHE)
  r.set(fresh)
}

/** SIPI: real mode at vector * 4096 (SDM vol. 3A 9.4.3). */
export function startAt(r: Int32Array, vector: number): void {
  setSegment(r, CS, vector << 8, vector << 12, 0xffff, CODE16)
  r[EIP] = 0
  r[ACTIVITY] = ACTIVE
}

/** Multiboot 0.6.96, 3.2: flat 32-bit protected mode, EAX magic, EBX information. */
export function multibootRegisters(cpu: CpuClass, entry: number, information: number): Int32Array {
  const r = resetRegisters(cpu, true)
  r[CR0] = 0x11
  r[EIP] = entry
  r[EAX] = 0x2badb002
  r[EBX] = information
  r[EDX] = 0
  for (const seg of [ES, SS, DS, FS, GS]) setSegment(r, seg, 0x10, 0, -1, DATA16 | FLAT)
  setSegment(r, CS, 8, 0, -1, CODE16 | FLAT)
  return r
}

/** A flat image: real mode at `address`, stack below it. */
export function flatRegisters(cpu: CpuClass, address: number): Int32Array {
  const r = resetRegisters(cpu, true)
  setSegment(r, CS, 0, 0, 0xffff, CODE16)
  r[EIP] = address
  r[ESP] = address
  return r
}

/** Goes on in real mode at a physical address below 1 MB, as firmware does after suspend to RAM (ACPI 6.5, table 5.12). */
export function enterReal(r: Int32Array, physical: number): void {
  setSegment(r, CS, (physical >>> 4) & 0xffff, (physical & 0xffff0) | 0, 0xffff, CODE16)
  r[EIP] = physical & 0xf
}

function setSegment(r: Int32Array, seg: number, selector: number, base: number, limit: number, attributes: number): void {
  r[SELECTOR + seg] = selector
  r[SEG_BASE + seg] = base
  r[SEG_LIMIT + seg] = limit
  r[SEG_ATTR + seg] = attributes
}
