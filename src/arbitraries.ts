/** fast-check arbitraries for users' own properties: `xmcheck/arbitraries`. */
import fc from 'fast-check'
import type { RelinkLayout } from './patching/relink.ts'
import { RUNGS } from './smp/model.ts'

/** Any rung of the fetch ladder, by its spelling. */
export const fetchRung = (): fc.Arbitrary<string> => fc.constantFrom(...RUNGS)

/** A relink layout: any alignment of the offset in two lines, targets anywhere clear of the site and of each other. */
export const relinkLayout = (): fc.Arbitrary<RelinkLayout> =>
  fc
    .record({
      offset: fc.integer({ min: 0x40_0001, max: 0x40_0080 }),
      from: fc.integer({ min: 0x100_0000, max: 0x7fff_0000 }),
      to: fc.integer({ min: 0x8000_0000, max: 0xfffe_0000 }),
      writer: fc.constantFrom('patcher' as const, 'patcher' as const, 'patcher_bytes' as const, 'patcher_copy' as const),
    })
    .map((layout) => ({ ...layout, name: `offset at 0x${layout.offset.toString(16)}` }))

const REGISTERS = ['eax', 'ecx', 'edx'] as const
const PARTS = { eax: ['al', 'ax'], ecx: ['cl', 'cx'], edx: ['dl', 'dx'] } as const
/** Two dwords in one cache line; `x + 2` overlaps both in part. */
const PLACES = ['x', 'y', 'x + 2', 'y + 1'] as const

/** One instruction of a small program, in the assembler's syntax: plain, sub-dword, locked, fences. */
const instruction = (): fc.Arbitrary<string> =>
  fc
    .tuple(fc.constantFrom(...REGISTERS), fc.constantFrom(...PLACES), fc.integer({ min: 1, max: 0x7fff_ffff }), fc.nat(9))
    .map(([register, place, value, form]) => {
      const [byte, word] = PARTS[register]
      const forms = [
        `mov ${register}, [${place}]`, `mov dword [${place}], ${value}`, `mov ${byte}, [${place}]`, `mov [${place}], ${byte}`,
        `mov word [${place}], ${value & 0xffff}`, `add dword [${place}], ${value}`, `lock add dword [${place}], ${value}`, `xchg ${register}, [${place}]`,
        'mfence', `mov [${place}], ${word}`,
      ]
      return forms[form]
    })

/** A program of two or three vCPUs with a few instructions each over shared memory, as text for `assembleImage`. */
export const smallProgram = (instructionsMax: number = 3): fc.Arbitrary<string> =>
  fc.array(fc.array(instruction(), { minLength: 1, maxLength: instructionsMax }), { minLength: 2, maxLength: 3 }).map((vcpus) => {
    const code = vcpus.map((body, v) => `.vcpu p${v}\np${v}:\n${body.map((line) => `    ${line}`).join('\n')}\n    ret`)
    return `${code.join('\n')}\nsection .data\nalign 64\nx: dd 0\ny: dd 0\n`
  })

/** A schedule of any machine: at each step the choice of that number, modulo how many there are. */
export const anySchedule = (stepsMax: number = 60): fc.Arbitrary<readonly number[]> => fc.array(fc.nat(255), { maxLength: stepsMax })
