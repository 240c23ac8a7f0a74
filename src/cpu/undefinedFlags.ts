/** What undefined flags are is a knob: which ones, of an instruction that is executed, and the choice. */
import { IMM, MEM, REG, type Op } from './decode.ts'
import { ECX, EFLAGS, EIP } from './registers.ts'
import { ARITHMETIC_FLAGS, NOTHING, type Undefined } from './undefined.ts'

/** What is undefined after `op` is executed with the general registers `r` (a memory source of a scan counts as 0: it may be). */
export function undefinedAfter({ row, a, b, c }: Op, r: ArrayLike<number>): Undefined {
  const rule = row?.undefined ?? null
  if (rule === null) return NOTHING
  const by = c.kind !== 0 ? c : b
  const count = (by.kind === IMM ? by.value : r[ECX]) & 31
  const zero = b.kind === MEM || (b.kind === REG && (b.size === 2 ? r[b.value] & 0xffff : r[b.value]) === 0)
  return rule.of(count, a.size * 8, zero)
}

/** What undefined flags are: as the handlers leave them, all 0, or any. */
export interface UndefinedFlags {
  readonly kind: 'fixed' | 'zero' | 'random'
  readonly seed: number
}

export const FIXED_FLAGS: UndefinedFlags = { kind: 'fixed', seed: 0 }

/** `fixed`, `zero`, `random:SEED`; null: none of them. */
export function parseUndefinedFlags(text: string): UndefinedFlags | null {
  if (text === 'fixed' || text === 'zero') return { kind: text, seed: 0 }
  const seed = /^random:(\d{1,10})$/.exec(text)
  return seed === null || Number(seed[1]) > 0xffffffff ? null : { kind: 'random', seed: Number(seed[1]) | 0 }
}

export function formatUndefinedFlags({ kind, seed }: UndefinedFlags): string {
  return kind === 'random' ? `random:${seed >>> 0}` : kind
}

/**
 * Sets the undefined flags `loose` of the instruction at EIP, which has just been executed. Random ones are a function of the seed, the
 * address and the defined flags: equal states go on equally, whatever else was executed, and what does not matter here stays unread.
 */
export function chooseFlags(choice: UndefinedFlags, r: Int32Array, loose: number): void {
  const defined = r[EFLAGS] & ~loose
  r[EFLAGS] = choice.kind === 'zero' ? defined : defined | (scramble(choice.seed, r[EIP], defined & ARITHMETIC_FLAGS) & loose)
}

function scramble(seed: number, eip: number, flags: number): number {
  let h = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ eip
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d) ^ flags
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b)
  return h ^ (h >>> 16)
}
