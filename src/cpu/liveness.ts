/**
 * Which registers can still matter at a place in the code: read on some path from there before they are
 * overwritten. A bit a general register, in the manual's order; `FLAGS_LIVE` for the arithmetic flags. Whatever
 * is not plainly understood reads everything.
 */
import { IMM, MEM, REG, type Op, type Operand } from './decode.ts'
import { EAX, ECX, EDX, ESP } from './registers.ts'

export const FLAGS_LIVE = 1 << 8
export const ALL_LIVE = 0x1ff
const INSTRUCTIONS_MAX = 200

/** @param opAt the instruction at an address; null: unknown */
export function liveAt(eip: number, opAt: (eip: number) => Op | null): number {
  const effects = new Map<number, Effect>()
  const open = [eip]
  while (open.length > 0) {
    const at = open.pop()!
    if (effects.has(at)) continue
    const op = opAt(at)
    if (op === null || effects.size === INSTRUCTIONS_MAX) return ALL_LIVE
    const effect = effectOf(op, at)
    effects.set(at, effect)
    open.push(...effect.next)
  }
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

function effectOf(op: Op, eip: number): Effect {
  const name = op.row?.mnemonic ?? ''
  const after = (eip + op.length) | 0
  const { a, b } = op
  const address = (op.base >= 0 ? 1 << op.base : 0) | (op.index >= 0 ? 1 << op.index : 0)
  const effect = (uses: number, defines: number, next: readonly number[] = [after]): Effect => ({ uses: uses | address, defines, next })
  const everything: Effect = { uses: ALL_LIVE, defines: 0, next: [] }
  if (op.opSize !== 4 || op.addrSize !== 4 || op.rep !== 0) return name === 'pause' ? effect(0, 0) : everything
  if (![a, b, op.c].every(plain)) return everything
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
      return effect(reads(a) | FLAGS_LIVE, 0)
    case 'cmpxchg':
      return effect(reads(a) | reads(b) | (1 << EAX), FLAGS_LIVE)
    case 'xadd':
      return effect(reads(a) | reads(b), FLAGS_LIVE)
    case 'mfence':
    case 'lfence':
    case 'sfence':
      return effect(0, 0)
    case 'nop':
      // A call to the checker has its arguments in registers.
      return effect((1 << EAX) | (1 << ECX) | (1 << EDX), 0)
    case 'push':
      return effect(reads(a) | (1 << ESP), 0)
    case 'pop':
      return effect(1 << ESP, whole(a))
    case 'jmp':
      return a.kind === IMM ? effect(0, 0, [(after + a.value) | 0]) : everything
  }
  if (name.length <= 4 && name.startsWith('j') && name !== 'jcxz' && a.kind === IMM) return effect(FLAGS_LIVE, 0, [after, (after + a.value) | 0])
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
