/** Instances of every user-mode row of the instruction table: operands, sizes, prefixes, segments, edge values, faults. */
import { escapesOf } from '../../../src/cpu/instructions/fpuState.ts'
import { ISA, type IsaRow } from '../../../src/cpu/isa.ts'
import { CODE, CODE_BYTES, DATA, DATA_BYTES, emptyTags, FLAGS, FPU_INITIAL, PLANT_BYTES, READ_ONLY, registerValue, scramble, UNMAPPED, type FpuWords, type Instance } from './layout.ts'
import { GLOBAL, limitBytes, LOCAL, localSelector, LONG_CS, segmentOf, USER_CS, USER_DS } from './segments.ts'

/** Rows that cannot be captured in user mode of some other system, and why. */
const LEFT_OUT: readonly (readonly [reason: string, test: (row: IsaRow) => boolean])[] = [
  ['arithmetic, which is not modelled', (row) => row.mnemonic === 'x87' && escapesOf(row.opcode[0]).registers.length === 0],
  ['saves what the host has and the classes do not', (row) => /^(fxsave|fxrstor)$/.test(row.mnemonic)],
  ['answers with what the host is', (row) => /^(cpuid|rdtsc|rdpmc|sgdt|sidt|sldt|str|smsw)$/.test(row.mnemonic)],
  ['changes nothing but caches', (row) => row.mnemonic === 'clflush'],
  ['a system call of the host', (row) => row.mnemonic === 'sysenter'],
]

export function leftOut(row: IsaRow): string | null {
  return LEFT_OUT.find(([, test]) => test(row))?.[0] ?? null
}

/** A row in words, as vector files name it. */
export function rowText({ mnemonic, opcode, digit, operands }: IsaRow): string {
  return `${mnemonic} ${opcode.map((byte) => byte.toString(16).padStart(2, '0')).join('')} ${digit >= 0 ? digit : '-'} ${operands.join(',')}`
}

export const CAPTURED: readonly IsaRow[] = ISA.filter((row) => leftOut(row) === null)

const STRING = /^(movs|cmps|stos|lods|scas|ins|outs)$/
const STACK = /^(push|pop|pusha|popa|pushf|popf|call|ret|retf|iret|enter|leave)$/
/** Instructions that read selectors: what they find there is always planted, as the host has more descriptors than the model. */
const isFarPointer = (row: IsaRow) => row.operands.includes('Mp')
const takesSelector = (row: IsaRow) => /^(lar|lsl|verr|verw)$/.test(row.mnemonic) || row.operands[0] === 'Sw'
const ES = 0
const CS = 1
const SS = 2
const DS = 3
const AC = 0x40000
const TF = 0x100
const OVERRIDES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]

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

export interface Generated {
  readonly row: IsaRow
  readonly instance: Instance
  /** Registers that are not `registerValue`. */
  readonly given: ReadonlyMap<number, number>
}

/** @param flat instances a row in flat segments @param segmented and in others @param seed other instances for another one */
export function* generate(flat: number, segmented: number, seed = 0): Generator<Generated> {
  let index = 0
  for (const [number, row] of CAPTURED.entries()) {
    const random = new Random(scramble(number, 0x1a2b ^ seed))
    for (let made = 0; made < flat + segmented; ) {
      const built = new Builder(row, random, index, made >= flat).build()
      if (built === null) continue
      yield { row, ...built }
      made++
      index++
    }
  }
}

const IMMEDIATES = [0, 1, 2, 7, 8, 15, 16, 31, 32, 33, 0x7f, 0x80, 0xff]
/** What can be in DS, ES, FS and GS; and in SS. (Returning to ring 3 makes other null selectors 0.) */
const READABLE = [0, USER_DS, USER_CS, ...[0, 0, 1, 2, 3, 4, 5, 6, 8, 13, 14, 15, 16, 17].map(localSelector)]
const STACKS = [USER_DS, ...[0, 2, 3, 4, 5, 5, 13, 14, 15].map(localSelector)]
const CODES = [USER_CS, ...[6, 6, 8, 8, 9].map(localSelector)]

class Builder {
  readonly #row: IsaRow
  readonly #random: Random
  readonly #index: number
  readonly #given = new Map<number, number>()
  readonly #bytes: number[] = []
  readonly #selectors: number[]
  readonly #planted = new Uint8Array(PLANT_BYTES)
  #plantedAt = 0
  #plantedBytes = 0
  #opSize = 4
  #addrSize = 4
  #override = -1

  constructor(row: IsaRow, random: Random, index: number, segmented: boolean) {
    this.#row = row
    this.#random = random
    this.#index = index
    const data = () => random.pick(READABLE)
    this.#selectors = segmented ? [data(), random.pick(CODES), random.pick(STACKS), data(), data(), data()] : [USER_DS, USER_CS, USER_DS, USER_DS, 0, 0]
  }

  build(): { instance: Instance; given: Map<number, number> } | null {
    const row = this.#row
    const random = this.#random
    const given = this.#given
    const code = segmentOf(this.#selectors[CS])!
    this.#prefixes(code.big === true)
    this.#bytes.push(...row.opcode.slice(0, -1), row.opcode[row.opcode.length - 1] + (row.plusR ? random.below(8) : 0))
    if (row.modrm && !this.#modrm()) return null
    this.#immediates()
    if (this.#bytes.length > 15) return null
    this.#implied()
    const { place, eip } = this.#place(code.base)
    const registers = Array.from({ length: 8 }, (_, r) => (given.get(r) ?? registerValue(this.#index, r)) >>> 0)
    for (const [r, value] of given) given.set(r, value >>> 0)
    let eflags = scramble(this.#index, 0xf1a6) & FLAGS & ~(AC | TF) & ~(random.oneIn(4) ? 0 : 0x400)
    if (random.oneIn(24)) eflags |= AC
    if (random.oneIn(24)) eflags |= TF
    const planted = this.#planted.subarray(0, this.#plantedBytes)
    return { instance: { code: Uint8Array.from(this.#bytes), place, eip, eflags, registers, selectors: this.#selectors, planted, plantedAt: this.#plantedAt, fpu: this.#fpu() }, given }
  }

  #prefixes(code32: boolean): void {
    const row = this.#row
    const random = this.#random
    const bytes = this.#bytes
    const isString = STRING.test(row.mnemonic)
    // In any order and number, now and then; LOCK faults nearly everywhere, so it is rarer.
    if (random.oneIn(16)) for (let k = random.below(4); k >= 0; k--) bytes.push(random.pick(random.oneIn(8) ? [0xf0] : [...OVERRIDES, 0x66, 0x67, 0xf2, 0xf3]))
    if (random.oneIn(6)) bytes.push(0x66)
    if (random.oneIn(isString || row.modrm ? 24 : 60)) bytes.push(0x67)
    if (random.oneIn(this.#selectors[DS] === USER_DS ? 24 : 3)) bytes.push(random.pick(OVERRIDES))
    if (row.lockable ? random.oneIn(6) : random.oneIn(40)) bytes.push(0xf0)
    if (row.prefix !== 0) bytes.push(row.prefix)
    else if (isString ? random.oneIn(2) : random.oneIn(80)) bytes.push(random.pick([0xf2, 0xf3]))
    this.#opSize = code32 === bytes.includes(0x66) ? 2 : 4
    this.#addrSize = code32 === bytes.includes(0x67) ? 2 : 4
    this.#override = OVERRIDES.indexOf(bytes.findLast((byte) => OVERRIDES.includes(byte)) ?? -1)
  }

  #segment(fallback: number) {
    return segmentOf(this.#selectors[this.#override < 0 ? fallback : this.#override])
  }
  #base(segment: number): number {
    return segmentOf(this.#selectors[segment])?.base ?? 0
  }

  /** Offset, in the segment that is used where `fallback` is the one without a prefix, for a memory operand: mostly in the data. */
  #offset(fallback: number): number {
    const random = this.#random
    const segment = this.#segment(fallback)
    if (segment !== null && segment.base !== 0) {
      const limit = limitBytes(segment)
      if (random.oneIn(4)) return (limit + random.pick([0, 1, -1, -2, -3, -4, -5, -7, -8, 2, 5])) | 0
      if (segment.base === CODE) return random.below(0x2000)
    }
    const linear =
      random.oneIn(16) ? DATA + DATA_BYTES - random.below(8)
      : random.oneIn(40) && !takesSelector(this.#row) && !isFarPointer(this.#row) ? READ_ONLY + random.below(64)
      : random.oneIn(60) ? UNMAPPED + random.below(4096)
      : DATA + 512 + random.below(DATA_BYTES - 1024)
    return (linear - (segment?.base ?? 0)) | 0
  }

  #modrm(): boolean {
    const row = this.#row
    const random = this.#random
    const given = this.#given
    const fixed = row.operands.some((operand) => operand[0] === 'R')
    const mod = fixed || random.oneIn(isFarPointer(row) ? 12 : 3) ? 3 : random.below(3)
    let reg = row.digit >= 0 ? row.digit : random.below(8)
    const rm = random.below(8)
    if (row.mnemonic === 'x87') {
      const { registers, memory } = escapesOf(row.opcode[0])
      if (mod === 3 && registers.length > 0) {
        this.#bytes.push(random.pick(registers))
        return true
      }
      if (mod === 3 || memory.length === 0) return false
      reg = random.pick(memory)
    }
    this.#bytes.push((mod << 6) | (reg << 3) | rm)
    if (mod === 3) {
      if (takesSelector(row)) given.set(rm, (random.next() & ~0xffff) | this.#selector(false))
      return true
    }
    if (!(this.#addrSize === 4 ? this.#address32(mod, rm) : this.#address16(mod, rm))) return false
    // A bit offset in a register reaches far: keep it inside the data.
    if (/^bt[src]?$/.test(row.mnemonic) && row.operands[1] === 'Gv') {
      if (given.has(reg)) return false
      given.set(reg, random.below(2048) - 1024)
    }
    return true
  }

  /** The memory operand is at `offset`: what selectors are read from there. */
  #plantOperand(fallback: number, offset: number): boolean {
    const row = this.#row
    if (!isFarPointer(row) && !takesSelector(row)) return true
    const size = this.#opSize
    const base = this.#segment(fallback)?.base ?? 0
    const jumps = /^(call|jmp)$/.test(row.mnemonic)
    const bytes: number[] = []
    if (isFarPointer(row)) {
      const selector = this.#selector(jumps)
      push(bytes, jumps ? this.#landing(selector) : this.#random.next(), size)
      push(bytes, selector, 2)
    } else push(bytes, this.#selector(false), 2)
    return this.#plant((base + offset) >>> 0, bytes)
  }

  /** False: selectors would be read from where nothing can be planted. */
  #plant(linear: number, bytes: readonly number[]): boolean {
    const at = linear - DATA
    if (at <= -bytes.length || at >= DATA_BYTES) return !(linear >= READ_ONLY && linear < READ_ONLY + 0x1000) && !(linear >= CODE && linear < CODE + CODE_BYTES)
    if (at < 0 || at + bytes.length > DATA_BYTES) return true
    this.#plantedAt = at
    this.#plantedBytes = bytes.length
    this.#planted.set(bytes)
    return true
  }

  /** A selector to load, good and bad; `code`: into CS, so not that of 64-bit code. */
  #selector(code: boolean): number {
    const random = this.#random
    const rpl = random.oneIn(4) ? random.below(4) : 3
    if (random.oneIn(8)) return random.below(4)
    if (random.oneIn(12)) return random.pick([0x144, 0xfffc, 0x1000, 0x80]) | rpl
    if (random.oneIn(5)) return random.pick(GLOBAL.map((_, k) => (k + 1) * 8).filter((selector) => !code || selector !== LONG_CS)) | rpl
    const index = code && !random.oneIn(4) ? random.pick([6, 7, 8, 9, 11, 12]) : random.below(LOCAL.length + 1)
    return (localSelector(index) & ~3) | rpl
  }

  /** An offset to go to in the code segment of a selector; nothing but INT3 is there. */
  #landing(selector: number): number {
    const random = this.#random
    const index = (selector >> 3) - 1
    const segment = (selector & 0xfffc) === 0 ? undefined : ((selector & 4) === 0 ? GLOBAL : LOCAL)[index]
    if (segment?.base === CODE) return random.oneIn(6) ? limitBytes(segment) + random.below(4) - 1 : 0x1100 + random.below(0x700)
    return CODE + 0x1100 + random.below(0x700)
  }

  #immediates(): void {
    const row = this.#row
    const random = this.#random
    const bytes = this.#bytes
    for (const operand of row.operands) {
      const size = operand[1] === 'b' ? 1 : operand[1] === 'w' ? 2 : this.#opSize
      const immediate = random.oneIn(2) ? random.pick(IMMEDIATES) : random.next()
      if (operand === 'Ap') {
        const selector = this.#selector(true)
        push(bytes, this.#landing(selector), size)
        push(bytes, selector, 2)
      } else if (operand[0] === 'I' || operand === 'sIb') {
        const shift = /^(ro|rc|sh|sa)[lr]/.test(row.mnemonic)
        push(bytes, this.#special(operand) ?? (shift && random.oneIn(2) ? random.below(34) : immediate), operand === 'sIb' ? 1 : size)
      } else if (operand[0] === 'J') {
        // Around, into the code pages, and never into the instruction itself.
        push(bytes, random.pick([0, 1, 5, 20, 100, -40, -100, 127, -128]), operand === 'Jb' ? 1 : this.#opSize)
      } else if (operand[0] === 'O') push(bytes, this.#offset(DS), this.#addrSize)
    }
  }

  /** Immediates that must be of some kind; null: any. */
  #special(operand: string): number | null {
    const random = this.#random
    switch (this.#row.mnemonic) {
      case 'enter':
        return operand === 'Iw' ? random.below(64) : random.below(6)
      case 'ret':
      case 'retf':
        return random.below(64)
      case 'int':
        // Not the host's system call.
        return random.pick([0, 1, 2, 3, 3, 4, 4, 5, 8, 13, 14, 0x20, 0x30, 0x7f, 0x81, 0xff])
      default:
        return null
    }
  }

  /** x87 words: exceptions pending, unmasked, registers empty or not. */
  #fpu(): FpuWords {
    if (!/^(x87|fwait)$/.test(this.#row.mnemonic)) return FPU_INITIAL
    const random = this.#random
    const cw = random.oneIn(2) ? FPU_INITIAL.cw : (random.next() & 0x1f3f) | 0x40
    const sw = random.next() & 0x7fff & (random.oneIn(3) ? -1 : ~0x7f)
    const pending = (sw & ~cw & 0x3f) !== 0
    return { cw, sw: pending ? sw | 0x8080 : sw & ~0x8080, tw: emptyTags(random.next() | (random.next() << 1)) }
  }

  /** Registers that the instruction uses unasked. */
  #implied(): void {
    const row = this.#row
    const { mnemonic } = row
    const random = this.#random
    const given = this.#given
    const isString = STRING.test(mnemonic)
    const small = this.#addrSize === 2
    if (isString || mnemonic === 'xlat') {
      const far = (value: number) => (small ? (random.next() & ~0xffff) | (value & 0xffff) : value)
      const place = (segment: number, linear: number) => {
        const edge = random.oneIn(12) ? DATA + DATA_BYTES - 4 - random.below(12) : linear
        const selected = segmentOf(this.#selectors[segment])
        if (selected !== null && selected.base !== 0 && random.oneIn(4)) return far(limitBytes(selected) + random.below(12) - 8)
        return far(edge - (selected?.base ?? 0))
      }
      const source = this.#override < 0 ? DS : this.#override
      given.set(6, place(source, DATA + 1024 + random.below(2048)))
      given.set(7, place(ES, DATA + 4096 + random.below(2048)))
      given.set(3, place(source, DATA + 2048 + random.below(1024)))
      if (this.#bytes.includes(0xf2) || this.#bytes.includes(0xf3)) given.set(1, small ? (random.next() & ~0xffff) | random.below(9) : random.below(9))
    }
    const stack = segmentOf(this.#selectors[SS])!
    const top = (linear: number) => {
      const offset = linear - stack.base
      return stack.big === true ? offset : (random.next() & ~0xffff) | (offset & 0xffff)
    }
    if (STACK.test(mnemonic)) {
      const linear = random.oneIn(20) ? DATA + random.below(40) : random.oneIn(20) ? DATA + DATA_BYTES - random.below(12) : DATA + 3072 + random.below(512) * 4
      if (!given.has(4)) {
        const edge = stack.base !== 0 && random.oneIn(8) ? stack.base + limitBytes(stack) + random.below(12) - 4 : linear
        given.set(4, top(edge))
        this.#plantStack(edge)
      }
      if (mnemonic === 'leave' || mnemonic === 'enter') given.set(5, top(DATA + 2048 + random.below(512) * 4))
    }
    if (!given.has(4)) given.set(4, top(DATA + 2048 + random.below(2048)))
    if (/^(div|idiv)$/.test(mnemonic) && random.oneIn(2) && !given.has(2)) given.set(2, random.below(3))
    if (/^loop|^jcxz/.test(mnemonic)) given.set(1, random.pick([0, 1, 2, 0x10000, 0x10001, 0xffff]))
    if (mnemonic === 'arpl' && !given.has(0) && random.oneIn(2)) given.set(0, random.below(4))
  }

  /** What returns and segment pops find on the stack. */
  #plantStack(linear: number): void {
    const { mnemonic, operands } = this.#row
    const random = this.#random
    const size = this.#opSize
    const bytes: number[] = []
    if (mnemonic === 'pop' && /^[ESDFG]S$/.test(operands[0] ?? '')) push(bytes, (random.next() & ~0xffff) | this.#selector(false), size)
    else if (mnemonic === 'ret' && (this.#base(CS) !== 0 || random.oneIn(3))) push(bytes, this.#landing(this.#selectors[CS]), size)
    else if (mnemonic === 'retf' || mnemonic === 'iret') {
      const selector = this.#selector(true)
      push(bytes, this.#landing(selector), size)
      push(bytes, (random.next() & ~0xffff) | selector, size)
      // Not TF with AC, nor VM: what IRET makes of them is the flags' own business.
      if (mnemonic === 'iret') push(bytes, random.next(), size)
    }
    if (bytes.length > 0) this.#plant(linear >>> 0, bytes)
  }

  #place(base: number): { place: number; eip: number } {
    const random = this.#random
    const { length } = this.#bytes
    const place = random.oneIn(16)
      ? CODE + 0x1000 - 1 - random.below(length)
      : random.oneIn(60)
        ? CODE + CODE_BYTES - length + random.below(2) * random.below(length)
        : CODE + 0x200 + random.below(0x200)
    return { place, eip: place - base }
  }

  /** SIB, displacement, and the base register's value, so that the address is where it is to be. */
  #address32(mod: number, rm: number): boolean {
    const random = this.#random
    const given = this.#given
    const bytes = this.#bytes
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
        given.set(register, value)
        scaled = value << (sib >> 6)
      }
    }
    const absolute = mod === 0 && base === 5
    const fallback = !absolute && (base === 4 || base === 5) ? SS : DS
    const target = this.#offset(fallback)
    if (!this.#plantOperand(fallback, target)) return false
    if (absolute) {
      push(bytes, target - scaled, 4)
      return true
    }
    const displacement = mod === 0 ? 0 : mod === 1 ? random.below(256) - 128 : random.pick([0, 4, -4, 0x1234, random.next() | 0])
    if (mod !== 0) push(bytes, displacement, mod === 1 ? 1 : 4)
    if (given.has(base)) return false
    given.set(base, target - scaled - displacement)
    return true
  }

  /** Registers of the 16-bit forms: SI, DI and BP, BX; upper halves do not count. */
  #address16(mod: number, rm: number): boolean {
    const random = this.#random
    const bytes = this.#bytes
    const absolute = mod === 0 && rm === 6
    const fallback = !absolute && (rm === 2 || rm === 3 || rm === 6) ? SS : DS
    const target = this.#offset(fallback) & 0xffff
    if (!this.#plantOperand(fallback, target)) return false
    if (absolute) {
      push(bytes, target, 2)
      return true
    }
    const displacement = mod === 0 ? 0 : mod === 1 ? random.below(256) - 128 : random.below(65536)
    if (mod !== 0) push(bytes, displacement, mod)
    const [first, second] = [[3, 6], [3, 7], [5, 6], [5, 7], [6, -1], [7, -1], [5, -1], [3, -1]][rm]
    const garbage = () => random.next() & ~0xffff
    const index = second < 0 ? 0 : random.below(65536)
    if (second >= 0) this.#given.set(second, garbage() | index)
    this.#given.set(first, garbage() | ((target - index - displacement) & 0xffff))
    return true
  }
}

function push(bytes: number[], value: number, size: number): void {
  for (let k = 0; k < size; k++) bytes.push((value >>> (8 * k)) & 0xff)
}
