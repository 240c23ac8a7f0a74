/** Kinds of random programs: each stresses one thing that an engine has to get right. */
import type { KnobValue } from '../../src/smp/model.ts'
import type { Dice } from './dice.ts'
import { access, awaitEither, branch, counted, judge, line, locked, lock, REGISTERS, site, spinLoad, type Item } from './items.ts'
import { paging } from './paging.ts'

export interface Parts {
  /** A list of items a vCPU. */
  readonly bodies: readonly (readonly Item[])[]
  /** Further lines: handlers, sources; data. */
  readonly head?: readonly string[]
  readonly data?: readonly string[]
  /** Further memory that the final state consists of: symbol, bytes. */
  readonly watched?: readonly (readonly [string, number])[]
  /** Knobs that it is about; the rest is drawn. */
  readonly knobs?: Readonly<Record<string, KnobValue>>
  /** Environment choices: at least one execution a class, not exactly one. */
  readonly branches?: boolean
  /** Monitors judge it. */
  readonly monitored?: boolean
}

const PLACES = ['x', 'x', 'y']

/** Two vCPUs with up to `length` items, or three with about half as many. */
function fill(dice: Dice, length: number, item: () => Item): Item[][] {
  const vcpus = dice.chance(70) ? 2 : 3
  return Array.from({ length: vcpus }, () => Array.from({ length: 1 + dice.below(vcpus === 2 ? length : Math.max(1, length >> 1)) }, () => item()))
}

const insert = (dice: Dice, body: Item[], item: Item) => void body.splice(dice.below(body.length + 1), 0, item)
const places = (dice: Dice) => (dice.chance(20) ? ['x'] : PLACES)

function plain(dice: Dice): Parts {
  const where = places(dice)
  return { bodies: fill(dice, 4, () => (dice.chance(85) ? access(dice, where) : line('mfence'))) }
}

function lockedKind(dice: Dice): Parts {
  const where = places(dice)
  return { bodies: fill(dice, 4, () => (dice.chance(45) ? locked(dice, where) : dice.chance(20) ? line(dice.of(['mfence', 'sfence', 'lfence'])) : access(dice, where))) }
}

const MIXED = ['x', 'x + 2', 'y', 'y + 1', 'z', 'x + 3']
function mixed(dice: Dice): Parts {
  const bodies = fill(dice, 4, () => (dice.chance(20) ? locked(dice, ['x', 'x + 2', 'y', 'y + 1']) : access(dice, MIXED)))
  return { bodies, knobs: { cpu: dice.chance(20) ? 'pentium' : 'p4' }, branches: true }
}

/** Loads that overlap an own store wait until it has drained. */
function overlaps(dice: Dice): Parts {
  const bodies = fill(dice, 4, () => (dice.chance(15) ? locked(dice, ['x', 'y']) : access(dice, ['x', 'x', 'x + 1', 'x + 2', 'y'])))
  return { bodies, knobs: { partialOverlap: 'wait', cpu: dice.chance(20) ? 'pentium' : 'p4' }, branches: true }
}

function branches(dice: Dice): Parts {
  const where = places(dice)
  return { bodies: fill(dice, 4, () => (dice.chance(40) ? branch(dice, where) : dice.chance(15) ? locked(dice, where) : dice.chance(10) ? line('xm_choose 2') : access(dice, where))) }
}

function judged(dice: Dice): Parts {
  const where = places(dice)
  const item = () =>
    dice.chance(25) ? judge(dice.of(REGISTERS), dice.of(['e 0', 'ne 2', 'ne 1', 'be 2']), dice.of(['assert', 'assume'])) : dice.chance(15) ? locked(dice, where) : access(dice, where)
  return { bodies: fill(dice, 4, item) }
}

const setFlag = (dice: Dice) => line(dice.of(['mov dword [f], 1', 'mov dword [f], 0', 'mov dword [f], 2']))

function spins(dice: Dice): Parts {
  const where = places(dice)
  // A turn in vain whose step begins with a fence that had to wait, behind which private memory changed, is an event: more than one a class.
  return { bodies: fill(dice, 4, () => (dice.chance(25) ? spinLoad(dice) : dice.chance(25) ? lock(dice) : dice.chance(30) ? setFlag(dice) : access(dice, where))), branches: true }
}

/** Loops that look like waits, and waits for two things: one vCPU goes round, the others write what it reads. */
function turns(dice: Dice): Parts {
  const write = () => {
    const place = dice.of(['x', 'f'])
    return line(dice.of([`mov dword [${place}], 1`, `mov dword [${place}], 0`, `lock or dword [${place}], 1`, `lock or dword [${place}], 1`, `lock and dword [${place}], 0`, `xchg eax, [${place}]`]))
  }
  if (dice.chance(50)) {
    const bodies = fill(dice, 3, () => (dice.chance(60) ? write() : access(dice, ['x', 'f'])))
    insert(dice, bodies[0], counted(dice))
    return { bodies: bodies.map((body) => body.slice(0, 3)) }
  }
  const others = Array.from({ length: dice.chance(70) ? 1 : 2 }, () => Array.from({ length: 2 + dice.below(2) }, write))
  return { bodies: [[awaitEither(dice), ...(dice.chance(30) ? [access(dice, ['x', 'f'])] : [])], ...others] }
}

/** Code that others write. */
function code(dice: Dice, knobs: Readonly<Record<string, KnobValue>> = {}): Parts {
  const where = places(dice)
  const sites = 1 + dice.below(2)
  const bodies = fill(dice, 4, () => {
    if (dice.chance(35)) return access(dice, where)
    if (dice.chance(15)) return line(dice.of(['mfence', 'cpuid', 'lock inc dword [x]']))
    const name = `site${dice.below(sites)}`
    return line(dice.of([`mov dword [${name} + 1], 0x02020202`, `mov byte [${name} + ${1 + dice.below(4)}], 3`, `mov word [${name} + 2], 0x0404`, `mov byte [${name}], 0xb9`]))
  })
  for (let s = 0; s < sites; s++) insert(dice, bodies[bodies.length - 1 - (s % bodies.length)], site(dice.of(REGISTERS), `site${s}`))
  return { bodies, knobs, branches: true }
}

/** Code that several vCPUs execute, or one of them twice. */
function sharedCode(dice: Dice, knobs: Readonly<Record<string, KnobValue>> = {}): Parts {
  const write = () => line(dice.of(['mov byte [body + 1], 2', 'mov byte [body + 1], 3', 'mov word [body + 1], 0x0404', 'mov byte [body + 2], 5']))
  const call = dice.of(['call body', 'call body', 'call aligned'])
  const item = () => (dice.chance(35) ? write() : dice.chance(35) ? line(call) : dice.chance(30) ? line(dice.of(['cpuid', 'mfence'])) : access(dice, ['x']))
  const bodies = Array.from({ length: 2 }, () => Array.from({ length: 1 + dice.below(3) }, item))
  insert(dice, bodies[0], line(call))
  insert(dice, bodies[1], write())
  const data = ['section .text', 'align 16', 'aligned: jmp body', 'times 11 nop', 'body:', '    mov edx, strict dword 0x01010101', '    ret']
  return { bodies, data, watched: [['body', 8]], knobs, branches: true }
}

/** CPUs with a prefetch queue. */
const queued = (dice: Dice): Parts => dice.of([code, sharedCode])(dice, { cpu: dice.of(['386', '486']), fetch: dice.of(['coherent', 'single', 'ordered:4', 'byte']) })
/** Own stores to code that lag. */
const lagging = (dice: Dice): Parts => dice.of([code, sharedCode])(dice, { ownStores: 'lag' })

/** vCPU 0 takes what is sent to it, or what comes by itself. */
function interrupts(dice: Dice): Parts {
  const where = places(dice)
  const nmi = dice.chance(25)
  const source = dice.chance(50)
  const inside = access(dice, where)
  const head = [
    nmi ? (source ? '.nmi 0, handler, 1' : '.handler 2, handler') : source ? '.irq 0, 0x40, handler, 1' : '.handler 0x40, handler',
    'handler:', '    push eax', ...inside('h', 'loops'), '    pop eax', '    iret',
  ]
  const item = () => (dice.chance(70) ? access(dice, where) : dice.chance(50) ? locked(dice, where) : line(dice.of(['mfence', 'nop', 'cpuid'])))
  const bodies = Array.from({ length: 2 }, () => Array.from({ length: 1 + dice.below(2) }, item))
  insert(dice, bodies[0], line('sti'))
  if (!nmi) bodies[0].push(line('cli'))
  insert(dice, bodies[1], source ? line('nop') : () => ['    push eax', '    push edx', ...(nmi ? ['    xm_nmi 0'] : ['    ipi 0, 0x40']), '    pop edx', '    pop eax'])
  return { bodies, head, branches: true }
}

/** vCPU 0 sleeps in the hypervisor until a byte is set, or until it is kicked. */
function sleeps(dice: Dice): Parts {
  const kick = dice.chance(35)
  const wake: Item = kick ? () => ['    push eax', '    kick 0', '    pop eax'] : line(dice.of(['mov byte [f], 1', 'mov dword [f], 2', 'mov byte [f + 1], 1', 'xchg eax, [f]', 'lock inc byte [f]']))
  const sleep: Item = kick ? line('block') : () => ['    push eax', '    poll f', '    mov ecx, eax', '    pop eax']
  const bodies = fill(dice, 3, () => (dice.chance(30) ? wake : dice.chance(25) ? locked(dice, ['x', 'f']) : access(dice, dice.chance(60) ? ['x'] : ['f'])))
  insert(dice, bodies[0], sleep)
  insert(dice, bodies[1], wake)
  if (dice.chance(25)) insert(dice, bodies[bodies.length - 1], sleep)
  if (dice.chance(20)) insert(dice, bodies[0], line('mov byte [f], 0'))
  return { bodies }
}

/** Memory that is freed, and perhaps live again. */
function lifetimes(dice: Dice): Parts {
  const call = (text: string): Item => () => ['    push eax', '    push edx', `    ${text}`, '    pop edx', '    pop eax']
  const mark = () => call(dice.of(['free y, 4', 'free y, 4', 'free y + 2, 2', 'alloc y, 4', 'alloc y, 2']))
  const item = () => (dice.chance(25) ? mark() : dice.chance(25) ? branch(dice, ['x', 'y']) : dice.chance(15) ? locked(dice, ['x']) : access(dice, ['x', 'x', 'x', 'y']))
  return { bodies: fill(dice, 3, item), monitored: true, branches: true }
}

export const KINDS: Readonly<Record<string, (dice: Dice) => Parts>> = {
  plain, locked: lockedKind, mixed, overlaps, branches, judged, spins, turns, code, sharedCode, queued, lagging, interrupts, sleeps, lifetimes, paging,
}
