/**
 * Loops that look for something a bounded number of times: `for (n = 0; n < 2048; n++) if (!locked) break;`. A turn that
 * changed nothing in memory leaves nothing behind but the count: that follows from the code, whatever it reads:
 *
 * - the counters are stepped by constants, once a turn, and compared with what the loop does not change; nothing else comes of
 *   them but conditional jumps, one way of which leaves the loop (it *gives up*);
 * - what else the loop writes is overwritten before it is read again in the next turn;
 * - where it looks does not change from turn to turn;
 * - it does not store; locked instructions may turn out not to have changed anything (that is seen as it runs).
 *
 * Where it leaves by what it has read, the count must not matter any more, or matter in comparisons only that come out alike.
 * Then how many turns were in vain before the last one cannot be told afterwards, by anybody.
 */
import { IMM, MEM, NONE, REG, type Op, type Operand } from './decode.ts'
import { CONDITIONS } from './isa.ts'
import { EXIT_CALL, FLAGS_LIVE, partsOf } from './liveness.ts'
import { EAX, EBP, ESP } from './registers.ts'

export interface CountedLoop {
  /** Addresses of its instructions. */
  readonly body: ReadonlySet<number>
  /** Its memory operands, in terms of registers that it does not change. */
  readonly looks: readonly Look[]
  /** Places where it leaves by what it has read, with a counter that is still looked at there, and what was added to it in that turn. */
  readonly sensitive: readonly { readonly at: number; readonly register: number; readonly added: number }[]
}

/** Registers (-1: none), scale as a shift, displacement; segment register; size in bytes. */
export type Look = Pick<Op, 'base' | 'index' | 'scale' | 'disp' | 'seg'> & { readonly size: number }

const INSTRUCTIONS_MAX = 64

/** What a loop may do with an instruction. */
interface Plain {
  readonly next: readonly number[]
  /** Parts of registers and flags that it writes. */
  readonly writes: number
  /** Counters that it steps, or compares. */
  readonly steps: number
  readonly by: number
  readonly compares: number
  /** Registers that counters are compared with. */
  readonly bounds: number
  readonly looks: readonly Look[]
  /** Flags that it changes. */
  readonly flags: 'none' | 'all' | 'all but CF' | 'CF'
  /** It goes, or sets a byte, by this condition; '': it does not. */
  readonly jumps: string
  readonly sets: string
}

/** Where flags may come from, as bits: a counter, something else; of CF 2 bits further up. */
const COUNTED = 1
const OTHER = 2
const CARRY = 2

/**
 * The loop through `head` in which `counters` (general registers, as bits) count; null: it may be another.
 * @param live the parts of registers that can matter at an address (liveness.ts)
 */
export function countedLoop(head: number, counters: number, opAt: (eip: number) => Op | null, live: (eip: number) => number): CountedLoop | null {
  const plain = reachable(head, counters, opAt)
  const body = backTo(head, plain)
  if (!body.has(head)) return null
  const nodes = [...body].map((at) => ({ at, ...plain.get(at)! }))
  const written = nodes.reduce((all, node) => all | node.writes, 0)
  for (const bit of bitsOf(counters)) {
    const stepping = nodes.filter(({ steps }) => (steps & bit) !== 0)
    if (stepping.length !== 1 || !isCut(stepping[0].at, body, plain)) return null
  }
  if (nodes.some(({ bounds }) => bitsOf(bounds).some((bit) => (written & partsOf(31 - Math.clz32(bit), 4)) !== 0))) return null
  const looks = nodes.flatMap((node) => node.looks)
  if (looks.some(({ base, index }) => [base, index].some((register) => register >= 0 && (written & partsOf(register, 4)) !== 0))) return null
  // What a turn leaves behind must be of no use to the next one, at some place that every turn comes through.
  const counting = bitsOf(counters).reduce((parts, bit) => parts | partsOf(31 - Math.clz32(bit), 4), 0)
  // What is live behind returns is told by the frame.
  if (((written | counting) & partsOf(EBP, 4)) !== 0) return null
  if (!nodes.some(({ at }) => (live(at) & written & ~counting) === 0 && isCut(at, body, plain))) return null
  const origins = originsOfFlags(head, body, plain)
  const sensitive: { at: number; register: number; added: number }[] = []
  let givesUp = false
  for (const { at, next, jumps, sets } of nodes) {
    const flags = origins.get(at)!
    const origin = originOf(jumps + sets, flags)
    if (sets !== '' && (origin & COUNTED) !== 0) return null
    const out = next.filter((one) => !body.has(one))
    if ((origin & COUNTED) !== 0) {
      // It gives up here, at the same count whatever it has read: every turn looks, and by nothing else.
      if ((origin & OTHER) !== 0 || out.length === 0 || !isCut(at, body, plain)) return null
      givesUp = true
      continue
    }
    for (const exit of out) {
      if ((flags & (COUNTED | (COUNTED << CARRY))) !== 0 && (live(exit) & FLAGS_LIVE) !== 0) return null
      for (const bit of bitsOf(counters)) {
        const register = 31 - Math.clz32(bit)
        if ((live(exit) & partsOf(register, 4)) === 0) continue
        const added = addedBefore(at, head, bit, body, plain)
        if (added === null) return null
        sensitive.push({ at: exit, register, added })
      }
    }
  }
  return givesUp ? { body, looks, sensitive } : null
}

/** What has been added to the counter on the way from `head` to `at`, in one turn; null: that depends on the way. */
function addedBefore(at: number, head: number, counter: number, body: ReadonlySet<number>, plain: ReadonlyMap<number, Plain>): number | null {
  const added = new Map<number, number>([[head, 0]])
  const open = [head]
  while (open.length > 0) {
    const from = open.pop()!
    const { next, steps, by } = plain.get(from)!
    const after = added.get(from)! + ((steps & counter) !== 0 ? by : 0)
    for (const one of next) {
      if (one === head || !body.has(one)) continue
      const known = added.get(one)
      if (known !== undefined && known !== after) return null
      if (known !== undefined) continue
      added.set(one, after)
      open.push(one)
    }
  }
  return added.get(at) ?? null
}

/**
 * Whether from `from` on it makes no difference which value between `low` and `high` the register has: it is compared with
 * constants, and each comparison comes out alike for all of them.
 */
export function isInsensitive(from: number, register: number, low: number, high: number, opAt: (eip: number) => Op | null, live: (eip: number) => number): boolean {
  const parts = partsOf(register, 4)
  const bit = 1 << register
  const open: { at: number; with: number | null }[] = [{ at: from, with: null }]
  const seen = new Set<string>()
  while (open.length > 0) {
    const { at, with: compared } = open.pop()!
    const key = `${at} ${compared}`
    if (seen.has(key)) continue
    seen.add(key)
    const alive = live(at)
    if ((alive & parts) === 0 && (compared === null || (alive & FLAGS_LIVE) === 0)) continue
    const op = opAt(at)
    if (op === null || seen.size > INSTRUCTIONS_MAX) return false
    const one = plainly(op, at, (alive & parts) === 0 ? 0 : bit)
    if (one === null || one.steps !== 0 || one.bounds !== 0) return false
    if (one.jumps + one.sets !== '' && compared !== null) {
      const holds = comesOut(one.jumps + one.sets, compared, low, high)
      if (holds === null) return false
      const next = one.sets !== '' ? at + op.length : holds ? (at + op.length + op.a.value) | 0 : (at + op.length) | 0
      open.push({ at: next, with: compared })
      continue
    }
    // With the register in it: a comparison, of all of it, with a constant, or with itself.
    const constant = op.b.kind === IMM ? op.b.value | 0 : op.row!.mnemonic === 'test' && op.b.kind === REG && op.a.value === op.b.value ? 0 : null
    if (one.compares !== 0 && (constant === null || op.a.size !== 4 || (op.row!.mnemonic === 'test' && op.b.kind === IMM))) return false
    if (compared !== null && (one.flags === 'all but CF' || one.flags === 'CF')) return false
    const after = one.compares !== 0 ? constant : one.flags === 'all' ? null : compared
    for (const next of one.next) open.push({ at: next, with: after })
  }
  return true
}

/** How the condition comes out after a comparison of any value from `low` to `high` with `constant`; null: not alike. */
function comesOut(condition: string, constant: number, low: number, high: number): boolean | null {
  const alike = (holds: (value: number) => boolean) => (holds(low) === holds(high) ? holds(low) : null)
  const unsigned = low >= 0 === high >= 0
  switch (condition) {
    case 'z':
    case 'nz':
      return constant >= low && constant <= high ? null : condition === 'nz'
    case 'l':
      return alike((value) => value < constant)
    case 'nl':
      return alike((value) => value >= constant)
    case 'le':
      return alike((value) => value <= constant)
    case 'nle':
      return alike((value) => value > constant)
    case 'b':
      return unsigned ? alike((value) => value >>> 0 < constant >>> 0) : null
    case 'nb':
      return unsigned ? alike((value) => value >>> 0 >= constant >>> 0) : null
    case 'be':
      return unsigned ? alike((value) => value >>> 0 <= constant >>> 0) : null
    case 'nbe':
      return unsigned ? alike((value) => value >>> 0 > constant >>> 0) : null
    default:
      return null
  }
}

function reachable(head: number, counters: number, opAt: (eip: number) => Op | null): Map<number, Plain> {
  const plain = new Map<number, Plain>()
  const open = [head]
  while (open.length > 0 && plain.size < INSTRUCTIONS_MAX) {
    const at = open.pop()!
    const op = plain.has(at) ? null : opAt(at)
    const one = op && plainly(op, at, counters)
    if (one === null) continue
    plain.set(at, one)
    open.push(...one.next)
  }
  return plain
}

/** Those from which `head` is reached. */
function backTo(head: number, plain: ReadonlyMap<number, Plain>): Set<number> {
  const body = new Set<number>()
  for (let size = -1; size !== body.size; ) {
    size = body.size
    for (const [at, { next }] of plain) if (next.some((one) => one === head || body.has(one))) body.add(at)
  }
  return body
}

/** Every way round in `body` comes through `cut`. */
function isCut(cut: number, body: ReadonlySet<number>, plain: ReadonlyMap<number, Plain>): boolean {
  const left = new Set(body)
  left.delete(cut)
  for (let size = -1; size !== left.size; ) {
    size = left.size
    for (const at of left) if (!plain.get(at)!.next.some((one) => left.has(one))) left.delete(at)
  }
  return left.size === 0
}

/** What the flags may come from before each instruction. */
function originsOfFlags(head: number, body: ReadonlySet<number>, plain: ReadonlyMap<number, Plain>): Map<number, number> {
  const everything = COUNTED | OTHER | ((COUNTED | OTHER) << CARRY)
  const origins = new Map([...body].map((at) => [at, at === head ? everything : 0]))
  for (let changed = true; changed; ) {
    changed = false
    for (const [at, before] of origins) {
      const { steps, compares, flags, next } = plain.get(at)!
      const own = steps !== 0 || compares !== 0 ? COUNTED : OTHER
      const others = flags === 'all' || flags === 'all but CF' ? own : before & (COUNTED | OTHER)
      const carry = flags === 'all' || flags === 'CF' ? own : before >>> CARRY
      for (const one of next) {
        const known = origins.get(one)
        if (known === undefined || (known | others | (carry << CARRY)) === known) continue
        origins.set(one, known | others | (carry << CARRY))
        changed = true
      }
    }
  }
  return origins
}

/** Of what a condition ('': none) looks at. */
function originOf(condition: string, flags: number): number {
  if (condition === '') return 0
  if (['b', 'nb'].includes(condition)) return flags >>> CARRY
  return (flags & (COUNTED | OTHER)) | (['be', 'nbe'].includes(condition) ? flags >>> CARRY : 0)
}

/** Null: it stores, calls, or does with a counter what is not understood. */
function plainly(op: Op, eip: number, counters: number): Plain | null {
  const name = op.row?.mnemonic ?? ''
  const { a, b } = op
  const after = (eip + op.length) | 0
  const memory = name === 'lea' || name === 'nop' ? undefined : [a, b].find(({ kind }) => kind === MEM)
  const looks = memory === undefined ? [] : [{ base: op.base, index: op.index, scale: op.scale, disp: op.disp, seg: op.seg, size: memory.size }]
  const one = (rest: Partial<Plain> = {}): Plain => ({
    next: [after], writes: 0, steps: 0, by: 0, compares: 0, bounds: 0, looks, flags: 'none', jumps: '', sets: '', ...rest,
  })
  if (name === 'pause') return one()
  if (op.addrSize !== 4 || op.rep !== 0 || op.segPrefix || ![a, b, op.c].every(isPlain)) return null
  const counts = (operand: Operand) => operand.kind === REG && (counters & (1 << registerOf(operand))) !== 0
  const addresses = (op.base >= 0 && (counters & (1 << op.base)) !== 0) || (op.index >= 0 && (counters & (1 << op.index)) !== 0)
  const steps = a.kind === REG && a.size === 4 && counts(a) ? 1 << a.value : 0
  if (a.kind === REG && registerOf(a) === ESP) return null
  if (name === 'lea') {
    if (addresses) return steps !== 0 && op.base === a.value && op.index < 0 ? one({ steps, by: op.disp }) : null
    return counts(a) ? null : one({ writes: partsOf(a.value, a.size) })
  }
  if (addresses) return null
  const writes = a.kind === REG ? partsOf(a.value, a.size) : 0
  switch (name) {
    case 'lfence':
    case 'sfence':
      return one()
    case 'nop':
      return a.kind === MEM && (op.disp & ~0xffff) === EXIT_CALL ? null : one()
    case 'jmp':
      return a.kind === IMM ? one({ next: [(after + a.value) | 0] }) : null
    case 'cmp':
    case 'test': {
      const compared = [a, b].filter(counts)
      const others = [a, b].filter((operand) => !counts(operand))
      if (compared.length > 0 && others.some(({ kind }) => kind === MEM)) return null
      const bits = (operands: readonly Operand[]) => operands.reduce((all, operand) => (operand.kind === REG ? all | (1 << registerOf(operand)) : all), 0)
      return one({ writes: FLAGS_LIVE, flags: 'all', compares: bits(compared), bounds: compared.length > 0 ? bits(others) : 0 })
    }
    case 'inc':
    case 'dec':
      if (counts(a)) return steps === 0 ? null : one({ writes: FLAGS_LIVE, flags: 'all but CF', steps, by: name === 'inc' ? 1 : -1 })
      return a.kind === REG ? one({ writes: writes | FLAGS_LIVE, flags: 'all but CF' }) : null
    case 'add':
    case 'sub':
      if (counts(a)) return steps === 0 || b.kind !== IMM ? null : one({ writes: FLAGS_LIVE, flags: 'all', steps, by: name === 'add' ? b.value : -b.value })
      return a.kind === REG && !counts(b) ? one({ writes: writes | FLAGS_LIVE, flags: 'all' }) : null
    case 'and':
    case 'or':
    case 'xor':
      return a.kind === REG && !counts(a) && !counts(b) ? one({ writes: writes | FLAGS_LIVE, flags: 'all' }) : null
    case 'not':
    case 'mov':
    case 'movzx':
    case 'movsx':
      return a.kind === REG && !counts(a) && !counts(b) ? one({ writes }) : null
    case 'xchg':
      if (counts(a) || counts(b)) return null
      return one({ writes: writes | (b.kind === REG ? partsOf(b.value, b.size) : 0) })
    case 'cmpxchg':
      if (counts(a) || counts(b) || (counters & (1 << EAX)) !== 0) return null
      return one({ writes: writes | partsOf(EAX, a.size) | FLAGS_LIVE, flags: 'all' })
    case 'bts':
      return op.lock && !counts(b) && b.kind === IMM ? one({ writes: FLAGS_LIVE, flags: 'CF' }) : null
  }
  const condition = CONDITIONS.find((suffix) => name === `j${suffix}` || name === `set${suffix}`)
  if (condition === undefined) return null
  if (name.startsWith('set')) return a.kind === REG && !counts(a) ? one({ writes, sets: condition }) : null
  return a.kind === IMM ? one({ next: [after, (after + a.value) | 0], jumps: condition }) : null
}

const isPlain = ({ kind }: Operand) => kind === NONE || kind === REG || kind === MEM || kind === IMM

function registerOf({ size, value }: Operand): number {
  return size === 1 ? value & 3 : value
}

function bitsOf(mask: number): number[] {
  const bits: number[] = []
  for (let left = mask; left !== 0; left &= left - 1) bits.push(left & -left)
  return bits
}
