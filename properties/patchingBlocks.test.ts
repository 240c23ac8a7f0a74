// All blocks, under interrupts and NMIs of the vCPU that patches and beside another vCPU: old or new, as the model promises it; and violated exactly
// where the oracle says so when a synchronisation is left out.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LONG } from '../test/long.ts'
import { anySees, anyUse, judgeBlock, predictBlock, type BlockUse } from './blockUses.ts'
import { BLOCKS, type Block } from './patchingBlocks.ts'
import { rungs } from './patchingProtocols.ts'

const RUNS = Number(process.env.XMCHECK_RUNS ?? 6)
/** A search that would take longer decides nothing here. */
const EVENTS = RUNS > 6 ? 150_000 : 2_000

describe('a block, in use', () => {
  it('is violated exactly where the model does not promise old or new', () => {
    const counts = { holds: 0, violated: 0, cut: 0 }
    fc.assert(
      fc.property(anyUse, rungs, anySees, (use, rung, sees) => {
        const verdict = judgeBlock(use, rung, sees, EVENTS)
        counts[verdict ?? 'cut']++
        if (verdict !== undefined) expect(verdict).toBe(predictBlock(use, rung, sees))
      }),
      { numRuns: RUNS, seed: 11 },
    )
    expect(counts.holds).toBeGreaterThan(0)
    expect(counts.violated).toBeGreaterThan(2)
  }, 3_600_000)

  const ALL = { sync1: true, sync2: true, sync3: true }
  const LAGS = { ownStores: 'lag', smcMatch: 'linear' } as const
  const blocks = Object.keys(BLOCKS) as (keyof typeof BLOCKS)[]
  const use = (block: keyof typeof BLOCKS, claims: boolean, without: Partial<BlockUse['steps']> = {}): BlockUse =>
    ({ block, offsets: [30, 62], apart: 0x201, steps: { ...ALL, ...without }, where: BLOCKS[block].where[0], claims, late: false }) // prettier-ignore
  const isStep = ({ steps }: Block, one: keyof BlockUse['steps']) => steps === undefined || steps.includes(one)
  const needed = (block: keyof typeof BLOCKS, claims: boolean) =>
    (['sync1', 'sync2', 'sync3'] as const).filter((one) => isStep(BLOCKS[block], one) && predictBlock(use(block, claims, { [one]: false }), 'byte', LAGS) === 'violated')
  const withEach = (block: keyof typeof BLOCKS, claims: boolean) => (predictBlock(use(block, claims), 'byte', LAGS) === 'holds' ? needed(block, claims).join() : 'torn')
  it('needs the synchronisations that it makes: not to run what is half written; and besides, nothing old in the end', () => {
    expect(Object.fromEntries(blocks.map((block) => [block, [withEach(block, false), withEach(block, true)].join('; ')]))).toEqual({
      'text_poke, call to call': 'sync1,sync2,sync3; sync1,sync2,sync3',
      'text_poke, NOP to jump': 'sync1,sync2,sync3; sync1,sync2,sync3',
      'text_poke through an alias': 'sync1,sync2,sync3; sync1,sync2,sync3',
      // A breakpoint that is looked up in a table is known for ever, so that nobody needs to be past it.
      'batch of a call and a NOP': 'sync1,sync2; sync1,sync2,sync3',
      'static call': 'sync1,sync2,sync3; sync1,sync2,sync3',
      // What ends in RET has no other bytes that matter.
      'static call to nothing, tail': 'sync1,sync3; sync1,sync3',
      'static key, there and back': 'sync1,sync2; sync1,sync2,sync3',
      'pv_ops, indirect to direct': 'sync1,sync2,sync3; sync1,sync2,sync3',
      // Interrupts off.
      'pv_ops, while one vCPU runs': 'sync1; sync1',
      'relink by one store': 'torn; torn',
      'call site that links itself': 'torn; torn',
      'self-loop guard': 'torn; torn',
      'LOCK prefix': '; sync3',
      'plain copy': 'torn; torn',
      stop_machine: 'sync3; sync3',
      // The handler that completes it, and serialises.
      'copy that NMI handlers complete': 'sync1; sync1',
      'probe, stepped over': '; sync3',
      'probe, boosted': '; sync3',
      'probe, optimised and back': 'sync1,sync2; sync1,sync2,sync3',
    })
  })
  const missing = blocks.flatMap((block) => needed(block, true).map((one) => [block, one] as const))
  // What stands there before the first is found latest.
  it.each(missing.filter(([block, one]) => LONG || one !== 'sync1' || block === blocks[0]))('%s is violated without %s', (block, one) => {
    expect(judgeBlock(use(block, true, { [one]: false }), 'byte', LAGS, 400_000)).toBe('violated')
  })
})
