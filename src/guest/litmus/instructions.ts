/**
 * Instructions of litmus tests, in either dialect, narrowed to 32 bits: which there are, what their names say of sizes, and
 * which registers they use without naming them.
 */
import { LitmusError } from './litmusError.ts'
import { readOperand, splitOperands, type Operand } from './operands.ts'
import { registerNamed } from './registers.ts'

export interface Instruction {
  readonly prefix: string
  /** Name in Intel syntax, without a suffix. */
  readonly mnemonic: string
  /** Bytes by the name's suffix, the registers or a word in front of the memory; 0: nothing says it. */
  readonly sizeBytes: number
  /** Bytes of the source of MOVZX and MOVSX; 0: another instruction. */
  readonly sourceBytes: number
  /** It was written for 64 bits. */
  readonly wide: boolean
  /** Destination first. */
  readonly operands: readonly Operand[]
  readonly line: number
}

const CONDITIONS = 'o no b c nae nb nc ae e z ne nz be na a nbe s ns p pe np po l nge ge nl le ng g nle'.split(' ')
const withConditions = (stem: string) => CONDITIONS.map((condition) => stem + condition)

/** By number of operands. */
const GENERAL: readonly ReadonlySet<string>[] = [
  new Set([
    ...'nop pause mfence sfence lfence ret cpuid hlt cli sti clc stc cmc cld std lahf sahf cbw cwde cwd cdq pushf popf pusha popa iret int3 leave wbinvd'.split(' '),
    ...['movs', 'stos', 'lods', 'cmps', 'scas'].flatMap((name) => ['b', 'w', 'd'].map((size) => name + size)),
  ]),
  new Set([...'inc dec neg not mul imul div idiv bswap push pop cmpxchg8b invlpg lidt lgdt int shl sal shr sar rol ror rcl rcr'.split(' '), ...withConditions('set')]),
  new Set([
    ...'mov add or adc sbb and sub xor cmp test xchg xadd cmpxchg lea bt bts btr btc bsf bsr imul shl sal shr sar rol ror rcl rcr'.split(' '),
    ...withConditions('cmov'),
  ]),
  new Set(['imul', 'shld', 'shrd']),
]
const JUMPS = new Set(['jmp', 'call', 'loop', 'loope', 'loopne', 'jecxz', ...withConditions('j')])
/** Of our own, with the number of operands (docs/litmus.md): calls to the checker, leaving the processor, placement of code. */
const OWN: ReadonlyMap<string, number> = new Map([['ipi', 2], ['nmi', 1], ['kick', 1], ['block', 0], ['desched', 0], ['align', 1], ['pad', 1]])
/** Hints without an effect on what is read or written (SDM vol. 2): executed as NOPs. */
const HINTS = new Set('clflush clflushopt clwb prefetch prefetcht0 prefetcht1 prefetcht2 prefetchnta prefetchw endbr32 endbr64'.split(' '))
/** Other spellings: herd's own, and AT&T's. */
const SPELLINGS: Readonly<Record<string, string>> = {
  jlt: 'jl', jgt: 'jg', nopb: 'nop', nopw: 'nop', nopl: 'nop', nopq: 'nop', movabs: 'mov', movabsq: 'movq', cltd: 'cdq', cqto: 'cdq', cwtl: 'cwde', cbtw: 'cbw', cltq: 'nop',
  movsl: 'movsd', stosl: 'stosd', lodsl: 'lodsd', cmpsl: 'cmpsd', scasl: 'scasd', iretd: 'iret', retq: 'ret', retl: 'ret', pushfl: 'pushf', popfl: 'popf', leaveq: 'leave', callq: 'call', jmpq: 'jmp',
}
/** An instruction, and an operand, of 64 bits. */
const WIDE = /q$/i
const WIDE_REGISTER = /^(?:qword\b|%?r(?:[a-d]x|[sd]i|bp|sp|\d+)$)/i
const SUFFIX_BYTES: Readonly<Record<string, number>> = { b: 1, w: 2, l: 4, q: 4 }
/** In these the register comes second, whichever way round it was written. */
const MEMORY_FIRST = new Set(['cmpxchg', 'xchg', 'xadd'])
/** The destination of these is never memory, whichever way round they were written (herd has CMOVC with the register first). */
const REGISTER_FIRST = /^(?:cmov|lea$|bs[fr]$|mov[sz]x$)/

/** Tests of a suite have most of their instructions in common. */
const read = new Map<string, Instruction>()
const READ_MAX = 4096
const READ_LENGTH_MAX = 200

/**
 * @param columns where the characters of `text` stand in the line
 * @throws LitmusError names what is not supported
 */
export function readInstruction(text: string, line: number, arch: string, columns: readonly number[] = []): Instruction {
  const key = arch + text
  let instruction = read.get(key)
  if (instruction === undefined) {
    instruction = readAnew(text, line, arch, columns)
    if (read.size === READ_MAX) read.clear()
    if (key.length <= READ_LENGTH_MAX) read.set(key, instruction)
  }
  return { ...instruction, line }
}

function readAnew(text: string, line: number, arch: string, columns: readonly number[]): Instruction {
  const unsupported = () => new LitmusError(line, `unsupported: instruction '${text.slice(0, 60)}'`, columns[0])
  const prefix = (/^(?:lock|rep(?:n?[ez])?)\b[ ;]*/i.exec(text) ?? [''])[0]
  const rest = text.slice(prefix.length)
  const word = (/^[A-Za-z]\w*/.exec(rest) ?? [''])[0]
  const operandText = rest.slice(word.length).trim()
  // `%` marks AT&T in X86 too, but for symbolic registers, whose order is that of the dialect.
  const att = arch === 'X86_64' || (/%[a-z]+/gi.exec(operandText) !== null && operandText.match(/%\w+/g)!.some((name) => registerNamed(name)?.symbolic === false))
  const operandsAt = text.length - operandText.length
  const parts = splitOperands(operandText)
  const texts = parts.map((one) => one.text)
  const { mnemonic, suffixBytes, sourceBytes, kind } = resolveName(word.toLowerCase(), texts.length) ?? fail(wrongCount(word, texts.length, line, columns[0]) ?? unsupported())
  const common = { prefix: prefix.toLowerCase().replace(/[\s;]/g, ''), line }
  if (kind === 'hint') return { ...common, mnemonic: 'nop', sizeBytes: 0, sourceBytes: 0, wide: false, operands: [] }
  if (kind === 'jump' && /^[%*$([]|[([]/.test(texts[0])) throw unsupported()
  const inOrder = parts.map((one): Operand => (kind === 'jump' ? { kind: 'label', text: one.text } : readOperand(one.text, att && kind !== 'own', { line, column: columns[operandsAt + one.at] ?? (columns.at(-1) ?? -1) + 1 })))
  // AT&T has the source first; ours has the destination first.
  let operands = att && kind === 'general' ? inOrder.toReversed() : inOrder
  if (operands.length === 2 && (MEMORY_FIRST.has(mnemonic) ? operands[1].kind === 'memory' : REGISTER_FIRST.test(mnemonic) && operands[0].kind === 'memory')) operands = operands.toReversed()
  const named = operands.find((one) => one.kind === 'register')?.name.sizeBytes ?? operands.find((one) => one.kind === 'memory')?.sizeBytes ?? 0
  const source = sourceBytes < 0 ? sourceSize(operands[1]) : sourceBytes
  const wide = WIDE.test(word) || texts.some((one) => WIDE_REGISTER.test(one))
  return { ...common, mnemonic, sizeBytes: suffixBytes || named, sourceBytes: source, wide, operands }
}

/** It is an instruction, but not with so many operands. */
function wrongCount(word: string, operands: number, line: number, column: number): LitmusError | null {
  const counts = [0, 1, 2, 3].filter((count) => resolveName(word.toLowerCase(), count) !== null)
  return counts.length === 0 ? null : new LitmusError(line, `syntax error: ${word} takes ${counts.join(' or ')} operands, here it has ${operands}; they are separated by commas`, column)
}

function fail(error: LitmusError): never {
  throw error
}

interface Name {
  readonly mnemonic: string
  /** 0: the name has no suffix. */
  readonly suffixBytes: number
  /** -1: the operand says it. */
  readonly sourceBytes: number
  readonly kind: 'general' | 'jump' | 'own' | 'hint'
}

function resolveName(written: string, operands: number): Name | null {
  const name = SPELLINGS[written] ?? written
  const is = (kind: Name['kind'], mnemonic: string, suffixBytes = 0, sourceBytes = 0): Name => ({ mnemonic, suffixBytes, sourceBytes, kind })
  if (HINTS.has(name) || name === 'nop') return is('hint', 'nop')
  if (JUMPS.has(name)) return operands === 1 ? is('jump', name) : null
  if (OWN.has(name)) return operands === OWN.get(name) ? is('own', name) : null
  if (name === 'movslq') return is('general', 'mov', 4)
  const extend = /^mov([sz])(?:([bw])([wlq])|x)$/.exec(name)
  if (extend !== null && operands === 2) return is('general', `mov${extend[1]}x`, extend[3] === undefined ? 0 : SUFFIX_BYTES[extend[3]], extend[2] === undefined ? -1 : SUFFIX_BYTES[extend[2]])
  if (GENERAL[operands]?.has(name)) return is('general', name)
  const bytes = SUFFIX_BYTES[name.slice(-1)]
  return bytes !== undefined && operands > 0 && GENERAL[operands]?.has(name.slice(0, -1)) ? is('general', name.slice(0, -1), bytes) : null
}

const sourceSize = (operand: Operand) => (operand.kind === 'register' ? operand.name.sizeBytes : operand.kind === 'memory' ? operand.sizeBytes || 1 : 1)

/** Registers that are used without being named, and keep their places. */
const IMPLICIT: Readonly<Record<string, readonly string[]>> = {
  cmpxchg: ['rax'], cmpxchg8b: ['rax', 'rdx', 'rcx', 'rbx'], cpuid: ['rax', 'rbx', 'rcx', 'rdx'], mul: ['rax', 'rdx'], div: ['rax', 'rdx'], idiv: ['rax', 'rdx'],
  cdq: ['rax', 'rdx'], cwd: ['rax', 'rdx'], cbw: ['rax'], cwde: ['rax'], lahf: ['rax'], sahf: ['rax'], loop: ['rcx'], loope: ['rcx'], loopne: ['rcx'], jecxz: ['rcx'],
  movs: ['rsi', 'rdi'], stos: ['rax', 'rdi'], lods: ['rax', 'rsi'], cmps: ['rsi', 'rdi'], scas: ['rax', 'rdi'], leave: ['rbp'],
  pusha: ['rax', 'rcx', 'rdx', 'rbx', 'rbp', 'rsi', 'rdi'], popa: ['rax', 'rcx', 'rdx', 'rbx', 'rbp', 'rsi', 'rdi'],
}

export function implicitRegisters({ mnemonic, prefix, operands }: Instruction): readonly string[] {
  if (mnemonic === 'imul') return operands.length === 1 ? ['rax', 'rdx'] : []
  const string = /^(movs|stos|lods|cmps|scas)[bwd]$/.exec(mnemonic)
  if (string !== null) return prefix === '' ? IMPLICIT[string[1]] : [...IMPLICIT[string[1]], 'rcx']
  return IMPLICIT[mnemonic] ?? []
}

/** It uses the stack, so that RSP is the machine's ESP. */
export const usesStack = ({ mnemonic }: Instruction) => /^(?:push|pop|call|leave|int|iret)/.test(mnemonic)

/** Bytes of the register in operand `k`, where its own name does not count. */
export function registerBytes({ mnemonic, sizeBytes, sourceBytes }: Instruction, k: number, ownBytes: number): number {
  if (mnemonic.startsWith('set')) return 1
  if (sourceBytes > 0) return k === 0 ? Math.max(sizeBytes, 2) : sourceBytes
  if (k > 0 && /^(?:s[ah][lr]|r[oc][lr]|sh[lr]d)$/.test(mnemonic) && (k === 2 || !mnemonic.endsWith('d'))) return 1
  if (mnemonic === 'lea' || mnemonic === 'push' || mnemonic === 'pop') return 4
  return sizeBytes || ownBytes
}

/** Bytes of a memory operand; 0: the instruction has none to say. */
export function memoryBytes({ mnemonic, sizeBytes, sourceBytes }: Instruction): number {
  if (mnemonic === 'lea' || mnemonic === 'invlpg' || mnemonic === 'lidt' || mnemonic === 'lgdt' || mnemonic === 'cmpxchg8b') return 0
  if (mnemonic.startsWith('set')) return 1
  if (mnemonic === 'push' || mnemonic === 'pop') return 4
  return sourceBytes > 0 ? sourceBytes : sizeBytes || 4
}
