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
