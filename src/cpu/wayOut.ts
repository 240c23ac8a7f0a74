/**
 * Where code would go if what it reads changed: whether a loop waits for something, or goes round for ever by itself. Found by
 * following the code from every instruction that one round executes, both ways at each condition.
 */
import { IMM, IMPLIED, MEM, type Op } from './decode.ts'
import { EXIT_CALL } from './liveness.ts'
import { EBP, ESP } from './registers.ts'

/**
 * `ends`: out of the outermost function. `acts`: to something that the round does not do and others could see: a store (but into the own
 * frame), a call to the checker that counts, a call. Null: nowhere.
 */
export type WayOut = 'ends' | 'acts' | null

const INSTRUCTIONS_MAX = 20_000

/**
 * @param executed addresses of the instructions of one round; a return among them, or a jump through a register, leads where the round goes
 * @param returns return addresses on the stack, innermost first, but for that of the outermost function
 * @param opAt the instruction at an address; null: unknown, which may lead anywhere
 */
export function wayOutOf(executed: ReadonlySet<number>, returns: readonly number[], opAt: (eip: number) => Op | null): WayOut {
  const seen = new Set(executed)
  let open = [...executed]
  let acts = false
  for (let level = 0; ; level++) {
    let returned = false
    while (open.length > 0) {
      const at = open.pop()!
      const op = opAt(at)
      if (op === null || seen.size > INSTRUCTIONS_MAX) return 'ends'
      const next = nextOf(op, at)
      if (!executed.has(at)) {
        if (isSeen(op)) acts = true
        if (next === null) {
          if (!op.row?.mnemonic.startsWith('ret')) return 'ends'
          returned = true
        }
      }
      for (const one of next ?? []) {
        if (seen.has(one)) continue
        seen.add(one)
        open.push(one)
      }
    }
    if (!returned) return acts ? 'acts' : null
    if (level === returns.length) return 'ends'
    open = seen.has(returns[level]) ? [] : [returns[level]]
    // What calls in a round is not returned to otherwise.
    if (open.length === 0) return acts ? 'acts' : null
    seen.add(returns[level])
  }
}

/** What its execution does is seen by others. */
function isSeen(op: Op): boolean {
  const name = op.row?.mnemonic ?? ''
  if (name.startsWith('call')) return true
  if (name === 'nop') return (op.disp & ~0xffff) === EXIT_CALL && !QUIET_CALLS.includes(op.disp & 0xffff)
  if (/^(stos|movs[bwd]?$|out)/.test(name) && (op.a.kind === IMPLIED || name === 'out')) return true
  if (op.a.kind !== MEM || ['cmp', 'test', 'push', 'jmp'].includes(name)) return op.b.kind === MEM && name === 'xchg'
  return op.base !== ESP && op.base !== EBP
}
/** Calls to the checker that change nothing (smp/guestServices.ts): assert, assume, choose, reach, vcpu, log. */
const QUIET_CALLS = [1, 2, 3, 7, 14, 15]

/** Addresses that may follow; null: that is not in the instruction. A call comes back. */
function nextOf(op: Op, eip: number): number[] | null {
  const name = op.row?.mnemonic ?? ''
  const after = (eip + op.length) >>> 0
  const target = (after + op.a.value) >>> 0
  if (op.row === null || /^(ret|iret)/.test(name) || (name === 'nop' && op.disp === EXIT_CALL)) return null
  if (name === 'jmp') return op.a.kind === IMM ? [target] : null
  if ((name.startsWith('j') || name.startsWith('loop')) && op.a.kind === IMM) return [after, target]
  return [after]
}
