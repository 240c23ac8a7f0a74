/** Differences between the captured part and the modelled class that have a reason. Short, and each with its source. */
import { DATA, READ_ONLY, type Instance, type Result } from './layout.ts'

interface Explanation {
  readonly why: string
  /** `after` on the part, `got` on the model. */
  readonly applies: (row: string, before: Instance, after: Result, got: Result) => boolean
}

const opcodeOf = (before: Instance) => before.code.findIndex((byte) => ![0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3].includes(byte))
const modrmOf = (before: Instance) => before.code[opcodeOf(before) + (before.code[opcodeOf(before)] === 0x0f ? 2 : 1)]

export const EXPLANATIONS: readonly Explanation[] = [
  {
    why: 'a near CALL to beyond the limit of CS: the part pushes before it looks at the target, so the return address is left below ESP, or the fault is that of the stack (SDM vol. 2A checks the target first)',
    applies: (row, before, after, got) =>
      /^call (ff 2|e8)/.test(row) && got.trap === 13 && got.error === 0 && after.eip === before.eip &&
      (after.trap === 12 || after.trap === 14 || after.trap === 17 || (after.trap === 13 && after.memory.length > 0)),
  },
  {
    why: 'a POPA that faults may have loaded some registers already; it starts again from an unchanged ESP',
    applies: (row, _before, after) => row.startsWith('popa') && (after.trap === 14 || after.trap === 12 || after.trap === 17),
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
    why: 'BOUND, LES and LDS with a register operand are the EVEX and VEX prefixes on newer parts',
    applies: (row, before) => /^(bound|les|lds) /.test(row) && modrmOf(before) >> 6 === 3,
  },
  {
    why: 'BSF and BSR with F3 are TZCNT and LZCNT on newer parts',
    applies: (row, before) => /^bs[fr] /.test(row) && before.code.subarray(0, opcodeOf(before)).includes(0xf3),
  },
]

export function explain(row: string, before: Instance, after: Result, got: Result): string | null {
  return EXPLANATIONS.find((one) => one.applies(row, before, after, got))?.why ?? null
}
