/** The state of a vCPU as messages have it. */
import {
  ACTIVE, ACTIVITY, CR0, CR2, CR3, CR4, CS, EFLAGS, EIP, GDT_BASE, GDT_LIMIT, HALTED, IDT_BASE, IDT_LIMIT, LDTR, SELECTOR, SHUTDOWN, TR, WAIT_FOR_SIPI,
} from '../cpu/registers.ts'

const STATES: Readonly<Record<number, string>> = { [ACTIVE]: 'running', [HALTED]: 'halted', [SHUTDOWN]: 'shut down', [WAIT_FOR_SIPI]: 'waiting for SIPI' }
const GENERAL = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi']
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs']
const CONTROL = { cr0: CR0, cr2: CR2, cr3: CR3, cr4: CR4 }

export function hex(value: number, digits = 8): string {
  return (value >>> 0).toString(16).padStart(digits, '0')
}

/** One line of registers `r` of vCPU `v`; where it runs or has run, a second with what decides how it does. */
export function describeVcpu(r: Int32Array, v: number): string[] {
  const named = (names: readonly string[], value: (k: number) => number, digits = 8) => names.map((name, k) => `${name}=${hex(value(k), digits)}`).join(' ')
  const place = `${hex(r[SELECTOR + CS], 4)}:${hex(r[EIP])}`
  const first = `vCPU ${v} ${STATES[r[ACTIVITY]]} at ${place} eflags=${hex(r[EFLAGS])} ${named(GENERAL, (k) => r[k])}`
  if (r[ACTIVITY] === WAIT_FOR_SIPI) return [first]
  const tables = `tr=${hex(r[SELECTOR + TR], 4)} ldt=${hex(r[SELECTOR + LDTR], 4)} gdt=${hex(r[GDT_BASE])}+${hex(r[GDT_LIMIT], 4)} idt=${hex(r[IDT_BASE])}+${hex(r[IDT_LIMIT], 4)}`
  return [first, `  ${named(SEGMENTS, (k) => r[SELECTOR + k], 4)} ${tables} ${named(Object.keys(CONTROL), (k) => r[Object.values(CONTROL)[k]])}`]
}
