// Beliefs about CR3 against their definition: some load of the word, by whomever, sees something else than the register holds at that moment.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { assembleImage, checkImage, makeModel } from '../src/index.ts'

const RUNS = Number(process.env.XMCHECK_RUNS ?? 50)

interface Step {
  /** MOV to CR3, a plain store, XCHG, a load. */
  readonly kind: 'cr3' | 'store' | 'xchg' | 'load'
  readonly word: 'kept' | 'flag'
  readonly value: number
}
const value = fc.constantFrom(0, 0x5000)
const one: fc.Arbitrary<Step> = fc.record({ kind: fc.constantFrom('cr3', 'store', 'xchg', 'load'), word: fc.constantFrom('kept', 'flag'), value })
const both = (first: 'cr3' | 'xchg', second: 'cr3' | 'xchg') => value.map((value): Step[] => [first, second].map((kind) => ({ kind, word: 'kept', value })))
/** Mostly register and word together: wrong for a moment only. */
const changes = fc.array(fc.oneof(both('cr3', 'xchg'), both('cr3', 'xchg'), both('xchg', 'cr3'), one.map((step) => [step])), { minLength: 1, maxLength: 3 }).map((parts) => parts.flat())
const looks = fc.array(fc.oneof(fc.constantFrom<Step>({ kind: 'load', word: 'kept', value: 0 }, { kind: 'load', word: 'flag', value: 0 }), one), { minLength: 1, maxLength: 2 })
const programs = fc.tuple(changes, looks)

function text({ kind, word, value }: Step): string {
  switch (kind) {
    case 'cr3':
      return `mov eax, ${value}\nmov cr3, eax`
    case 'store':
      return `mov dword [${word}], ${value}`
    case 'xchg':
      return `mov eax, ${value}\nxchg eax, [${word}]`
    case 'load':
      return `mov eax, [${word}]`
  }
}
const source = (vcpus: readonly (readonly Step[])[]) =>
  `.belief 0, kept, cr3\n${vcpus.map((steps, v) => `.vcpu p${v}\np${v}: ${steps.map(text).join('\n')}\nret\n`).join('')}section .data\nalign 64\nkept: dd 0\nflag: dd 0\n`

interface State {
  readonly done: readonly number[]
  readonly buffers: readonly (readonly { readonly word: string; readonly value: number }[])[]
  readonly memory: Readonly<Record<string, number>>
  /** CR3 of vCPU 0. */
  readonly cr3: number
}

/** By all interleavings, each vCPU with a FIFO store buffer of its own. */
function isBelied(vcpus: readonly (readonly Step[])[]): boolean {
  const seen = new Set<string>()
  const from = (state: State): boolean => {
    const key = JSON.stringify(state)
    if (seen.has(key)) return false
    seen.add(key)
    return vcpus.some((steps, v) => {
      const { done, buffers, memory } = state
      const buffer = buffers[v]
      const withBuffer = (own: State['buffers'][number]) => buffers.with(v, own)
      if (buffer.length > 0 && from({ ...state, memory: { ...memory, [buffer[0].word]: buffer[0].value }, buffers: withBuffer(buffer.slice(1)) })) return true
      if (done[v] === steps.length) return false
      const { kind, word, value } = steps[done[v]]
      const next = { ...state, done: done.with(v, done[v] + 1) }
      if (kind === 'store') return from({ ...next, buffers: withBuffer([...buffer, { word, value }]) })
      if (kind === 'load') return (word === 'kept' && (buffer.findLast((one) => one.word === word)?.value ?? memory[word]) !== state.cr3) || from(next)
      if (buffer.length > 0) return false
      return kind === 'xchg' ? from({ ...next, memory: { ...memory, [word]: value } }) : from(v === 0 ? { ...next, cr3: value } : next)
    })
  }
  return from({ done: vcpus.map(() => 0), buffers: vcpus.map(() => []), memory: { kept: 0, flag: 0 }, cr3: 0 })
}

it.each(['graph', 'dpor'] as const)('a belief is violated where some order of events belies it (%s)', (engine) => {
  fc.assert(
    fc.property(programs, (vcpus) => {
      const { violation } = checkImage(assembleImage(source(vcpus), { title: 'beliefs' }), makeModel({ fetch: 'coherent' }), { engine })
      expect(violation?.kind).toBe(isBelied(vcpus) ? 'belief' : undefined)
    }),
    { seed: 7, numRuns: RUNS },
  )
})
