// pv_ops in every form do the same: generated scripts of operations, each call site in a form of its own, patched in the middle. What spoils
// that (an operation that changes after patching, a rule about clobbered registers left out) is caught exactly where a script comes by it.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { judgeForms } from '../test/lazy/images.ts'

/** As catalogue/P/P06.c numbers them; sites 4 and 5 are pte_val and make_pte. */
const PATCH = 8
const [INDIRECT, DIRECT, INLINE] = [0, 1, 2]
type Script = [site: number, argument: number][]

const steps = fc.array(fc.tuple(fc.nat({ max: 7 }), fc.integer({ min: 1, max: 0xffff }).map((frame) => (frame << 12) | 0x63)), { minLength: 1, maxLength: 7 })
const anyRun = fc.record({
  script: fc.tuple(steps, steps).map(([before, after]): Script => [...before, [PATCH, 0], ...after]),
  forms: fc.array(fc.constantFrom(INDIRECT, DIRECT, INLINE), { minLength: 8, maxLength: 8 }),
})
/** Sites that the script passes once they are patched. */
const passed = (script: Script) => script.slice(script.findIndex(([site]) => site === PATCH) + 1).map(([site]) => site)

describe('call sites of pv_ops', () => {
  it.each(['', '-XEN', '-NATIVE_DEFAULT', '-CHANGE-AGAIN'])('do the same in every form%s', (defines) => {
    fc.assert(fc.property(anyRun, ({ script, forms }) => void expect(judgeForms(defines, script, forms)).toBeNull()), { numRuns: 10, seed: 4 })
  })

  /** Where `spoils` says that a site does something else in that form. */
  const caught = (defines: string, spoils: (site: number, form: number) => boolean) => {
    const fates = new Set<boolean>()
    fc.assert(
      fc.property(anyRun, ({ script, forms }) => {
        const isSpoilt = passed(script).some((site) => spoils(site, forms[site]))
        fates.add(isSpoilt)
        expect(judgeForms(defines, script, forms) !== null).toBe(isSpoilt)
      }),
      { numRuns: 20, seed: 9 },
    )
    expect(fates.size).toBe(2)
  }
  it('call what was there, where the operation changes after they were patched', () => caught('-CHANGE', (site, form) => (site === 4 || site === 5) && form !== INDIRECT))
  // What is saved around a call is not around the code that replaces it. Inline code of irq_disable clobbers nothing.
  it('clobber what they may not, without the rule', () => caught('-XEN-XM_PV_NO_CLOBBER_RULE', (site, form) => (site === 1 ? form === DIRECT : (site === 0 || site === 3) && form !== INDIRECT)))
})
