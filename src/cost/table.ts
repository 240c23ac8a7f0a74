/**
 * What things cost, in cycles, by CPU class: a documented model, not a measurement. Figures are rounded from the
 * manuals and from published microbenchmarks (Intel 486 and Pentium instruction timings; Intel optimisation manuals for P6
 * and NetBurst; AMD K8 optimisation guide; McKenney, "Memory barriers: a hardware view"; LMbench-style IPI and world-switch
 * numbers of 2006-2009 parts). `--costs FILE` replaces any of them.
 */

import { GROUP_NAMES } from './opcodeGroup.ts'

export interface CostTable {
  readonly name: string
  /** An instruction that is not named below. */
  readonly instruction: number
  /** By mnemonic of the ISA table; `j`: jumps on conditions. */
  readonly mnemonics: Readonly<Record<string, number>>
  /** Call or jump through a register or memory, beyond a direct one: the branch predictor may miss. */
  readonly indirect: number
  /** A data access: its own line is in the cache of this CPU. */
  readonly access: number
  /** The line was last written, or is held, by another CPU and has to be moved. */
  readonly lineTransfer: number
  /** LOCK, XCHG with memory: beyond the instruction. */
  readonly locked: number
  /** Core-serialising event. */
  readonly serialize: number
  /** A store hits a line that another CPU executes from: machine clear or refetch there. */
  readonly codeWrite: number
  /** Sending an IPI; taking an interrupt (or exception) and the IRET. */
  readonly ipi: number
  readonly interrupt: number
  /** Guest to hypervisor and back. */
  readonly hypercall: number
  /** Another vCPU is put on a pCPU. */
  readonly contextSwitch: number
}

const COMMON = { access: 0 }

export const COST_TABLES: Readonly<Record<string, CostTable>> = {
  '486': {
    ...COMMON, name: '486', instruction: 1, indirect: 2, lineTransfer: 20, locked: 5, serialize: 10, codeWrite: 10, ipi: 100, interrupt: 70, hypercall: 600, contextSwitch: 1500,
    mnemonics: { nop: 1, call: 3, jmp: 3, ret: 5, push: 1, pop: 1, pushf: 4, popf: 6, cli: 5, sti: 5, mul: 13, div: 24, int: 30, iret: 15, cpuid: 14, lea: 1, j: 3 },
  },
  pentium: {
    ...COMMON, name: 'pentium', instruction: 1, indirect: 3, lineTransfer: 30, locked: 10, serialize: 14, codeWrite: 12, ipi: 200, interrupt: 80, hypercall: 700, contextSwitch: 1500,
    mnemonics: { nop: 1, call: 1, jmp: 1, ret: 2, pushf: 3, popf: 4, cli: 7, sti: 7, mul: 10, div: 41, int: 20, iret: 10, cpuid: 14, lea: 1, j: 1 },
  },
  p6: {
    ...COMMON, name: 'p6', instruction: 0.5, indirect: 8, lineTransfer: 80, locked: 20, serialize: 40, codeWrite: 40, ipi: 400, interrupt: 200, hypercall: 1000, contextSwitch: 2000,
    mnemonics: { nop: 0.33, call: 2, jmp: 1, ret: 2, pushf: 6, popf: 17, cli: 11, sti: 16, mul: 4, div: 37, int: 70, iret: 60, cpuid: 60, j: 1 },
  },
  p4: {
    ...COMMON, name: 'p4', instruction: 0.5, indirect: 20, lineTransfer: 200, locked: 100, serialize: 400, codeWrite: 300, ipi: 1000, interrupt: 1000, hypercall: 2500, contextSwitch: 5000,
    mnemonics: { nop: 0.33, call: 2, jmp: 1, ret: 3, pushf: 10, popf: 50, cli: 26, sti: 36, mul: 15, div: 60, int: 200, iret: 200, cpuid: 400, j: 1 },
  },
  k8: {
    ...COMMON, name: 'k8', instruction: 0.4, indirect: 8, lineTransfer: 130, locked: 18, serialize: 60, codeWrite: 50, ipi: 500, interrupt: 300, hypercall: 1300, contextSwitch: 2500,
    mnemonics: { nop: 0.33, call: 2, jmp: 1, ret: 2, pushf: 4, popf: 15, cli: 4, sti: 4, mul: 3, div: 40, int: 90, iret: 80, cpuid: 60, j: 1 },
  },
}

export class CostError extends Error {}

/** A table from the user's file: any field of the base table (`"base": "p6"`) replaced. @throws CostError */
export function readCostTable(data: unknown): CostTable {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) throw new CostError('a cost table is a JSON object')
  const { base = 'p6', mnemonics = {}, ...fields } = data as Record<string, unknown>
  if (typeof base !== 'string' || !Object.hasOwn(COST_TABLES, base)) throw new CostError(`base '${String(base)}': tables are ${Object.keys(COST_TABLES).join(', ')}`)
  const table = COST_TABLES[base]
  const check = (name: string, value: unknown) => {
    if (typeof value !== 'number' || !(value >= 0 && value <= 1e9)) throw new CostError(`${name}: cycles, from 0 to 1e9, are wanted`)
  }
  for (const [name, value] of Object.entries(fields)) {
    if (name === 'name') {
      if (typeof value !== 'string' || !/^[\x20-\x7e]{1,40}$/.test(value)) throw new CostError('name: up to 40 printable characters are wanted')
      continue
    }
    if (!Object.hasOwn(table, name)) throw new CostError(`'${name}' is no field of a cost table; fields are ${Object.keys(table).join(', ')}`)
    check(name, value)
  }
  if (typeof mnemonics !== 'object' || mnemonics === null || Array.isArray(mnemonics)) throw new CostError('mnemonics: an object from mnemonic to cycles')
  for (const [name, value] of Object.entries(mnemonics)) {
    if (!GROUP_NAMES.has(name)) throw new CostError(`mnemonics: no instruction is counted as '${name}' (names are those of docs/isa.md, and j for all jumps on conditions)`)
    check(`mnemonics.${name}`, value)
  }
  return { ...table, name: `${table.name} (changed)`, ...fields, mnemonics: { ...table.mnemonics, ...(mnemonics as Record<string, number>) } } as CostTable
}
