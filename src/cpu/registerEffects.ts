/**
 * Which general registers and arithmetic flags an instruction reads, and which it overwrites whatever they held. Whatever is not
 * plainly understood reads everything. What an instruction does to the stack, and where it goes on, is told by liveness.ts.
 *
 * ```
 *  17..14      13..10      9                      8   7..0
 * [ BH .. AH ][ BL .. AL ][ arithmetic flags, no CF ][ CF ][ EDI .. EAX, but for the bytes that have bits of their own ]
 * ```
 */
import { IMM, MEM, REG, type Op, type Operand } from './decode.ts'
import { CONDITIONS } from './isa.ts'
import { EAX, EBP, EBX, ECX, EDX, ESP } from './registers.ts'

export const CARRY_LIVE = 1 << 8
export const OTHER_FLAGS_LIVE = 1 << 9
export const ALL_LIVE = 0x3ffff
export const FLAGS_LIVE = CARRY_LIVE | OTHER_FLAGS_LIVE
const LOW = 10
const HIGH = 14

/** The parts of a general register that an operand of that size holds; AH to BH are numbers 4 to 7 of one byte. */
export function partsOf(register: number, size: number): number {
  if (size === 1) return register < 4 ? 1 << (LOW + register) : 1 << (HIGH + register - 4)
  const bytes = register < 4 ? (1 << (LOW + register)) | (1 << (HIGH + register)) : 0
  return size === 4 || bytes === 0 ? (1 << register) | bytes : bytes
}
/** The parts in which two values of a general register differ. */
export function differingParts(register: number, one: number, other: number): number {
  const differ = one ^ other
  if (differ === 0) return 0
  if (register >= 4) return 1 << register
  return ((differ >>> 16) !== 0 ? 1 << register : 0) | ((differ & 0xff) !== 0 ? 1 << (LOW + register) : 0) | ((differ & 0xff00) !== 0 ? 1 << (HIGH + register) : 0)
}

export interface Effect {
  readonly uses: number
  readonly defines: number
}

/** It may read anything; nothing is known of where it goes on. */
export const EVERYTHING: Effect = { uses: ALL_LIVE, defines: 0 }

export function effectOf(op: Op): Effect {
  const name = op.row?.mnemonic ?? ''
  const { a, b, c } = op
  const address = (op.base >= 0 ? partsOf(op.base, 4) : 0) | (op.index >= 0 ? partsOf(op.index, 4) : 0)
  const effect = (uses: number, defines: number): Effect => ({ uses: uses | address, defines: defines & ~uses })
  if (name === 'pause') return effect(0, 0)
  if (name === 'ret') return effect(partsOf(ESP, 4), 0)
  if (op.addrSize !== 4 || op.rep !== 0 || ![a, b, c].every(isPlain)) return EVERYTHING
  // Nothing that goes to, or over, the stack with 16 bits.
  if (op.opSize !== 4 && (['push', 'pop', 'call', 'jmp', 'leave', 'cwd', 'cbw'].includes(name) || /^j/.test(name))) return EVERYTHING
  switch (name) {
    case 'mov':
    case 'movzx':
    case 'movsx':
    case 'lea':
      return effect((name === 'lea' ? 0 : reads(b)) , overwritten(a))
    case 'cmp':
    case 'test':
      return effect(reads(a) | reads(b), FLAGS_LIVE)
    case 'xor':
    case 'sub':
      if (a.kind === REG && b.kind === REG && a.value === b.value && a.size === 4) return effect(0, FLAGS_LIVE | overwritten(a))
      return effect(reads(a) | reads(b), FLAGS_LIVE)
    case 'add':
    case 'and':
    case 'or':
    case 'xadd':
    case 'neg':
      return effect(reads(a) | reads(b), FLAGS_LIVE)
    case 'adc':
    case 'sbb':
    case 'rcl':
    case 'rcr':
      return effect(reads(a) | reads(b) | CARRY_LIVE, 0)
    case 'cmpxchg':
      return effect(reads(a) | reads(b) | partsOf(EAX, 4), FLAGS_LIVE)
    case 'cmpxchg8b':
      return effect(partsOf(EAX, 4) | partsOf(EDX, 4) | partsOf(ECX, 4) | partsOf(EBX, 4), 0)
    case 'inc':
    case 'dec':
      return effect(reads(a), OTHER_FLAGS_LIVE)
    // Some flags stay, all of them where the count is 0.
    case 'shl': case 'sal': case 'shr': case 'sar': case 'rol': case 'ror': case 'shld': case 'shrd':
    case 'imul': case 'bt': case 'bts': case 'btr': case 'btc': case 'bsf': case 'bsr':
      // One operand: EDX and EAX.
      if (name === 'imul' && b.kind === 0) return EVERYTHING
      return effect(reads(a) | reads(b) | reads(c), 0)
    case 'xchg':
    case 'not':
    case 'bswap':
      return effect(reads(a) | reads(b), 0)
    case 'cwd':
      return effect(partsOf(EAX, 4), partsOf(EDX, 4))
    case 'cbw':
      return effect(partsOf(EAX, 4), 0)
    case 'mfence':
    case 'lfence':
    case 'sfence':
      return effect(0, 0)
    case 'nop':
      // A call to the checker has its arguments in registers.
      return effect(op.modrm >= 0 && op.mod === 2 ? partsOf(EAX, 4) | partsOf(ECX, 4) | partsOf(EDX, 4) : 0, 0)
    case 'push':
      return effect(partsOf(ESP, 4) | reads(a), 0)
    case 'pop':
      return a.kind === REG ? effect(partsOf(ESP, 4), overwritten(a)) : EVERYTHING
    case 'leave':
      return effect(partsOf(EBP, 4), 0)
    case 'call':
    case 'jmp':
      return a.kind === IMM ? effect(name === 'call' ? partsOf(ESP, 4) : 0, 0) : EVERYTHING
  }
  const condition = CONDITIONS.find((one) => name === `j${one}` || name === `set${one}` || name === `cmov${one}`)
  if (condition === undefined) return EVERYTHING
  const flags = ['b', 'nb'].includes(condition) ? CARRY_LIVE : ['be', 'nbe'].includes(condition) ? FLAGS_LIVE : OTHER_FLAGS_LIVE
  if (name.startsWith('set')) return effect(flags, overwritten(a))
  return effect(flags | reads(a) | reads(b), 0)
}

/** It may write general register `register`, as a whole or in part. */
export function writesRegister(op: Op, register: number): boolean {
  const name = op.row?.mnemonic ?? ''
  if (['cmp', 'test', 'push', 'bt', 'nop'].includes(name)) return false
  const is = (operand: Operand) => operand.kind === REG && registerOf(operand) === register
  return is(op.a) || (['xchg', 'xadd'].includes(name) && is(op.b))
}

const isPlain = (operand: Operand) => operand.kind === 0 || operand.kind === REG || operand.kind === MEM || operand.kind === IMM

/** The register that holds an operand; AH to BH are parts of the first four. */
function registerOf(operand: Operand): number {
  return operand.size === 1 ? operand.value & 3 : operand.value
}
function reads(operand: Operand): number {
  return operand.kind === REG ? partsOf(operand.value, operand.size) : 0
}
/** What of a register is no longer there when the operand has been written. */
function overwritten(operand: Operand): number {
  return operand.kind !== REG || (operand.size === 2 && operand.value >= 4) ? 0 : partsOf(operand.value, operand.size)
}
