// Final states and executions of generated litmus tests, from axioms (axiomatic.ts) and from the machine.
// XMCHECK_LITMUS_PROGRAMS=5000 [XMCHECK_SEED=n] npx vitest run test/litmus/axiomatic.test.ts
import { describe, expect, it } from 'vitest'
import { LITMUS_ENGINES, runLitmus, stateText } from '../../src/litmus/run.ts'
import { makeModel } from '../../src/smp/model.ts'
import { judge, type LitmusProgram } from './axiomatic.ts'
import { drawCycle, drawProgram, textOf } from './programs.ts'

const COUNT = Number(process.env.XMCHECK_LITMUS_PROGRAMS ?? 25)
const SEED = Number(process.env.XMCHECK_SEED ?? 1)
const MODELS = { tso: makeModel(), sc: makeModel({ memory: 'sc' }), any: makeModel({ storeOrder: 'any' }) }

function compare(program: LitmusProgram, seed: number, note: string): void {
  const arch = seed % 2 === 0 ? 'X86' : 'X86_64'
  const source = textOf(program, arch)
  for (const memory of ['tso', 'sc', 'any'] as const) {
    const expected = judge(program, memory)
    for (const engine of memory === 'any' ? (['classes'] as const) : LITMUS_ENGINES) {
      const result = runLitmus(source, MODELS[memory], {}, engine)
      const states = new Map(result.states.map(({ all, executions }) => [stateText(all).replace(/(\d:)r(\wx)/g, (_, thread, rest) => `${thread}E${rest.toUpperCase()}`), executions]))
      const what = `${note} seed ${seed} ${memory} ${engine}\n${source}`
      expect([what, result.reasons, [...states].sort()]).toEqual([what, [], [...expected.states].sort()])
      expect([what, result.executions]).toEqual([what, expected.executions])
    }
  }
}

const store = (variable: string, value: number) => ({ kind: 'store' as const, place: { variable, offset: 0, sizeBytes: 4 as const }, value })
const load = (variable: string, register: string) => ({ kind: 'load' as const, place: { variable, offset: 0, sizeBytes: 4 as const }, register })
const variables = { x: 0, y: 0 }

describe('generated litmus tests end as the axioms say, as often', () => {
  const each = (work: (seed: number) => void) => () => {
    for (let k = 0; k < COUNT; k++) work(SEED * 1_000_003 + k)
  }
  it('programs of whole dwords', each((seed) => compare(drawProgram(seed, { mixedSizes: false, candidatesMax: 3000 }), seed, 'dwords')), 3_600_000)
  it('programs of mixed sizes', each((seed) => compare(drawProgram(seed, { mixedSizes: true, candidatesMax: 3000 }), seed, 'mixed')), 3_600_000)
  it('a store behind an SFENCE, after one before it was overtaken', () => {
    const sfence = { kind: 'fence' as const, name: 'sfence' as const }
    const reader = ['z', 'x', 'y'].map((name, k) => load(name, ['eax', 'ebx', 'ecx'][k]))
    compare({ variables: { x: 0, y: 0, z: 0 }, threads: [[store('x', 1), store('y', 1), sfence, store('z', 1)], reader] }, 0, 'groups')
  })
  it('cycles of relations', each((seed) => compare(drawCycle(seed).program, seed, drawCycle(seed).name)), 3_600_000)
})

describe('the axioms', () => {
  it('allow SB under TSO and not under SC', () => {
    const program = { variables, threads: [[store('x', 1), load('y', 'eax')], [store('y', 1), load('x', 'eax')]] }
    expect([judge(program, 'tso').executions, judge(program, 'sc').executions]).toEqual([4, 3])
  })
  it('allow MP where stores overtake, unless SFENCE stands between them', () => {
    const threads = (fences: LitmusProgram['threads'][number]) => [[store('x', 1), ...fences, store('y', 1)], [load('y', 'eax'), load('x', 'ebx')]]
    const count = (name: 'sfence' | 'lfence' | null) => judge({ variables, threads: threads(name === null ? [] : [{ kind: 'fence', name }]) }, 'any').executions
    expect([count(null), count('lfence'), count('sfence')]).toEqual([4, 4, 3])
  })
  it('forbid MP, and n6 only under SC', () => {
    const mp = { variables, threads: [[store('x', 1), store('y', 1)], [load('y', 'eax'), load('x', 'ebx')]] }
    expect([...judge(mp, 'tso').states.keys()].some((state) => state.includes('1:EAX=1 1:EBX=0'))).toBe(false)
    // n6 of Owens, Sarkar, Sewell: a load sees the own store before others do.
    const n6 = { variables, threads: [[store('x', 1), load('x', 'eax'), load('y', 'ebx')], [store('y', 2), store('x', 2)]] }
    const weak = '0:EAX=1 0:EBX=0 x=1 y=2'
    expect([judge(n6, 'tso').states.has(weak), judge(n6, 'sc').states.has(weak)]).toEqual([true, false])
  })
})
