// The decoder over the whole opcode space, with iced-x86 as the oracle of lengths and of what exists.
import { Code, CpuidFeature, Decoder, DecoderOptions, Instruction, Register } from 'iced-x86'
import { describe, expect, it } from 'vitest'
import { STOP_FAULT } from '../../src/cpu/bus.ts'
import { decode, type Op } from '../../src/cpu/decode.ts'
import { GP, UD } from '../../src/cpu/exceptions.ts'
import { invalid } from '../../src/cpu/handlers.ts'
import * as reg from '../../src/cpu/registers.ts'
import { FlatMachine } from './flatMachine.ts'

const ROUNDS = Number(process.env.XMCHECK_DECODE_ROUNDS ?? 30_000)
const PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]
const SIZES = [[32], [16]] as const

/** What the classes have, as iced names it; FXSAVE, fences and hint NOPs are named in `isOurs`. */
const FEATURES = new Set(
  ['INTEL8086', 'INTEL186', 'INTEL286', 'INTEL386', 'INTEL486', 'CPUID', 'TSC', 'MSR', 'CX8', 'CMOV', 'SEP', 'FPU', 'FPU287', 'FPU387', 'FXSR', 'PAUSE', 'MULTIBYTENOP', 'RDPMC'].map(
    (name) => CpuidFeature[name as keyof typeof CpuidFeature] as CpuidFeature,
  ),
)
/** Instructions that only fault here: the manual's own invalid opcodes. */
const INVALID_BY_NAME = /^Ud[012]/

/** Random bytes, always the same. */
function source(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state & 0xff
  }
}

/** iced's view of many instructions, 16 bytes apart. */
function* oracle(cases: readonly Uint8Array[], bits: number): Generator<Instruction> {
  const all = new Uint8Array(cases.length * 16)
  cases.forEach((bytes, k) => all.set(bytes.subarray(0, 16), k * 16))
  const decoder = new Decoder(bits, all, DecoderOptions.None)
  const instruction = new Instruction()
  for (let k = 0; k < cases.length; k++) {
    decoder.position = k * 16
    decoder.ip = BigInt(k * 16)
    decoder.decodeOut(instruction)
    yield instruction
  }
  instruction.free()
  decoder.free()
}

const isInvalid = (op: Op) => op.row === null || op.handler === invalid
const text = (bytes: Uint8Array, length = 15) => Buffer.from(bytes.subarray(0, length)).toString('hex')

/** Every opcode with ModRM bytes of every kind, after these prefixes. */
function opcodeSpace(prefixes: readonly number[], modrmStep: number): Uint8Array[] {
  const cases: Uint8Array[] = []
  for (const escape of [[], [0x0f]])
    for (let opcode = 0; opcode < 256; opcode++) {
      if (escape.length === 0 && (PREFIXES.includes(opcode) || opcode === 0x0f)) continue
      for (let modrm = 0; modrm < 256; modrm += modrmStep) {
        const bytes = new Uint8Array(16).fill(0x11)
        bytes.set([...prefixes, ...escape, opcode, modrm])
        cases.push(bytes)
      }
    }
  return cases
}

describe('decoder', () => {
  it.each(SIZES)('lengths agree with iced-x86 on random bytes, %i-bit code', (bits) => {
    const random = source(1)
    const cases = Array.from({ length: ROUNDS }, () => Uint8Array.from({ length: 16 }, random))
    const wrong: string[] = []
    let compared = 0
    let k = 0
    for (const instruction of oracle(cases, bits)) {
      const bytes = cases[k++]
      const op = decode(bytes, 0, 15, bits === 32)
      // C4, C5 and 62 with a register are VEX and EVEX to iced, #UD to an i386.
      if (op.row === null || (op.mod === 3 && ['les', 'lds', 'bound'].includes(op.row.mnemonic)) || instruction.code === Code.INVALID) continue
      compared++
      if (op.length !== instruction.length) wrong.push(`${text(bytes)}: ${op.row.mnemonic} ${op.length}, iced ${instruction.length}`)
    }
    expect(wrong.slice(0, 10)).toEqual([])
    expect(compared).toBeGreaterThan(ROUNDS / 3)
  })

  it.each([32, 16].flatMap((bits) => [[], [0x66], [0x67], [0xf2], [0xf3], [0xf0]].map((prefixes) => [bits, prefixes] as const)))(
    'has what an i386 to P6 has in %i-bit code after %j, and nothing else',
    (bits, prefixes) => {
      const cases = opcodeSpace(prefixes, prefixes.length === 0 ? 3 : 13)
      const wrong = new Set<string>()
      let k = 0
      for (const instruction of oracle(cases, bits)) {
        const bytes = cases[k++]
        const op = decode(bytes, 0, 15, bits === 32)
        const name = Code[instruction.code]
        const features = instruction.code === Code.INVALID ? [] : [...instruction.cpuidFeatures()]
        const exists = instruction.code !== Code.INVALID && !INVALID_BY_NAME.test(name) && (features.every((feature) => FEATURES.has(feature)) || /^([LMS]fence|Clflush_)/.test(name))
        const mnemonic = op.row?.mnemonic ?? ''
        const opcode = op.row?.opcode.map((byte) => byte.toString(16).padStart(2, '0')).join('') ?? ''
        // #UD when executed, by the number of the register; x87 encodings that are not there, arithmetic, and FISTTP.
        if (mnemonic === 'mov' && /^(8c|0f2[0-3])$/.test(opcode)) continue
        if (mnemonic === 'x87') continue
        // Newer instructions in the place of these: TZCNT and LZCNT, WBNOINVD, prefetches and MPX and CET in that of NOPs.
        if (/^(bs[fr]|wbinvd)$/.test(mnemonic) && prefixes[0] === 0xf3) continue
        if (mnemonic === 'nop' && op.row!.alias) continue
        if (isInvalid(op) !== !exists) wrong.add(`${text(bytes, 4)}: ${isInvalid(op) ? 'none' : mnemonic}, iced ${name}`)
        else if (exists && op.length !== instruction.length) wrong.add(`${text(bytes, 8)}: ${mnemonic} of ${op.length} bytes, iced ${name} ${instruction.length}`)
      }
      expect([...wrong].slice(0, 10)).toEqual([])
    },
  )

  it.each(SIZES)('asks for more bytes until it has the whole instruction, and for none beyond, %i-bit code', (bits) => {
    const cases = opcodeSpace([0x2e], 61)
    for (const bytes of cases) {
      const { length, row } = decode(bytes, 0, 15, bits === 32)
      for (let available = 0; available < length; available++) expect(decode(bytes, 0, available, bits === 32).length, `${text(bytes, length)} of ${available}`).toBe(0)
      expect(decode(bytes, 0, length, bits === 32)).toMatchObject({ length, row })
    }
  })

  it.each(SIZES)('takes prefixes in any order and number, and the last of a kind, %i-bit code', (bits) => {
    const random = source(7)
    const segments = [Register.ES, Register.CS, Register.SS, Register.DS, Register.FS, Register.GS]
    const cases = Array.from({ length: 4000 }, () => {
      const bytes = Uint8Array.from({ length: 16 }, random)
      const count = 1 + (random() % 8)
      for (let k = 0; k < count; k++) bytes[k] = PREFIXES[random() % PREFIXES.length]
      // MOVS, STOS, MOV, ADD to memory, XCHG.
      bytes.set([[0xa5, 0], [0xab, 0], [0x8b, 0x07], [0x01, 0x47], [0x87, 0x06]][random() % 5], count)
      return bytes
    })
    let k = 0
    for (const instruction of oracle(cases, bits)) {
      const bytes = cases[k++]
      const op = decode(bytes, 0, 15, bits === 32)
      const shown = text(bytes, op.length)
      if (instruction.code === Code.INVALID) {
        expect(isInvalid(op), shown).toBe(true)
        continue
      }
      expect([op.length, op.lock], shown).toEqual([instruction.length, instruction.hasLockPrefix])
      expect(op.segPrefix ? segments[op.seg] : Register.None, shown).toBe(instruction.segmentPrefix)
      if (/^(movs|stos)$/.test(op.row!.mnemonic)) expect(op.rep, shown).toBe(instruction.hasRepPrefix ? 0xf3 : instruction.hasRepnePrefix ? 0xf2 : 0)
    }
  })
})

describe('what is executed', () => {
  /** One instruction at 0x1000 of flat 32-bit or 16-bit code in ring 0. */
  function execute(bytes: ArrayLike<number>, code32: boolean) {
    const machine = new FlatMachine('p4', 0x8000)
    const { r, cpu } = machine
    machine.bus.bytes.set(Uint8Array.from(bytes), 0x1000)
    r[reg.CR0] |= reg.CR0_PE
    for (let seg = 0; seg < 6; seg++) {
      r[reg.SEG_BASE + seg] = 0
      r[reg.SEG_LIMIT + seg] = -1
      r[reg.SEG_ATTR + seg] = 0xc093
    }
    r[reg.SEG_ATTR + reg.CS] = code32 ? 0xc09b : 0x809b
    for (let k = 0; k < 8; k++) r[k] = 0x4000 + k * 0x100
    r[reg.EIP] = 0x1000
    const before = r.slice()
    const memory = machine.bus.bytes.slice()
    const op = decode(machine.bus.bytes, 0x1000, 15, code32)
    cpu.execute(op)
    const unchanged = cpu.stop === STOP_FAULT && before.every((value, k) => r[k] === value) && Buffer.compare(memory, machine.bus.bytes) === 0
    return { vector: cpu.stop === STOP_FAULT ? cpu.faultVector : -1, error: cpu.faultError, unchanged, op }
  }

  it.each(SIZES)('opcodes without an instruction are #UD at their own EIP, and change nothing, %i-bit code', (bits) => {
    let count = 0
    for (const bytes of opcodeSpace([], 85)) {
      if (!isInvalid(decode(bytes, 0, 15, bits === 32))) continue
      count++
      const { vector, unchanged } = execute(bytes, bits === 32)
      expect([text(bytes, 4), vector, unchanged]).toEqual([text(bytes, 4), UD, true])
    }
    expect(count).toBeGreaterThan(400)
  })

  it('LOCK is #UD but in front of a read-modify-write of memory', () => {
    for (const bytes of opcodeSpace([0xf0], 29)) {
      const op = decode(bytes, 0, 15, true)
      if (op.row === null || (op.row.lockable && op.mod !== 3)) continue
      expect([text(bytes, 4), execute(bytes, true).vector]).toEqual([text(bytes, 4), UD])
    }
  })

  it('unassigned opcodes of the 0F map have a ModRM byte but for some, as a real part showed at the end of a page', () => {
    const alone = [0x04, 0x05, 0x07, 0x0a, 0x0c, 0x0e, 0x0f, 0x24, 0x25, 0x26, 0x27, 0x36, 0x37, 0xaa]
    const followed = [0x39, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x7a, 0x7b, 0xa6, 0xa7, 0xb9, 0xff, 0x38, 0x3a, 0xb8, 0x71, 0x10, 0x28, 0x50, 0xd0, 0xe7]
    for (const opcode of alone) expect([opcode, decode(Uint8Array.of(0x0f, opcode), 0, 2, true).length]).toEqual([opcode, 2])
    for (const opcode of followed) expect([opcode, decode(Uint8Array.of(0x0f, opcode), 0, 2, true).length]).toEqual([opcode, 0])
  })

  it('15 bytes are the most: more are #GP(0), whatever they would be', () => {
    for (const prefix of PREFIXES)
      for (const [name, tail] of Object.entries({ nop: [0x90], memory: prefix === 0xf0 ? [0x01, 0x07] : [0x39, 0x07], none: [0x0f, 0x04], mov: [0xb8, 1, 2, 3, 4] })) {
        const most = [...new Array<number>(15 - tail.length).fill(prefix), ...tail]
        const locked = prefix === 0xf0 && name !== 'memory'
        const short = prefix === 0x66 && name === 'mov'
        const { vector, op } = execute(most, true)
        expect([prefix, name, vector]).toEqual([prefix, name, locked || name === 'none' ? UD : -1])
        expect(op.length).toBe(short ? 13 : 15)
        const over = execute([prefix, ...(short ? [prefix, prefix] : []), ...most], true)
        expect([prefix, name, over.vector, over.error, over.unchanged]).toEqual([prefix, name, GP, 0, true])
      }
    expect(execute(new Array<number>(40).fill(0x66), true)).toMatchObject({ vector: GP, error: 0, unchanged: true })
  })

  it('bytes that the instruction does not need may be missing: only more than 15 are refused without them', () => {
    const many = new Uint8Array(15).fill(0x2e)
    expect(decode(many, 0, 14, true).length).toBe(0)
    expect(decode(many, 0, 15, true).length).toBe(15)
    expect(decode(Uint8Array.of(0x90), 0, 1, true).length).toBe(1)
  })
})
