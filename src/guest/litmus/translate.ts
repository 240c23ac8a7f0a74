/** Instructions of litmus tests, in either dialect, as lines of our assembler (src/guest/asm), narrowed to 32 bits. */
import { LitmusError } from './litmusError.ts'
import { partName, PHYSICAL, registerNamed, WITH_BYTES, type RegisterName } from './registers.ts'
import type { Row } from './parse.ts'

type Operand =
  | { readonly kind: 'register'; readonly name: RegisterName }
  | { readonly kind: 'immediate'; readonly text: string }
  /** Address: registers, scale, and what is added (a number, a symbol, or both). */
  | { readonly kind: 'memory'; readonly base: RegisterName | null; readonly index: RegisterName | null; readonly scale: number; readonly offset: string }
  | { readonly kind: 'label'; readonly text: string }

const CONDITIONS = 'o no b nae c nb ae nc e z ne nz be na a nbe s ns p pe np po l nge ge nl le ng g nle'.split(' ')
const TWO = new Set(['mov', 'add', 'sub', 'and', 'or', 'xor', 'cmp', 'test', 'adc', 'sbb', 'xchg', 'xadd', 'cmpxchg', 'lea', 'bt', 'bts', 'btr', 'btc', 'imul', 'movabs', 'shl', 'sal', 'shr', 'sar', 'rol', 'ror', ...CONDITIONS.map((c) => `cmov${c}`)])
const ONE = new Set(['inc', 'dec', 'neg', 'not', 'invlpg', 'bswap', 'shl', 'sal', 'shr', 'sar', ...CONDITIONS.map((c) => `set${c}`)])
const NONE = new Set(['nop', 'pause', 'mfence', 'sfence', 'lfence', 'ret', 'cpuid'])
/** Hints without an effect on what is read or written (SDM vol. 2): executed as NOPs. */
const HINTS = new Set(['clflush', 'clflushopt', 'prefetch', 'prefetcht0', 'prefetcht1', 'prefetcht2', 'prefetchnta', 'prefetchw'])
/** Spellings of herd's own. */
const HERD_NAMES: Readonly<Record<string, string>> = { jlt: 'jl', jgt: 'jg', nopb: 'nop', nopw: 'nop', nopl: 'nop', nopq: 'nop' }
/** A mnemonic, and an operand, of 64 bits. */
const WIDE = /q$/i
const WIDE_REGISTER = /^(?:qword\b|%?r(?:[a-d]x|[sd]i|bp|sp|\d+)$)/i
const SUFFIX_BYTES: Readonly<Record<string, number>> = { b: 1, w: 2, l: 4, q: 4 }
const SIZE_NAMES: Readonly<Record<number, string>> = { 1: 'byte', 2: 'word', 4: 'dword' }
/** In these the register comes second, whichever way round it was written. */
const MEMORY_FIRST = new Set(['cmpxchg', 'xchg', 'xadd'])

interface Instruction {
  readonly lock: boolean
  readonly mnemonic: string
  /** Bytes by the mnemonic's suffix or by the registers; 0: neither says. */
  readonly sizeBytes: number
  /** Bytes of the source of MOVZX and MOVSX; 0: another instruction. */
  readonly sourceBytes: number
  /** It was written for 64 bits. */
  readonly wide: boolean
  readonly operands: readonly Operand[]
  readonly line: number
}

export interface ThreadCode {
  readonly lines: readonly string[]
  /** Registers of the test that occur, `rax` ..., to where they are on the machine. */
  readonly registers: ReadonlyMap<string, string>
  readonly labels: ReadonlySet<string>
  /** Variables that occur. */
  readonly variables: ReadonlySet<string>
  /** It has 64-bit accesses. */
  readonly wide: boolean
  /** Line of an access that may be to the upper half of 64 bits; null: there is none. */
  readonly upperHalfLine: number | null
}

/**
 * @param variables names known from the initial state
 * @param extra registers that the initial state or the condition name
 * @throws LitmusError names the construct and its line
 */
export function translateThread(rows: readonly Row[], thread: number, arch: string, extra: readonly RegisterName[]): ThreadCode {
  const labels = new Set<string>()
  const instructions: (Instruction | { readonly label: string })[] = []
  for (const row of rows) {
    let { text } = row
    for (let match = /^([A-Za-z_.]\w*)\s*:(?!\w)/.exec(text); match !== null; match = /^([A-Za-z_.]\w*)\s*:(?!\w)/.exec(text)) {
      labels.add(match[1])
      instructions.push({ label: match[1] })
      text = text.slice(match[0].length).trim()
    }
    if (text !== '') instructions.push(readInstruction(text, row.line, arch))
  }
  const halves = instructions.find((one): one is Instruction => 'operands' in one && one.operands.some(reachesUpperHalf))
  const registers = allocate(instructions.filter((one) => 'operands' in one), extra, rows[0]?.line ?? 0)
  const variables = new Set<string>()
  const lines = instructions.map((one) => ('label' in one ? `${labelName(thread, one.label)}:` : write(one, thread, labels, registers, variables)))
  const wide = instructions.some((one) => 'operands' in one && one.wide && one.mnemonic !== 'lea' && one.operands.some(({ kind }) => kind === 'memory'))
  return { lines, registers, labels, variables, wide, upperHalfLine: halves?.line ?? null }
}

/** Bytes 4 to 7 of what a 64-bit access may have touched: narrowed, the two would no longer meet. */
function reachesUpperHalf(operand: Operand): boolean {
  return operand.kind === 'memory' && operand.offset.split('+').some((term) => /^-?\d+$/.test(term.trim()) && (Number(term) & 4) !== 0)
}

export const labelName = (thread: number, label: string) => `P${thread}_${label.replace(/^\./, 'dot_')}`
/** Variables are prefixed, so that one named `eax` or `ret` is no keyword of the assembler. */
export const variableName = (name: string) => `v_${name.replace(/[.$]/g, '_')}`

function readInstruction(text: string, line: number, arch: string): Instruction {
  const unsupported = (what: string) => new LitmusError(line, `unsupported: ${what}`)
  let rest = text
  const lock = /^lock\b[ ;]*/i.exec(rest)
  if (lock !== null) rest = rest.slice(lock[0].length)
  const word = (/^[A-Za-z]\w*/.exec(rest) ?? [''])[0]
  const name = HERD_NAMES[word.toLowerCase()] ?? word.toLowerCase()
  const operandText = rest.slice(word.length).trim()
  const att = arch === 'X86_64' || /%/.test(operandText)
  const texts = splitOperands(operandText)
  const jump = name === 'jmp' || (name.startsWith('j') && CONDITIONS.includes(name.slice(1)))
  // Nothing of a long NOP counts, not even a scale of 0.
  const operands = name === 'nop' ? [] : texts.map((one) => (jump ? ({ kind: 'label', text: one } as const) : readOperand(one, att, line)))
  const made = (mnemonic: string, suffixBytes: number, sourceBytes = 0): Instruction => {
    // AT&T has the source first; ours has the destination first.
    let ordered = att ? operands.toReversed() : operands
    if (MEMORY_FIRST.has(mnemonic) && ordered.length === 2 && ordered[1].kind === 'memory') ordered = ordered.toReversed()
    const sizes = ordered.filter((one) => one.kind === 'register').map((one) => one.name.sizeBytes)
    return { lock: lock !== null, mnemonic, sizeBytes: suffixBytes || sizes[0] || 0, sourceBytes, wide: WIDE.test(word) || texts.some((one) => WIDE_REGISTER.test(one)), operands: ordered, line }
  }
  if (jump) {
    if (texts.length !== 1) throw unsupported(text)
    return made(name, 0)
  }
  if (HINTS.has(name)) return { lock: false, mnemonic: 'nop', sizeBytes: 0, sourceBytes: 0, wide: false, operands: [], line }
  if (NONE.has(name)) {
    if (texts.length > 0 && name !== 'nop') throw unsupported(text)
    return { ...made(name, 0), operands: [] }
  }
  const extend = /^mov([sz])(?:([bw])([wlq])|x)$/.exec(name)
  if (name === 'movslq') return made('mov', 4)
  if (extend !== null && texts.length === 2) return made(`mov${extend[1]}x`, extend[3] === 'w' ? 2 : 0, extend[2] === undefined ? 1 : SUFFIX_BYTES[extend[2]])
  for (const [mnemonic, suffixBytes] of [[name, 0], [name.slice(0, -1), SUFFIX_BYTES[name.slice(-1)] ?? -1]] as const) {
    if (suffixBytes < 0) continue
    if ((TWO.has(mnemonic) && texts.length === 2) || (ONE.has(mnemonic) && texts.length === 1)) return made(mnemonic === 'movabs' ? 'mov' : mnemonic, suffixBytes)
  }
  throw unsupported(`instruction '${text.slice(0, 60)}'`)
}

/** At commas outside of parentheses and brackets. */
function splitOperands(text: string): string[] {
  const out: string[] = []
  let depth = 0
  let from = 0
  for (let k = 0; k <= text.length; k++) {
    if (text[k] === '(' || text[k] === '[') depth++
    if (text[k] === ')' || text[k] === ']') depth--
    if (k < text.length && (text[k] !== ',' || depth > 0)) continue
    out.push(text.slice(from, k).trim())
    from = k + 1
  }
  return out.length === 1 && out[0] === '' ? [] : out
}

const SYMBOL = /^(?:P\d+:)?[A-Za-z_.$][\w.$]*(?:\s*[+-]\s*\d+)?$/

function readOperand(text: string, att: boolean, line: number): Operand {
  const wrong = () => new LitmusError(line, `unsupported: operand '${text.slice(0, 60)}'`)
  const size = /^(byte|word|dword|qword)\s+(?:ptr\s+)?/i.exec(text)
  if (size !== null) return readOperand(text.slice(size[0].length), att, line)
  const register = registerNamed(text)
  if (register !== null && (!att || text.startsWith('%') || arch32(text))) return { kind: 'register', name: register }
  const value = text.replace(/^\$/, '').replace(/^&/, '')
  if (/^[-+]?(?:0x[0-9a-f]+|\d+)$/i.test(value)) return { kind: 'immediate', text: checked(value, line) }
  if (text.startsWith('$') && SYMBOL.test(value)) return { kind: 'immediate', text: value }
  const inner = /^([-+]?\w*(?::\w+)?)\s*\(([^()]*)\)$/.exec(text)
  if (inner !== null) return readAttAddress(inner[1], inner[2], line, wrong)
  const bracket = /^([\w.]*)\[([^\]]+)\]$/.exec(text)
  if (bracket !== null) return readIntelAddress(bracket[2], bracket[1], line, wrong)
  if (SYMBOL.test(text)) return { kind: 'memory', base: null, index: null, scale: 1, offset: text }
  throw wrong()
}

/** Register names without `%` are registers in AT&T too, where nothing else can be meant. */
const arch32 = (text: string) => /^(?:[er][a-d]x|[er][sd]i|r\d+d?)$/i.test(text)

function readAttAddress(before: string, inside: string, line: number, wrong: () => LitmusError): Operand {
  const parts = inside.split(',').map((one) => one.trim())
  if (parts[0] === '%rip' || parts[0] === 'rip') return { kind: 'memory', base: null, index: null, scale: 1, offset: before }
  const offset = before === '' ? '0' : /^[-+]?(?:0x[0-9a-f]+|\d+)$/i.test(before) ? checked(before, line) : before
  const base = parts[0] === '' ? null : registerNamed(parts[0])
  if (parts[0] !== '' && base === null) {
    if (parts.length > 1 || !SYMBOL.test(parts[0])) throw wrong()
    return { kind: 'memory', base: null, index: null, scale: 1, offset: offset === '0' ? parts[0] : `${parts[0]}+${offset}` }
  }
  const index = parts[1] ? registerNamed(parts[1]) : null
  if ((parts[1] && index === null) || parts.length > 3) throw wrong()
  const scale = parts[2] ? Number(parts[2]) : 1
  if (![1, 2, 4, 8].includes(scale)) throw wrong()
  return { kind: 'memory', base, index, scale, offset }
}

function readIntelAddress(inside: string, before: string, line: number, wrong: () => LitmusError): Operand {
  let base: RegisterName | null = null
  let index: RegisterName | null = null
  let scale = 1
  const offsets: string[] = before === '' ? [] : [before]
  for (const term of inside.replace(/-/g, '+-').split('+').map((one) => one.trim().replace(/^-\s+/, '-')).filter((one) => one !== '')) {
    const scaled = /^(%?\w+)\s*\*\s*([1248])$/.exec(term)
    const register = registerNamed(scaled?.[1] ?? term)
    if (scaled !== null && register !== null && index === null) {
      index = register
      scale = Number(scaled[2])
    } else if (register !== null && base === null) base = register
    else if (register !== null && index === null) index = register
    else if (/^-?(?:0x[0-9a-f]+|\d+)$/i.test(term)) offsets.push(checked(term, line))
    else if (SYMBOL.test(term)) offsets.push(term)
    else throw wrong()
  }
  return { kind: 'memory', base, index, scale, offset: offsets.join('+') || '0' }
}

/** A number that 32 bits hold. */
export function checked(text: string, line: number): string {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value > 0xffff_ffff || value < -0x8000_0000) throw new LitmusError(line, `unsupported: ${text} needs 64 bits; tests are run narrowed to 32`)
  return String(value)
}

/** Every register keeps its place where it can; r8 to r15, RSP and byte parts of the others take what is free. */
function allocate(instructions: readonly Instruction[], extra: readonly RegisterName[], line: number): Map<string, string> {
  const needsByte = new Set<string>()
  const used = new Set<string>()
  const note = (name: RegisterName, byte: boolean) => {
    used.add(name.whole)
    if (byte) needsByte.add(name.whole)
  }
  for (const { operands, mnemonic, sizeBytes, sourceBytes } of instructions) {
    for (const operand of operands) {
      if (operand.kind === 'register') note(operand.name, operand.name.sizeBytes === 1 || (sizeBytes === 1 && sourceBytes === 0) || mnemonic.startsWith('set'))
      if (operand.kind === 'memory') for (const one of [operand.base, operand.index]) if (one !== null) note(one, false)
    }
    if (mnemonic === 'cmpxchg') note(registerNamed('eax')!, true)
  }
  for (const name of extra) note(name, false)
  const places = new Map<string, string>()
  const free = new Set<string>(PHYSICAL)
  const own = (whole: string) => `e${whole.slice(1)}`
  const fits = (whole: string) => free.has(own(whole)) && (!needsByte.has(whole) || WITH_BYTES.has(own(whole)))
  for (const whole of used) {
    if (!fits(whole)) continue
    places.set(whole, own(whole))
    free.delete(own(whole))
  }
  for (const whole of [...used].filter((one) => !places.has(one)).sort((a, b) => Number(needsByte.has(b)) - Number(needsByte.has(a)))) {
    // What needs no byte part leaves the registers that have one alone, as long as it can.
    const candidates = [...free].filter((one) => !needsByte.has(whole) || WITH_BYTES.has(one))
    const place = needsByte.has(whole) ? candidates[0] : candidates.at(-1)
    if (place === undefined) throw new LitmusError(line, `unsupported: a thread uses more registers than the i386 has (${[...used].join(' ')})`)
    places.set(whole, place)
    free.delete(place)
  }
  return places
}

function write(
  { lock, mnemonic, sizeBytes, sourceBytes, operands, line }: Instruction, thread: number, labels: ReadonlySet<string>,
  registers: ReadonlyMap<string, string>, variables: Set<string>,
): string {
  const address = (name: RegisterName) => registers.get(name.whole)!
  const symbol = (text: string): string => {
    const [, name, more = ''] = /^((?:P\d+:)?[\w.$]+)(.*)$/.exec(text)!
    const code = /^P(\d+):(\w+)$/.exec(name)
    if (code !== null) return labelName(Number(code[1]), code[2]) + more
    if (labels.has(name)) return labelName(thread, name) + more
    variables.add(name)
    return variableName(name) + more
  }
  const isNumber = (text: string) => /^-?\d+$/.test(text)
  const size = sizeBytes || 4
  const texts = operands.map((operand, k) => {
    switch (operand.kind) {
      case 'register': {
        const bytes = mnemonic.startsWith('set') ? 1 : sourceBytes > 0 ? (k === 0 ? Math.max(sizeBytes, 2) : sourceBytes) : k === 1 && ['shl', 'sal', 'shr', 'sar', 'rol', 'ror'].includes(mnemonic) ? 1 : mnemonic === 'lea' ? 4 : sizeBytes || operand.name.sizeBytes
        return partName(registers.get(operand.name.whole)!, bytes, operand.name.high)
      }
      case 'immediate':
        return isNumber(operand.text) ? operand.text : symbol(operand.text)
      case 'label': {
        const target = operand.text.replace(/^\./, '.')
        if (!labels.has(target)) throw new LitmusError(line, `jump to '${target.slice(0, 40)}', which is no label of P${thread}`)
        return labelName(thread, target)
      }
      case 'memory': {
        const terms = [
          ...(operand.base === null ? [] : [address(operand.base)]),
          ...(operand.index === null ? [] : [`${address(operand.index)}*${operand.scale}`]),
          ...operand.offset.split('+').filter((one) => one !== '0' && one !== '').map((one) => (isNumber(one.trim()) ? one.trim() : symbol(one.trim()))),
        ]
        if (mnemonic === 'lea' || mnemonic === 'invlpg') return `[${terms.join(' + ') || '0'}]`
        const bytes = mnemonic.startsWith('set') ? 1 : sourceBytes > 0 ? sourceBytes : size
        return `${SIZE_NAMES[bytes]} [${terms.join(' + ') || '0'}]`
      }
    }
  })
  if (mnemonic === 'lea' && operands[0]?.kind !== 'register') throw new LitmusError(line, 'LEA needs a register')
  if (lock && !operands.some((one) => one.kind === 'memory')) throw new LitmusError(line, `unsupported: LOCK ${mnemonic.toUpperCase()} without a memory operand raises #UD`)
  const name = mnemonic === 'jz' ? 'jz' : mnemonic
  return `    ${lock ? 'lock ' : ''}${name}${texts.length > 0 ? ` ${texts.join(', ')}` : ''}`
}
