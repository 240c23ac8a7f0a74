/** Differences between the captured part and the modelled class that have a reason. Short, and each with its source. */
import { DATA, READ_ONLY, type Instance, type Result } from './layout.ts'

interface Explanation {
  readonly why: string
  readonly applies: (row: string, before: Instance, after: Result) => boolean
}

const opcodeOf = (before: Instance) => before.code.findIndex((byte) => ![0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3].includes(byte))
const modrmOf = (before: Instance) => before.code[opcodeOf(before) + (before.code[opcodeOf(before)] === 0x0f ? 2 : 1)]

export const EXPLANATIONS: readonly Explanation[] = [
  {
    why: 'PUSH of a segment register writes only 16 of its 32 bits on parts since the Core (SDM vol. 2B, PUSH); the classes here write zeros above',
    applies: (row) => /^push \w+ - (ES|CS|SS|DS|FS)$/.test(row),
  },
  {
    why: "the selector in GS is the host's",
    applies: (row, before) => row.startsWith('mov 8c') && ((modrmOf(before) >> 3) & 7) === 5,
  },
  {
    why: 'a POPA that faults may have loaded some registers already; it starts again from an unchanged ESP',
    applies: (row, _before, after) => row.startsWith('popa') && after.trap === 14,
  },
  {
    why: 'XGETBV, XSETBV, RDTSCP and others that came with mod 3 of 0F 01',
    applies: (row, before) => row.includes(' 0f01 ') && modrmOf(before) >> 6 === 3,
  },
  {
    why: 'XRSTOR, XSAVEOPT and CLFLUSH: the memory forms of 0F AE /5, /6 and /7, which these classes do not have or the model does not',
    applies: (row, before) => row.includes(' 0fae ') && modrmOf(before) >> 6 !== 3,
  },
  {
    why: "the host's data pages cannot be executed (NX); those of the model can",
    applies: (_row, _before, after) => after.trap === 14 && (after.error & 0x11) === 0x11 && after.cr2 === after.eip && after.eip >= DATA && after.eip < READ_ONLY + 0x1000,
  },
  {
    why: 'BOUND with a register operand is the EVEX prefix on newer parts',
    applies: (row, before) => row.startsWith('bound') && modrmOf(before) >> 6 === 3,
  },
  {
    why: 'BSF and BSR with F3 are TZCNT and LZCNT on newer parts',
    applies: (row, before) => /^bs[fr] /.test(row) && before.code.subarray(0, opcodeOf(before)).includes(0xf3),
  },
]

export function explain(row: string, before: Instance, after: Result): string | null {
  return EXPLANATIONS.find((one) => one.applies(row, before, after))?.why ?? null
}
