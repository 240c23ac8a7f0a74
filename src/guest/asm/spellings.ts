/**
 * How assembly spells the rows of the ISA table: synonyms, and names that say a size (`movsd`, `pushad`,
 * `jecxz`), where the table has one row for all sizes. Only names: encodings stand in cpu/isa.ts.
 */

/** Name, and the sizes in bytes that it means; 0: as the code segment has it. */
export interface Spelling {
  readonly name: string
  readonly width: number
  readonly addressBytes: number
}

const CONDITION_SYNONYMS: Readonly<Record<string, readonly string[]>> = {
  b: ['c', 'nae'],
  nb: ['ae', 'nc'],
  z: ['e'],
  nz: ['ne'],
  be: ['na'],
  nbe: ['a'],
  p: ['pe'],
  np: ['po'],
  l: ['nge'],
  nl: ['ge'],
  le: ['ng'],
  nle: ['g'],
}

function spelling(name: string, width = 0, addressBytes = 0): Spelling {
  return { name, width, addressBytes }
}

/** `pusha` as the segment has it, `pushaw` and `pushad` explicitly. */
function sized(name: string): Spelling[] {
  return [spelling(name), spelling(name + 'w', 2), spelling(name + 'd', 4)]
}

function synonyms(...names: string[]): Spelling[] {
  return names.map((name) => spelling(name))
}

/** Rows that go by other names than the table's, or by several. An empty list: written as another row. */
const SPELLINGS: ReadonlyMap<string, readonly Spelling[]> = new Map([
  ['cbw', [spelling('cbw', 2), spelling('cwde', 4)]],
  ['cwd', [spelling('cwd', 2), spelling('cdq', 4)]],
  ['pusha', sized('pusha')],
  ['popa', sized('popa')],
  ['pushf', sized('pushf')],
  ['popf', sized('popf')],
  ['iret', sized('iret')],
  ['jcxz', [spelling('jcxz', 0, 2), spelling('jecxz', 0, 4)]],
  // With a 16-bit operand its result is undefined.
  ['bswap', [spelling('bswap', 4)]],
  ['ret', synonyms('ret', 'retn')],
  ['loope', synonyms('loope', 'loopz')],
  ['loopne', synonyms('loopne', 'loopnz')],
  ['xlat', synonyms('xlat', 'xlatb')],
  ['fwait', synonyms('fwait', 'wait')],
  ['int1', synonyms('int1', 'icebp')],
  // SAL is SHL; its own opcode (/6) is an undocumented double.
  ['shl', synonyms('shl', 'sal')],
  ['sal', []],
  // Rows that stand for whole opcodes have no mnemonic of their own.
  ['x87', []],
])

const CONDITIONAL = /^(j|set|cmov)(\w+)$/

/** The names under which a row is found. */
export function spellingsOf(mnemonic: string, operands: readonly string[]): readonly Spelling[] {
  const implied = operands.find((code) => /^[XY]/.test(code))
  if (implied) {
    if (implied.endsWith('b')) return [spelling(mnemonic + 'b')]
    return [spelling(mnemonic + 'w', 2), spelling(mnemonic + 'd', 4)]
  }
  const known = SPELLINGS.get(mnemonic)
  if (known) return known
  const [, stem, condition] = CONDITIONAL.exec(mnemonic) ?? []
  const others =
    condition !== undefined && Object.hasOwn(CONDITION_SYNONYMS, condition)
      ? CONDITION_SYNONYMS[condition]
      : []
  return synonyms(mnemonic, ...others.map((other) => stem + other))
}

/** These store or load 16 bits in memory whatever the operand size, which counts for a register only. */
const WORD_IN_MEMORY = new Set(['sldt', 'str', 'smsw'])

/** Operand lists under which a row is found, in the table's notation. */
export function operandLists(mnemonic: string, operands: readonly string[]): readonly (readonly string[])[] {
  if (operands.some((code) => /^[XY]/.test(code))) return [[]]
  const text = operands.join()
  if (text === 'Ev,Sw') return [['Rv', 'Sw'], ['Mw', 'Sw']] // prettier-ignore
  if (text === 'Sw,Ew') return [['Sw', 'Ew'], ['Sw', 'Rd']] // prettier-ignore
  if (text === 'Ev' && WORD_IN_MEMORY.has(mnemonic)) return [['Rv'], ['Mw']]
  // LDS and its kin: a far pointer, without saying so.
  if (text === 'Gz,Mp') return [['Gz', 'M']]
  // The first of two registers goes to ModRM.reg, as nasm has it.
  if (text === 'Ev,Gv' || text === 'Eb,Gb') {
    const swapped = [...operands].reverse()
    if (mnemonic === 'xchg') return [swapped, operands]
    if (mnemonic === 'test') return [operands, swapped]
  }
  if (text === 'Zv,eAX') return [operands, ['eAX', 'Zv']] // prettier-ignore
  return [operands]
}
