/** Instances of every user-mode row of the instruction table: operands, sizes, prefixes, edge values, faults. */
import { ISA, type IsaRow } from '../../../src/cpu/isa.ts'
import { CODE, DATA, DATA_BYTES, FLAGS, READ_ONLY, registerValue, scramble, UNMAPPED, type Instance } from './layout.ts'

/** Rows that cannot be captured in user mode of some other system, and why. */
const LEFT_OUT: readonly (readonly [reason: string, test: (row: IsaRow) => boolean])[] = [
  ['depends on the descriptor tables of the host', (row) => /^(les|lds|lss|lfs|lgs|lar|lsl|verr|verw|retf|iret|int|int1)$/.test(row.mnemonic)],
  ['far transfer', (row) => row.operands.some((operand) => operand === 'Ap' || operand === 'Mp')],
  ['loads a segment register', (row) => (row.mnemonic === 'pop' || row.mnemonic === 'mov') && /^(ES|SS|DS|FS|GS|CS|Sw)$/.test(row.operands[0])],
  ['the selector of GS is the host\'s', (row) => row.operands.includes('GS')],
  ['x87', (row) => /^(x87|fwait|fxsave|fxrstor)$/.test(row.mnemonic) || /^f(n?[a-z]+)$/.test(row.mnemonic)],
  ['answers with what the host is', (row) => /^(cpuid|rdtsc|rdpmc|sgdt|sidt|sldt|str|smsw|sysenter|rsm)$/.test(row.mnemonic)],
  ['not an instruction', (row) => row.mnemonic === 'ud'],
]

export function leftOut(row: IsaRow): string | null {
  return LEFT_OUT.find(([, test]) => test(row))?.[0] ?? null
}

export const CAPTURED: readonly IsaRow[] = ISA.filter((row) => leftOut(row) === null)

const STRING = /^(movs|cmps|stos|lods|scas|ins|outs)$/
const STACK = /^(push|pop|pusha|popa|pushf|popf|call|ret|enter|leave)$/

class Random {
  #state: number
  constructor(seed: number) {
    this.#state = seed
  }
  next(): number {
    this.#state = (this.#state + 1) | 0
    return scramble(this.#state, 0xabcdef)
  }
  below(n: number): number {
    return this.next() % n
  }
  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]
  }
}

/** @param count instances a row */
export function* generate(count: number): Generator<{ row: IsaRow; instance: Instance; overrides: ReadonlyMap<number, number> }> {
  let index = 0
  for (const [number, row] of CAPTURED.entries()) {
    const random = new Random(scramble(number, 0x1a2b))
    for (let made = 0; made < count; ) {
      const built = build(row, random, index)
      if (built === null) continue
      yield { row, ...built }
      made++
      index++
    }
  }
}

const IMMEDIATES = [0, 1, 2, 7, 8, 15, 16, 31, 32, 33, 0x7f, 0x80, 0xff]

function build(row: IsaRow, random: Random, index: number): { instance: Instance; overrides: Map<number, number> } | null {
  const overrides = new Map<number, number>()
  const bytes: number[] = []
  let opSize = 4
  let addrSize = 4
  const isString = STRING.test(row.mnemonic)
  if (random.oneIn(6)) {
    bytes.push(0x66)
    opSize = 2
  }
  if (random.oneIn(isString || row.modrm ? 24 : 60)) {
    bytes.push(0x67)
    addrSize = 2
  }
  if (random.oneIn(24)) bytes.push(random.pick([0x26, 0x2e, 0x36, 0x3e, 0x64]))
  if (row.lockable ? random.oneIn(6) : random.oneIn(40)) bytes.push(0xf0)
  if (row.prefix !== 0) bytes.push(row.prefix)
  else if (isString ? random.oneIn(2) : random.oneIn(80) && row.mnemonic !== 'nop') bytes.push(random.pick([0xf2, 0xf3]))
  const plus = row.plusR ? random.below(8) : 0
  bytes.push(...row.opcode.slice(0, -1), row.opcode[row.opcode.length - 1] + plus)

  // Where the memory operand is to be.
  const target = random.oneIn(16) ? DATA + DATA_BYTES - random.below(8) : random.oneIn(40) ? READ_ONLY + random.below(64) : random.oneIn(60) ? UNMAPPED + random.below(4096) : DATA + 512 + random.below(DATA_BYTES - 1024)
  if (row.modrm) {
    const fixed = row.operands.some((operand) => operand[0] === 'R')
    const mod = fixed || random.oneIn(3) ? 3 : random.below(3)
    const reg = row.digit >= 0 ? row.digit : random.below(8)
    const rm = random.below(8)
    bytes.push((mod << 6) | (reg << 3) | rm)
    if (mod !== 3 && !(addrSize === 4 ? address32(bytes, mod, rm, target, random, index, overrides) : address16(bytes, mod, rm, random))) return null
    // A bit offset in a register reaches far: keep it inside the data.
    if (/^bt[src]?$/.test(row.mnemonic) && row.operands[1] === 'Gv' && mod !== 3) {
      if (overrides.has(reg)) return null
      overrides.set(reg, random.below(2048) - 1024)
    }
  }
  for (const operand of row.operands) {
    const size = operand[1] === 'b' ? 1 : operand[1] === 'w' ? 2 : opSize
    const immediate = random.oneIn(2) ? random.pick(IMMEDIATES) : random.next()
    if (operand[0] === 'I' || operand === 'sIb') {
      const shift = /^(ro|rc|sh|sa)[lr]/.test(row.mnemonic)
      const value = row.mnemonic === 'enter' ? (operand === 'Iw' ? random.below(64) : random.below(6)) : row.mnemonic === 'ret' ? random.below(64) : shift && random.oneIn(2) ? random.below(34) : immediate
      push(bytes, value, operand === 'sIb' ? 1 : size)
    } else if (operand[0] === 'J') {
      const width = operand === 'Jb' ? 1 : opSize
      // Around, into the code pages, and never into the instruction itself.
      const displacement = random.pick([0, 1, 5, 20, 100, -40, -100, 127, -128])
      push(bytes, displacement, width)
    } else if (operand[0] === 'O') push(bytes, target, addrSize)
  }
  if (bytes.length > 15) return null

  if (isString || row.mnemonic === 'xlat') {
    const low = addrSize === 2
    const place = (other: number) => (low ? other & 0xffff : random.oneIn(12) ? DATA + DATA_BYTES - 4 - random.below(12) : other)
    overrides.set(6, place(DATA + 1024 + random.below(2048)))
    overrides.set(7, place(DATA + 4096 + random.below(2048)))
    overrides.set(3, place(DATA + 2048 + random.below(1024)))
    if (bytes.includes(0xf2) || bytes.includes(0xf3)) overrides.set(1, random.below(9))
  }
  if (STACK.test(row.mnemonic) || row.mnemonic === 'leave') {
    const stack = random.oneIn(20) ? DATA + random.below(40) : random.oneIn(20) ? DATA + DATA_BYTES - random.below(12) : DATA + 3072 + random.below(512) * 4
    if (!overrides.has(4)) overrides.set(4, stack)
    if (row.mnemonic === 'leave' || row.mnemonic === 'enter') overrides.set(5, DATA + 2048 + random.below(512) * 4)
  }
  if (/^(div|idiv)$/.test(row.mnemonic) && random.oneIn(2)) {
    if (!overrides.has(2)) overrides.set(2, random.below(3))
  }
  if (/^(bound)$/.test(row.mnemonic) && random.oneIn(2)) return null
  if (/^loop|^jcxz/.test(row.mnemonic)) overrides.set(1, random.pick([0, 1, 2, 0x10000, 0x10001, 0xffff]))

  if (!overrides.has(4)) overrides.set(4, DATA + 2048 + random.below(2048))
  const crossing = random.oneIn(16)
  const eip = crossing ? CODE + 0x1000 - 1 - random.below(bytes.length) : random.oneIn(60) ? CODE + 0x2000 - bytes.length + random.below(2) * random.below(bytes.length) : CODE + 0x200 + random.below(0x200)
  const registers = Array.from({ length: 8 }, (_, r) => (overrides.get(r) ?? registerValue(index, r)) >>> 0)
  for (const [r, value] of overrides) overrides.set(r, value >>> 0)
  const eflags = scramble(index, 0xf1a6) & FLAGS & ~(random.oneIn(4) ? 0 : 0x400)
  return { instance: { code: Uint8Array.from(bytes), eip, eflags, registers }, overrides }
}

function push(bytes: number[], value: number, size: number): void {
  for (let k = 0; k < size; k++) bytes.push((value >>> (8 * k)) & 0xff)
}

/** SIB, displacement, and the base register's value, so that the address is `target`. */
function address32(
  bytes: number[], mod: number, rm: number, target: number, random: Random, index: number, overrides: Map<number, number>,
): boolean {
  let base = rm
  let scaled = 0
  if (rm === 4) {
    const sib = random.below(256)
    bytes.push(sib)
    base = sib & 7
    const register = (sib >> 3) & 7
    if (register !== 4) {
      if (register === base && !(mod === 0 && base === 5)) return false
      const value = random.below(16)
      overrides.set(register, value)
      scaled = value << (sib >> 6)
    }
  }
  if (mod === 0 && base === 5) {
    push(bytes, target - scaled, 4)
    return true
  }
  const displacement = mod === 0 ? 0 : mod === 1 ? random.below(256) - 128 : random.pick([0, 4, -4, 0x1234, random.next() | 0])
  if (mod !== 0) push(bytes, displacement, mod === 1 ? 1 : 4)
  if (overrides.has(base)) return false
  overrides.set(base, target - scaled - displacement)
  void index
  return true
}

/** 16-bit addresses are below 64 KB, where nothing is mapped: a page fault tells the address. */
function address16(bytes: number[], mod: number, rm: number, random: Random): boolean {
  if (mod === 1) push(bytes, random.below(256), 1)
  else if (mod === 2 || (mod === 0 && rm === 6)) push(bytes, random.below(65536), 2)
  return true
}
