/** Random operands, assembled, and read back by iced-x86: the same registers, address and number. */
import fc from 'fast-check'
import { Decoder, DecoderOptions, Instruction, OpKind, Register } from 'iced-x86'
import { expect, test } from 'vitest'
import { assembleBytes } from '../../../src/guest/asm/index.ts'

const SEED = 486
const RUNS = 3000

const BYTES = ['al', 'cl', 'dl', 'bl', 'ah', 'ch', 'dh', 'bh']
const WORDS = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di']
const DWORDS = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi']
const SIZES = new Map([[1, { word: 'byte', names: BYTES }], [2, { word: 'word', names: WORDS }], [4, { word: 'dword', names: DWORDS }]]) // prettier-ignore

interface Address {
  readonly base: string
  readonly index: string
  readonly scale: number
  readonly displacement: number
  readonly segment: string
}

const displacement = fc.oneof(
  fc.constant(0),
  fc.integer({ min: -130, max: 130 }),
  fc.integer({ min: -0x80000000, max: 0x7fffffff }),
)

const address: fc.Arbitrary<Address> = fc.record({
  base: fc.constantFrom('', ...DWORDS),
  index: fc.constantFrom('', ...DWORDS.filter((name) => name !== 'esp')),
  scale: fc.constantFrom(1, 2, 4, 8),
  displacement,
  segment: fc.constantFrom('', '', '', 'es', 'cs', 'ss', 'ds', 'fs', 'gs'),
})

function write({ base, index, scale, displacement: offset, segment }: Address): string {
  const parts = [base, index && `${index}*${scale}`].filter((part) => part !== '')
  const sum = parts.join(' + ')
  const number = offset < 0 ? `- ${-offset}` : sum ? `+ ${offset}` : `${offset}`
  return `[${segment && segment + ':'}${sum} ${number}]`
}

/** The address as a sum: which registers how often. Base and index*1 may change places. */
function terms(base: string, index: string, scale: number): string {
  const sum = new Map<string, number>()
  if (base) sum.set(base, 1)
  if (index) sum.set(index, (sum.get(index) ?? 0) + scale)
  return [...sum]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, factor]) => `${name}*${factor}`)
    .join('+')
}

function withDecoded<T>(bytes: Uint8Array, read: (instruction: Instruction) => T): T {
  const decoder = new Decoder(32, bytes, DecoderOptions.None)
  const instruction = decoder.decode()
  try {
    expect(instruction.length).toBe(bytes.length)
    return read(instruction)
  } finally {
    instruction.free()
    decoder.free()
  }
}

function name(register: Register): string {
  return register === Register.None ? '' : Register[register].toLowerCase()
}

function expectAddress(
  instruction: Instruction,
  { base, index, scale, displacement: offset, segment }: Address,
): void {
  const read = instruction
  expect(terms(name(read.memoryBase), name(read.memoryIndex), read.memoryIndexScale)).toBe(
    terms(base, index, scale),
  )
  expect(Number(BigInt.asIntN(32, read.memoryDisplacement))).toBe(offset)
  if (segment) expect(name(read.segmentPrefix)).toBe(segment)
}

const operation = fc.constantFrom('add', 'cmp', 'mov')
const sizes = fc.constantFrom(1, 2, 4)
const registers = fc.nat(7)

test('register and memory operands', () => {
  const property = fc.property(
    operation,
    sizes,
    registers,
    address,
    fc.boolean(),
    (mnemonic, size, number, where, store) => {
      const register = SIZES.get(size)!.names[number]
      const source = store
        ? `${mnemonic} ${write(where)}, ${register}`
        : `${mnemonic} ${register}, ${write(where)}`
      withDecoded(assembleBytes(source), (instruction) => {
        const registerAt = store ? 1 : 0
        expect(instruction.opKind(1 - registerAt)).toBe(OpKind.Memory)
        expect(name(instruction.opRegister(registerAt))).toBe(register)
        expectAddress(instruction, where)
      })
    },
  )
  fc.assert(property, { seed: SEED, numRuns: RUNS })
})

test('registers and numbers', () => {
  const property = fc.property(
    operation,
    sizes,
    registers,
    fc.integer({ min: -0x80000000, max: 0xffffffff }),
    (mnemonic, size, number, value) => {
      const register = SIZES.get(size)!.names[number]
      const wrapped = BigInt.asIntN(size * 8, BigInt(value))
      withDecoded(assembleBytes(`${mnemonic} ${register}, ${wrapped}`), (instruction) => {
        expect(name(instruction.opRegister(0))).toBe(register)
        expect(BigInt.asIntN(size * 8, BigInt(instruction.immediate(1)))).toBe(wrapped)
      })
    },
  )
  fc.assert(property, { seed: SEED, numRuns: RUNS })
})

test('memory and numbers', () => {
  const property = fc.property(
    operation,
    sizes,
    address,
    fc.integer({ min: -0x80000000, max: 0x7fffffff }),
    (mnemonic, size, where, value) => {
      const wrapped = BigInt.asIntN(size * 8, BigInt(value))
      withDecoded(
        assembleBytes(`${mnemonic} ${SIZES.get(size)!.word} ${write(where)}, ${wrapped}`),
        (instruction) => {
          expectAddress(instruction, where)
          expect(BigInt.asIntN(size * 8, BigInt(instruction.immediate(1)))).toBe(wrapped)
        },
      )
    },
  )
  fc.assert(property, { seed: SEED, numRuns: RUNS })
})

test('jumps reach their target from anywhere', () => {
  const property = fc.property(
    fc.nat(0x7fffffff),
    fc.integer({ min: -300, max: 300 }),
    fc.constantFrom('jmp', 'je', 'call'),
    (origin, distance, mnemonic) => {
      const target = (origin + distance) >>> 0
      const bytes = assembleBytes(`${mnemonic} target`, { origin, symbols: { target } })
      const decoder = new Decoder(32, bytes, DecoderOptions.None)
      decoder.ip = BigInt(origin)
      const instruction = decoder.decode()
      const reached = Number(instruction.nearBranchTarget)
      instruction.free()
      decoder.free()
      expect(reached).toBe(target)
      const reach = distance - 2
      if (mnemonic !== 'call') expect(bytes.length === 2).toBe(reach >= -128 && reach <= 127)
    },
  )
  fc.assert(property, { seed: SEED, numRuns: RUNS })
})
