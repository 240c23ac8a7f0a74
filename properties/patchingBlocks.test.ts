// The blocks that patch by data (static calls and keys, batches, pv_ops), under interrupts and NMIs of the vCPU that patches: old or new, as the
// model promises it; and violated exactly where the oracle says so when a synchronisation is left out.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LONG } from '../test/long.ts'
import { anyUse, BLOCKS, judgeBlock, ownStores, predictBlock, type BlockUse } from './patchingBlocks.ts'
import { rungs } from './patchingProtocols.ts'

const RUNS = Number(process.env.XMCHECK_RUNS ?? 3)
/** A search that would take longer decides nothing here. */
const EVENTS = RUNS > 3 ? 30_000 : 5_000

describe('a block, under interrupts of the same vCPU', () => {
  it('is violated exactly where the model does not promise old or new', () => {
    fc.assert(
      fc.property(anyUse, rungs, ownStores, (use, rung, own) => {
        const verdict = judgeBlock(use, rung, own, EVENTS)
        if (verdict !== undefined) expect(verdict).toBe(predictBlock(use, rung, own))
      }),
      { numRuns: RUNS, seed: 11 },
    )
  }, 600_000)

  const ALL = { sync1: true, sync2: true, sync3: true }
  const use = (block: keyof typeof BLOCKS, without: Partial<BlockUse['steps']> = {}): BlockUse => ({ block, offsets: [30, 62], apart: 0x201, steps: { ...ALL, ...without }, caller: 'irq' })
  const needed = (block: keyof typeof BLOCKS) => (['sync1', 'sync2', 'sync3'] as const).filter((one) => predictBlock(use(block, { [one]: false }), 'byte', 'lag') === 'violated')
  it('needs the synchronisations that it makes', () => {
    const blocks = Object.keys(BLOCKS) as (keyof typeof BLOCKS)[]
    for (const block of blocks) expect(predictBlock(use(block), 'byte', 'lag'), block).toBe('holds')
    expect(Object.fromEntries(blocks.map((block) => [block, needed(block).join()]))).toEqual({
      'text_poke, call to call': 'sync1,sync2,sync3',
      'text_poke, NOP to jump': 'sync1,sync2,sync3',
      // A breakpoint that is looked up in a table is known for ever, so that nobody needs to be past it.
      'batch of a call and a NOP': 'sync1,sync2',
      'static call': 'sync1,sync2,sync3',
      // What ends in RET has no other bytes that matter.
      'static call to nothing, tail': 'sync1,sync3',
      'static key, there and back': 'sync1,sync2',
      'pv_ops, indirect to direct': 'sync1,sync2,sync3',
    })
  })
  it.each((Object.keys(BLOCKS) as (keyof typeof BLOCKS)[]).flatMap((block) => needed(block).map((one) => [block, one] as const)).slice(0, LONG ? Infinity : 0))(
    '%s is violated without %s',
    (block, one) => {
      const verdict = judgeBlock(use(block, { [one]: false }), 'byte', 'lag', 400_000)
      // Two pokes, one after the other: what is forgotten in between is found late.
      expect(block.startsWith('static call') && one === 'sync3' ? (verdict ?? 'violated') : verdict).toBe('violated')
    },
    120_000,
  )
})
