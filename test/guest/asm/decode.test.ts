/** What the assembler writes, the decoder of our own CPU reads: both out of the same table. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decode, IMM, MEM, REG, type Op } from '../../../src/cpu/decode.ts'
import * as reg from '../../../src/cpu/registers.ts'
import { assembleBytes } from '../../../src/guest/asm/index.ts'
import { spellingsOf } from '../../../src/guest/asm/spellings.ts'
import { allSamples } from './formSamples.ts'
import { toHex } from './helpers.ts'

const SEED = 486
const RUNS = 3000
const DWORDS = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi']
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs']

function decodeAll(bytes: Uint8Array, code32 = true): Op {
  return decode(bytes, 0, bytes.length, code32)
}

test.each([32, 16])('every sample is decoded as the row that it was made from, in %d-bit code', (bits) => {
  const wrong = allSamples().flatMap((line) => {
    if (bits === 16 && /^push 0x12345678$/.test(line)) return []
    const bytes = assembleBytes(`bits ${bits}\n${line}`)
    const { row, length } = decodeAll(bytes, bits === 32)
    const names = row ? spellingsOf(row.mnemonic, row.operands).map(({ name }) => name) : []
    // 90 is both: NOP, and XCHG of EAX with itself.
    const nop = line.startsWith('xchg') && row?.mnemonic === 'nop'
    const same = length === bytes.length && (nop || names.includes(line.split(' ')[0]))
    return same ? [] : [`${line}: ${toHex(bytes)} is ${row?.mnemonic} of ${length} bytes`]
  })
  expect(wrong).toEqual([])
})

test('random operands come back', () => {
  const address = fc.record({
    base: fc.integer({ min: -1, max: 7 }),
    index: fc.integer({ min: -1, max: 7 }).filter((number) => number !== reg.ESP),
    scale: fc.nat(3),
    disp: fc.oneof(fc.integer({ min: -130, max: 130 }), fc.integer()),
    segment: fc.integer({ min: -1, max: 5 }),
  })
  const property = fc.property(
    address,
    fc.nat(7),
    fc.boolean(),
    ({ base, index, scale, disp, segment }, register, store) => {
      const parts = [
        base < 0 ? '' : DWORDS[base],
        index < 0 ? '' : `${DWORDS[index]}*${1 << scale}`,
        `${disp}`,
      ]
      const prefix = segment < 0 ? '' : `${SEGMENTS[segment]}:`
      const memory = `[${prefix}${parts.filter((part) => part !== '').join(' + ')}]`
      const op = decodeAll(
        assembleBytes(store ? `mov ${memory}, ${DWORDS[register]}` : `mov ${DWORDS[register]}, ${memory}`),
      )
      const [left, right] = store ? [op.b, op.a] : [op.a, op.b]
      expect([left.kind, left.size, left.value]).toEqual([REG, 4, register])
      expect([right.kind, right.size]).toEqual([MEM, 4])
      expect(op.disp | 0).toBe(disp)
      expect(linear(op.base, op.index, op.scale)).toEqual(linear(base, index, scale))
      if (segment >= 0) expect(op.seg).toBe(segment)
    },
  )
  fc.assert(property, { seed: SEED, numRuns: RUNS })
})

/** How often each register is in the sum. */
function linear(base: number, index: number, scale: number): number[] {
  const factors = [0, 0, 0, 0, 0, 0, 0, 0]
  if (base >= 0) factors[base]++
  if (index >= 0) factors[index] += 1 << scale
  return factors
}

test('random numbers come back', () => {
  const operation = fc.constantFrom('add', 'and', 'cmp', 'mov', 'test')
  const property = fc.property(operation, fc.nat(7), fc.integer(), (mnemonic, register, value) => {
    const { a, b } = decodeAll(assembleBytes(`${mnemonic} ${DWORDS[register]}, ${value}`))
    expect([a.kind, a.value, b.kind, b.value | 0]).toEqual([REG, register, IMM, value])
  })
  fc.assert(property, { seed: SEED, numRuns: RUNS })
})
