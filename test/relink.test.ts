import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { LAYOUTS, makeModel, parseRung, rungImplies, runCell, RUNGS } from '../src/index.ts'
import { answer } from '../src/patching/relinkAnswer.ts'
import { makeMachine, recordTrace, recordSharing } from '../src/replay/record.ts'

const objects = [{ name: 'relink.o', bytes: new Uint8Array(readFileSync(new URL('../examples/relink.o', import.meta.url))) }]
const verdicts = (cpu: string, layout: (typeof LAYOUTS)[number], vcpus = 2) =>
  new Map(RUNGS.map((fetch) => [fetch, runCell(objects, layout, vcpus, { fetch, cpu })]))

describe.each(['p4', 'p6'])('relink on %s', (cpu) => {
  it.each(LAYOUTS.map((layout) => [layout.name, layout] as const))('%s: as predicted on every rung', (_name, layout) => {
    for (const [fetch, cell] of verdicts(cpu, layout)) expect([fetch, cell.result.verdict, cell.ok]).toEqual([fetch, cell.expected, true])
  })

  it('a violation persists on every weaker rung', () => {
    for (const layout of LAYOUTS) {
      const cells = verdicts(cpu, layout)
      for (const [a, cell] of cells)
        for (const [b, weaker] of cells)
          if (cell.result.verdict === 'violated' && rungImplies(parseRung(a)!, parseRung(b)!)) expect([a, b, weaker.result.verdict]).toEqual([a, b, 'violated'])
    }
  })
})

describe('relink', () => {
  const straddling = LAYOUTS.find((layout) => layout.name === 'across 16 bytes')!

  it('the least counterexample of a straddling offset needs no preemption and one stale choice', () => {
    const { result } = runCell(objects, straddling, 3, { fetch: 'ordered:16' })
    expect(result.cost).toEqual({ preemptions: 0, environment: 1, delays: 0 })
    expect(result.violation!.kind).toBe('illegal-target')
  })

  it('is answered from the verdicts, layout by layout', () => {
    const cellsOf = (name: string, rungs: readonly string[]) => rungs.map((fetch) => runCell(objects, LAYOUTS.find((layout) => layout.name === name)!, 2, { fetch }))
    const cells = [...cellsOf('inside 16 bytes', RUNGS), ...cellsOf('across 16 bytes', RUNGS)]
    expect(answer(cells).slice(1)).toEqual([
      'As kernels take code to be fetched (ordered:16):', '  no: inside 16 bytes', '  yes: across 16 bytes',
      'By how it may be fetched:', '  inside 16 bytes: no up to independent:16, yes from ordered:8 on', '  across 16 bytes: no up to independent:32, yes from ordered:16 on',
      'On strict to execute what was rewritten is the violation, whatever it calls.',
    ])
    const swapped = cells.map((cell) => ({ ...cell, layout: cells.find((other) => other.layout !== cell.layout)!.layout }))
    expect(answer(swapped).slice(2, 4)).toEqual(['  no: across 16 bytes', '  yes: inside 16 bytes'])
    expect(answer(cells.map((cell) => ({ ...cell, result: { ...cell.result, verdict: 'holds', strength: 'bounded', violation: null } })))).toContain('  inside 16 bytes; across 16 bytes: not decided on every rung')
    expect(answer(cellsOf('across a line', ['strict']))).toHaveLength(2)
  })

  it('a torn target is illegal even where it lands on mapped code', () => {
    // The torn displacement (new low half, old high half) leads to the old function's page.
    const layout = { ...straddling, from: 0x1234_5678, to: 0xa9cb_5610 }
    const { result } = runCell(objects, layout, 2, { fetch: 'ordered:16' })
    expect(result.violation!.kind).toBe('illegal-target')
  })

  it('no seed of the random engine contradicts the exhaustive one', () => {
    for (let seed = 1; seed <= 5; seed++)
      for (const fetch of ['coherent', 'ordered:32', 'ordered:16']) {
        const { result, expected } = runCell(objects, straddling, 3, { fetch }, { engine: 'random', seed, executions: 50, stepsMax: 60 })
        expect(result.strength).toBe('sampled')
        if (result.verdict === 'violated') expect(expected).toBe('violated')
      }
  })

  it('a limit never leaves a complete verdict', () => {
    const { result } = runCell(objects, LAYOUTS[0], 4, { fetch: 'single' }, { limits: { events: 3 } })
    expect([result.verdict, result.strength]).not.toEqual(['holds', 'complete'])
  })

  it('a recording replays to the same hashes, and every choice of it matters', () => {
    const { result, image, model } = runCell(objects, LAYOUTS.find((layout) => layout.name === 'across a line')!, 2, { fetch: 'coherent' })
    const trace = recordTrace(image, model, result.sharing, result.schedule!)
    expect(trace.violation!.kind).toBe('illegal-target')
    const known = recordSharing(result.sharing)
    for (let skip = 0; skip < trace.schedule.length; skip++) {
      const machine = makeMachine(image, makeModel(model.knobs), known)
      const enabled = new Int32Array(64)
      trace.schedule.forEach((choice, step) => {
        if (step !== skip && enabled.subarray(0, machine.enabled(enabled)).includes(choice)) machine.take(choice)
      })
      expect(machine.violation).toBeNull()
    }
  })
})

describe('stale fetch', () => {
  it('a byte that a store rewrites with the same value does not hold back its neighbours', () => {
    // The dword store covers the unchanged opcode; chunks of 4 cut the changed bytes behind it.
    const layout = { name: 'copy', offset: 0x40_0006, from: 0x7f40_000a, to: 0x8000_0000, writer: 'patcher_copy' as const }
    expect(runCell(objects, layout, 2, { fetch: 'ordered:4' }).result.violation?.kind).toBe('illegal-target')
  })
})
