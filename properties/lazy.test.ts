// Lazy modes show in nothing: generated kernel work, carried out at once and in lazy mode with flushes where the protocol puts them, cannot
// be told apart by the guest. A flush that is taken away or moved across its boundary is caught, exactly where something depended on it.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { judgeRegisterScript, judgeScript } from '../test/lazy/images.ts'
import { anyRegisterScript, anyScript, outcome, withoutFlush, type Step } from './lazyScripts.ts'

const DIFFERENT = /seen\[0\]\[n\] == seen\[1\]\[n\]/
const differs = (script: readonly Step[]) => outcome(script, false) !== outcome(script, true)

const WORK = {
  'kernel work': { scripts: anyScript, judged: judgeScript, watched: true },
  'the LDT, CR4 and DR7': { scripts: anyRegisterScript, judged: (script: readonly Step[]) => judgeRegisterScript(script), watched: false },
} as const

describe.each(Object.entries(WORK))('%s in lazy mode', (_, { scripts, judged, watched }) => {
  it('is what it is without, flushed as the protocol says', () => {
    // Every second with monitors that watch what is queued, and have nothing to say.
    fc.assert(fc.property(scripts, fc.boolean(), (script, isWatched) => void expect(judged(script, watched && isWatched)).toBeNull()), { numRuns: 15, seed: 11 })
  })

  it('is not, where a flush is missing or late and something depended on it', () => {
    let caught = 0
    fc.assert(
      // Mutants that the model says can be told apart, where there are any; every fourth is whatever comes.
      fc.property(scripts, fc.nat(), (script, pick) => {
        const mutants = withoutFlush(script)
        fc.pre(mutants.length > 0)
        const apart = pick % 4 === 0 ? [] : mutants.filter(differs)
        const from = apart.length > 0 ? apart : mutants
        const mutant = from[pick % from.length]
        const violation = judged(mutant)
        if (differs(mutant)) {
          caught++
          expect(violation).toMatch(DIFFERENT)
          if (watched && caught % 4 === 0) expect(judged(mutant, true)).not.toBeNull()
        } else expect(violation).toBeNull()
      }),
      { numRuns: 30, seed: 12 },
    )
    expect(caught).toBeGreaterThan(15)
  })
})
