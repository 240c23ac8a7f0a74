// Metamorphic properties of one vCPU: a program ends the same wherever it stands (linear and physical), whatever redundant prefixes it carries, split by
// interrupts at every boundary, and with every page taken away before every instruction. (test/cpu/attempts.test.ts stops at every access.)
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { IsaRow } from '../src/cpu/isa.ts'
import { isWhole, program, run, type Instruction, type Program, type Result, type Way } from './instructions.ts'

const RUNS = Number(process.env.XMCHECK_RUNS ?? 150)

const all = () => true
/** What shows where it stands: return addresses, and jumps through registers and memory. */
const placeless = (row: IsaRow) => !/^(call|jmp|ret|retf|iret)$/.test(row.mnemonic) || (row.mnemonic === 'jmp' && row.operands[0][0] === 'J')

/** Runs the program in both ways; true if it got to an end. */
function same(one: Program, other: Program, way: Way): Result | null {
  fc.pre(isWhole(one) && isWhole(other))
  const plain = run(one)
  if (plain.running) return null
  const changed = run(other, way)
  const { end, registers, memory } = changed
  expect({ end, registers, memory }).toEqual({ end: plain.end, registers: plain.registers, memory: plain.memory })
  return changed
}

describe('a program ends the same', () => {
  it('at another alignment, page boundaries in the code included, its pages in other frames', () => {
    fc.assert(
      fc.property(program(placeless), fc.oneof(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 0xfc0, max: 0x1000 })), (one, shift) => {
        same(one, one, { shift, scattered: shift % 2 === 1 })
      }),
      { seed: 21, numRuns: RUNS },
    )
  })

  it('with redundant prefixes', () => {
    // Segments other than CS are alike in this world; an override to CS would forbid writing. F2 and F3 mean nothing to most instructions.
    const prefixes = fc.array(fc.constantFrom(0x26, 0x3e, 0x64, 0x65, 0xf2, 0xf3), { maxLength: 4 })
    const isPlain = ({ row }: Instruction) => !/^(movs|cmps|stos|lods|scas|ins|outs|nop|pause|xchg|[lms]fence|x87|f.*)$/.test(row.mnemonic)
    fc.assert(
      fc.property(program(placeless), fc.array(prefixes, { minLength: 7, maxLength: 7 }), (one, lists) => {
        const instructions = one.instructions.map((instruction, k) => (isPlain(instruction) ? { ...instruction, redundant: lists[k] } : instruction))
        same(one, { ...one, instructions }, {})
      }),
      { seed: 22, numRuns: RUNS },
    )
  })

  it('split by an interrupt at every boundary, between iterations of REP too', () => {
    let injected = 0
    fc.assert(
      fc.property(program(all), (one) => {
        injected += same(one, one, { interrupts: true })?.injected ?? 0
      }),
      { seed: 23, numRuns: RUNS },
    )
    expect(injected).toBeGreaterThan(RUNS)
  })

  it.each([['present', 1], ['writable', 2], ['user', 4]] as const)('with no page %s before any instruction, and each fault restarted', (_name, bit) => {
    fc.assert(fc.property(program(all), (one) => void same(one, one, { faults: bit, scattered: true })), { seed: 24 + bit, numRuns: RUNS })
  })
})
