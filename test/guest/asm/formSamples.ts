/** Source lines that use every form of the ISA table, with operands of all kinds: for the oracles. */
import { allForms, type Form } from '../../../src/guest/asm/forms.ts'
import { dependsOnWidth, parseCode } from '../../../src/guest/asm/operandCodes.ts'

const GENERAL: Readonly<Record<number, readonly string[]>> = {
  1: ['cl', 'bh', 'dl', 'ah', 'al'],
  2: ['cx', 'bp', 'di', 'sp', 'ax'],
  4: ['ecx', 'ebp', 'edi', 'esp', 'eax'],
}
const ADDRESSES = [
  '[ebx]', '[ebp]', '[esp]', '[edi+4]', '[ebp-128]', '[esp+128]', '[eax+ecx*4]', '[ebp+edx*8-4]', '[esi*4+0x12345678]',
  '[0x1234]', '[gs:0x10]', '[fs:ebx+esi*2+0x7f]', '[esp+ebp*2]', '[bx+si+3]', '[edx+0x80]',
] // prettier-ignore
const MEMORY_WORDS: Readonly<Record<number, string>> = {
  1: 'byte', 2: 'word', 4: 'dword', 6: '', 8: 'qword', 10: 'tword', 16: 'oword',
} // prettier-ignore
const TYPE_BYTES: Readonly<Record<string, number>> = {
  b: 1, w: 2, d: 4, y: 4, q: 8, s: 0, t: 10, dq: 16, x: 16, ps: 16, pd: 16, ss: 4, sd: 8, pi: 8, si: 4,
} // prettier-ignore

function bytesOf(type: string, width: number): number {
  if (type === 'a') return 0
  return dependsOnWidth(type) ? width : (TYPE_BYTES[type] ?? 0)
}

function pick<T>(list: readonly T[], round: number): T {
  return list[round % list.length]
}

/** `round` chooses among the operands that can stand for `code`; null where the sampler knows none. */
function sample(code: string, width: number, round: number): string | null {
  const { method, type } = parseCode(code)
  const bytes = bytesOf(type, width)
  const memory = (word = MEMORY_WORDS[bytes] ?? '') => `${word} ${pick(ADDRESSES, round)}`.trim()
  const general = () => pick(GENERAL[bytes] ?? GENERAL[4], round * 3 + 1)
  switch (method) {
    case 'E':
      return round % 3 === 0 ? general() : memory()
    case 'M':
      return type === 'p' ? `far ${MEMORY_WORDS[width]} ${pick(ADDRESSES, round)}` : memory()
    case 'Q':
      return round % 3 === 0 ? `mm${round % 8}` : memory()
    case 'W':
      return round % 3 === 0 ? `xmm${round % 8}` : memory()
    case 'G':
    case 'R':
    case 'Z':
      return general()
    case 'P':
    case 'N':
      return `mm${(round + 1) % 8}`
    case 'V':
    case 'U':
      return `xmm${(round + 1) % 8}`
    case 'S':
      return pick(['ds', 'es', 'ss', 'gs', 'fs'], round)
    case 'C':
      return pick(['cr0', 'cr2', 'cr3', 'cr4'], round)
    case 'D':
      return pick(['dr0', 'dr3', 'dr6', 'dr7'], round)
    case 'T':
      return pick(['tr6', 'tr7'], round)
    case 'I': {
      const values =
        bytes === 1
          ? ['5', '0x80', '-1']
          : bytes === 2
            ? ['0x1234', '300', '-2']
            : ['0x12345678', '128', '-129']
      return pick(values, round)
    }
    case 'sI':
      return pick(['5', '-128', '127'], round)
    case 'J':
      return type === 'b'
        ? pick(['short $+10', 'short $-20'], round)
        : pick(['near $+0x1000', 'near $+2'], round)
    case 'A':
      return '8:0x1234'
    case 'O':
      return pick(['[0x1234]', '[gs:0x10]', '[0x12345678]'], round)
    case 'fixed':
      if (/^[er][a-d]x$|^[er][sb]p$|^[er][sd]i$/.test(type)) return (width === 4 ? 'e' : '') + type.slice(1)
      return type === 'st' ? 'st0' : type
    default:
      return null
  }
}

const ROUNDS = 7

/** Lines for one form, in 32-bit code. */
export function samplesOf(form: Form): string[] {
  const short = /^loop|cxz$/.test(form.mnemonic) ? '' : 'short '
  const lines = new Set<string>()
  const widths = form.operands.some(
    (code) => dependsOnWidth(parseCode(code).type) || parseCode(code).method === 'fixed',
  )
    ? [4, 2]
    : [4]
  for (const width of form.width === 0 ? widths : [form.width]) {
    for (let round = 0; round < (form.operands.length === 0 ? 1 : ROUNDS); round++) {
      const operands = form.operands.map((code, n) => sample(code, width, round + n * 2))
      if (operands.every((operand) => operand !== null))
        lines.add(`${form.mnemonic} ${operands.join(', ')}`.trim().replace('short ', short))
    }
  }
  return [...lines]
}

export function allSamples(): string[] {
  return [...new Set(allForms().flatMap(samplesOf))]
}
