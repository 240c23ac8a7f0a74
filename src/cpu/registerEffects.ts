/**
 * Which general registers and arithmetic flags an instruction reads, and which it overwrites whatever they held. A bit a
 * general register, in the manual's order; one for CF, one for the other arithmetic flags. Whatever is not plainly understood reads
 * everything. What an instruction does to the stack, and where it goes on, is told by liveness.ts.
 */
import { IMM, MEM, REG, type Op, type Operand } from './decode.ts'
import { CONDITIONS } from './isa.ts'
import { EAX, EBP, EBX, ECX, EDX, ESP } from './registers.ts'

export const CARRY_LIVE = 1 << 8
export const OTHER_FLAGS_LIVE = 1 << 9
export const ALL_LIVE = 0x3ff
const FLAGS_LIVE = CARRY_LIVE | OTHER_FLAGS_LIVE

export interface Effect {
  readonly uses: number
  readonly defines: number
}

/** It may read anything; nothing is known of where it goes on. */
export const EVERYTHING: Effect = { uses: ALL_LIVE, defines: 0 }

export function effectOf(op: Op): Effect {
  const name = op.row?.mnemonic ?? ''
  const { a, b, c } = op
  const address = (op.base >= 0 ? 1 << op.base : 0) | (op.index >= 0 ? 1 << op.index : 0)
  const effect = (uses: number, defines: number): Effect => ({ uses: uses | address, defines: defines & ~uses })
  if (name === 'pause') return effect(0, 0)
  if (name === 'ret') return effect(1 << ESP, 0)
  if (op.addrSize !== 4 || op.rep !== 0 || ![a, b, c].every(isPlain)) return EVERYTHING
  // Nothing that goes to, or over, the stack with 16 bits.
  if (op.opSize !== 4 && (['push', 'pop', 'call', 'jmp', 'leave', 'cwd', 'cbw'].includes(name) || /^j/.test(name))) return EVERYTHING
  switch (name) {
    case 'mov':
    case 'movzx':
    case 'movsx':
    case 'lea':
      return effect((name === 'lea' ? 0 : reads(b)) | partly(a), whole(a))
    case 'cmp':
    case 'test':
      return effect(reads(a) | reads(b), FLAGS_LIVE)
    case 'xor':
    case 'sub':
      if (a.kind === REG && b.kind === REG && a.value === b.value && a.size === 4) return effect(0, FLAGS_LIVE | whole(a))
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
      return effect(reads(a) | reads(b) | (1 << EAX), FLAGS_LIVE)
    case 'cmpxchg8b':
      return effect((1 << EAX) | (1 << EDX) | (1 << ECX) | (1 << EBX), 0)
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
      return effect(1 << EAX, 1 << EDX)
    case 'cbw':
      return effect(1 << EAX, 0)
    case 'mfence':
    case 'lfence':
    case 'sfence':
      return effect(0, 0)
    case 'nop':
      // A call to the checker has its arguments in registers.
      return effect(op.modrm >= 0 && op.mod === 2 ? (1 << EAX) | (1 << ECX) | (1 << EDX) : 0, 0)
    case 'push':
      return effect((1 << ESP) | reads(a), 0)
    case 'pop':
      return a.kind === REG ? effect(1 << ESP, whole(a)) : EVERYTHING
    case 'leave':
      return effect(1 << EBP, 0)
    case 'call':
    case 'jmp':
      return a.kind === IMM ? effect(name === 'call' ? 1 << ESP : 0, 0) : EVERYTHING
  }
  const condition = CONDITIONS.find((one) => name === `j${one}` || name === `set${one}` || name === `cmov${one}`)
  if (condition === undefined) return EVERYTHING
  const flags = ['b', 'nb'].includes(condition) ? CARRY_LIVE : ['be', 'nbe'].includes(condition) ? FLAGS_LIVE : OTHER_FLAGS_LIVE
  if (name.startsWith('set')) return effect(flags | partly(a), 0)
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
  return operand.kind === REG ? 1 << registerOf(operand) : 0
}
/** What is overwritten as a whole. */
function whole(operand: Operand): number {
  return operand.kind === REG && operand.size === 4 ? 1 << operand.value : 0
}
/** Overwritten in part: the rest stays. */
function partly(operand: Operand): number {
  return operand.kind === REG && operand.size < 4 ? reads(operand) : 0
}
