/**
 * Which registers can still matter at a place in the code: read on some path from there before they are
 * overwritten. A bit a general register, in the manual's order; one for CF, one for the other arithmetic
 * flags. Whatever is not plainly understood reads everything.
 */
import { IMM, MEM, REG, type Op, type Operand } from './decode.ts'
import { CONDITIONS } from './isa.ts'
import { EAX, ECX, EDX, ESP } from './registers.ts'

export const CARRY_LIVE = 1 << 8
export const OTHER_FLAGS_LIVE = 1 << 9
export const ALL_LIVE = 0x3ff
const FLAGS_LIVE = CARRY_LIVE | OTHER_FLAGS_LIVE
const INSTRUCTIONS_MAX = 200
/** Displacement of the call with which an actor ends (smp/guestCalls.ts). */
export const EXIT_CALL = 0x584d0000

/**
 * @param opAt the instruction at an address; null: unknown
 * @param stackAt the dword so many bytes above the stack pointer, and its address; null: unknown
 * @param atExit what is looked at when the actor has ended
 */
export function liveAt(eip: number, opAt: (eip: number) => Op | null, stackAt: StackAt, atExit: number = 0): number {
  return liveIn(eip, opAt, stackAt, atExit) ?? liveIn(eip, opAt, null, atExit) ?? ALL_LIVE
}

type StackAt = (offset: number) => { readonly address: number; readonly value: number } | null

/** Null: returns would have to be followed (`stackAt` not null) and cannot be. */
function liveIn(eip: number, opAt: (eip: number) => Op | null, stackAt: StackAt | null, atExit: number): number | null {
  const effects = new Map<number, Effect>()
  /** Bytes popped on the way to an instruction. */
  const popped = new Map<number, number>([[eip, 0]])
  const open = [eip]
  const returns: number[] = []
  const writes: number[] = []
  const go = (at: number, depth: number) => {
    const known = popped.get(at)
    if (known === depth) return true
    if (known !== undefined) return false
    popped.set(at, depth)
    open.push(at)
    return true
  }
  while (open.length > 0) {
    const at = open.pop()!
    const depth = popped.get(at)!
    const op = opAt(at)
    if (op === null || effects.size === INSTRUCTIONS_MAX) return ALL_LIVE
    let effect = effectOf(op, at, atExit)
    if (stackAt !== null && op.row?.mnemonic === 'ret' && op.a.kind === 0) {
      const slot = stackAt(depth)
      if (slot === null) return null
      returns.push(slot.address)
      effect = { uses: 1 << ESP, defines: 0, next: [slot.value] }
      if (!go(slot.value, depth + 4)) return null
    } else {
      const store = storeOf(op)
      if (store !== null) writes.push(store)
      const after = depth + (op.row?.mnemonic === 'pop' ? 4 : 0)
      for (const next of effect.next) if (!go(next, after)) return ALL_LIVE
    }
    effects.set(at, effect)
  }
  // The return addresses are what they are now only as long as nothing is written there on the way.
  if (returns.length > 0 && writes.some((write) => Number.isNaN(write) || returns.some((slot) => Math.abs(slot - write) < 8))) return null
  const live = new Map<number, number>()
  for (let changed = true; changed; ) {
    changed = false
    for (const [at, { uses, defines, next }] of effects) {
      const out = next.reduce((all, one) => all | (live.get(one) ?? 0), 0)
      const now = uses | (out & ~defines)
      if (now === (live.get(at) ?? 0)) continue
      live.set(at, now)
      changed = true
    }
  }
  return live.get(eip) ?? ALL_LIVE
}

interface Effect {
  readonly uses: number
  readonly defines: number
  readonly next: readonly number[]
}

/** Linear address that the instruction may write to; NaN: not known, null: none. */
function storeOf(op: Op): number | null {
  const reads = ['cmp', 'test', 'nop', 'lea'].includes(op.row?.mnemonic ?? '')
  if (op.a.kind !== MEM && (op.b.kind !== MEM || op.row?.mnemonic !== 'xchg')) return null
  if (reads) return null
  return op.base < 0 && op.index < 0 && !op.segPrefix ? op.disp : Number.NaN
}

function effectOf(op: Op, eip: number, atExit: number): Effect {
  const name = op.row?.mnemonic ?? ''
  const after = (eip + op.length) | 0
  const { a, b } = op
  const address = (op.base >= 0 ? 1 << op.base : 0) | (op.index >= 0 ? 1 << op.index : 0)
  const effect = (uses: number, defines: number, next: readonly number[] = [after]): Effect => ({ uses: uses | address, defines, next })
  const everything: Effect = { uses: ALL_LIVE, defines: 0, next: [] }
  if (op.opSize !== 4 || op.addrSize !== 4 || op.rep !== 0) return name === 'pause' ? effect(0, 0) : everything
  // Beyond POP, what moves the stack pointer is not followed.
  if (![a, b, op.c].every(plain) || (a.kind === REG && a.size === 4 && a.value === ESP)) return everything
  switch (name) {
    case 'mov':
      return effect(reads(b) | (a.kind === MEM ? 0 : partly(a)), whole(a))
    case 'movzx':
    case 'movsx':
      return effect(reads(b), whole(a))
    case 'lea':
      return effect(0, whole(a))
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
      return effect(reads(a) | reads(b), FLAGS_LIVE)
    case 'xchg':
    case 'not':
      return effect(reads(a) | reads(b), 0)
    case 'inc':
    case 'dec':
      return effect(reads(a), OTHER_FLAGS_LIVE)
    case 'cmpxchg':
      return effect(reads(a) | reads(b) | (1 << EAX), FLAGS_LIVE)
    case 'xadd':
      return effect(reads(a) | reads(b), FLAGS_LIVE)
    case 'mfence':
    case 'lfence':
    case 'sfence':
      return effect(0, 0)
    case 'nop':
      // A call to the checker has its arguments in registers; the one that ends the actor reads none of its own.
      if (op.disp === EXIT_CALL && op.a.kind === MEM) return { uses: atExit, defines: 0, next: [] }
      return effect((1 << EAX) | (1 << ECX) | (1 << EDX), 0)
    case 'pop':
      return a.kind === REG && a.value !== ESP ? effect(1 << ESP, whole(a)) : everything
    case 'jmp':
      return a.kind === IMM ? effect(0, 0, [(after + a.value) | 0]) : everything
  }
  const condition = CONDITIONS.find((one) => name === `j${one}` || name === `set${one}`)
  if (condition === undefined) return everything
  const flags = ['b', 'nb'].includes(condition) ? CARRY_LIVE : ['be', 'nbe'].includes(condition) ? FLAGS_LIVE : OTHER_FLAGS_LIVE
  if (name.startsWith('set')) return effect(flags | partly(a), 0)
  if (a.kind === IMM) return effect(flags, 0, [after, (after + a.value) | 0])
  return everything
}

const plain = (operand: Operand) => operand.kind === 0 || operand.kind === REG || operand.kind === MEM || operand.kind === IMM

/** The register that holds an operand; AH to BH are parts of the first four. */
function register(operand: Operand): number {
  return operand.size === 1 ? operand.value & 3 : operand.value
}
function reads(operand: Operand): number {
  return operand.kind === REG ? 1 << register(operand) : 0
}
/** What is overwritten as a whole. */
function whole(operand: Operand): number {
  return operand.kind === REG && operand.size === 4 ? 1 << operand.value : 0
}
/** Overwritten in part: the rest stays. */
function partly(operand: Operand): number {
  return operand.kind === REG && operand.size < 4 ? reads(operand) : 0
}
