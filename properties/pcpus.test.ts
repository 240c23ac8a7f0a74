// Generated programs on fewer pCPUs than vCPUs: what the machine and its engines make of them, and what an interpreter of a few lines does.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { explore } from '../src/explore/graph/search.ts'
import { LiveSearch } from '../src/explore/liveness/search.ts'
import { finish } from '../src/explore/explorable.ts'
import { assembleImage, makeModel, sample } from '../src/index.ts'
import { Machine } from '../src/smp/machine.ts'
import { PageMap } from '../src/smp/memory.ts'
import { Sharing } from '../src/smp/sharing.ts'
import { behaviourOf } from './fuzz/reference.ts'

const RUNS = Number(process.env.XMCHECK_RUNS ?? 16)
const LOADS_MAX = 4
const STATES_MAX = 4000

/** `pop` stores what it takes from the stack, `iret` is a fence that does too; `inc` and `xadd` add 1, `xadd` at once; `await` loads until it finds other than 0; `kick` is for the vCPU of that number, `look` sees whether that one has a pCPU. */
type Op = readonly ['store' | 'pop' | 'load' | 'inc' | 'xadd' | 'await', number, number] | readonly ['kick' | 'look' | 'block' | 'yield' | 'fence' | 'iret', number]

/** The hypervisor tells who has a pCPU. */
const isSeen = (scripts: readonly (readonly Op[])[]) => scripts.some((ops) => ops.some(([name]) => name === 'look'))

const CODE: Readonly<Record<Op[0], (op: Op, label: string, result: string) => string>> = {
  store: ([, at, value]) => `mov dword [words+${at * 4}], ${value}`,
  pop: ([, at, value]) => `push ${value}\npop dword [words+${at * 4}]`,
  load: ([, at], _, result) => `mov eax, [words+${at * 4}]\nmov [${result}], eax`,
  inc: ([, at]) => `inc dword [words+${at * 4}]`,
  xadd: ([, at]) => `lock inc dword [words+${at * 4}]`,
  await: ([, at], label) => `${label}: cmp dword [words+${at * 4}], 0\nje ${label}`,
  kick: ([, vcpu]) => `kick ${vcpu}`,
  look: ([, vcpu], _, result) => `movzx eax, byte [flags+${vcpu * 3}]\nmov [${result}], eax`,
  block: () => 'block',
  yield: () => 'yield',
  fence: () => 'mfence',
  iret: (_, label) => `pushf\npush cs\npush ${label}\niret\n${label}:`,
}
const textOf = (scripts: readonly (readonly Op[])[]) =>
  [
    ...scripts.map((_, v) => `.vcpu v${v}`),
    ...scripts.map((ops, v) => `v${v}:\n${ops.map((op, k) => CODE[op[0]](op, `l${v}_${k}`, `results+${(v * LOADS_MAX + k) * 4}`)).join('\n')}\nret`),
    `section .data\nwords: dd 0, 0\nresults: times ${scripts.length * LOADS_MAX} dd 0\nflags: times ${scripts.length * 3} db 0`,
    isSeen(scripts) ? '.steal flags, 3' : '',
  ].join('\n')

interface State {
  readonly words: readonly number[]
  readonly results: readonly number[]
  readonly vcpus: readonly { readonly pc: number; readonly mid: number; readonly kicked: boolean; readonly holds: boolean; readonly buffer: readonly (readonly [number, number])[] }[]
}

/** Where programs can end, and whether they can get stuck: one instruction or half of one at a time, everybody in any order. */
function interpret(scripts: readonly (readonly Op[])[], pcpus: number, sc: boolean): { ends: Set<string>; stuck: boolean } {
  const seen = new Map<string, string[]>()
  const ends = new Set<string>()
  const keyOf = (state: State) => JSON.stringify(state)
  const isTold = isSeen(scripts)
  const start: State = { words: [0, 0], results: scripts.flatMap(() => new Array<number>(LOADS_MAX).fill(0)), vcpus: scripts.map(() => ({ pc: 0, mid: -1, kicked: false, holds: isTold && pcpus >= scripts.length, buffer: [] })) }
  const waits = ({ vcpus }: State, v: number) => {
    const { pc, kicked } = vcpus[v]
    return pc === scripts[v].length || (scripts[v][pc][0] === 'block' && !kicked)
  }
  const settled = (state: State): State => isTold ? state : ({ ...state, vcpus: state.vcpus.map((one, v) => ({ ...one, holds: one.holds && !(waits(state, v) && one.buffer.length === 0) })) })
  const work = [settled(start)]
  for (let state = work.pop(); state !== undefined; state = work.pop()) {
    const key = keyOf(state)
    if (seen.has(key)) continue
    const next: State[] = []
    const { words, results, vcpus } = state
    const held = vcpus.filter(({ holds }) => holds).length
    vcpus.forEach((one, v) => {
      const become = (change: Partial<State['vcpus'][number]>, more: Partial<State> = {}) => {
        const all = more.vcpus ?? vcpus
        next.push({ ...state, ...more, vcpus: all.map((other, u) => (u === v ? { ...other, ...change } : other)) })
      }
      const put = (at: number, value: number) => words.map((old, k) => (k === at ? value : old))
      const { pc, buffer } = one
      if (buffer.length > 0) become({ buffer: buffer.slice(1) }, { words: put(...buffer[0]) })
      if (one.holds && buffer.length === 0 && one.mid < 0) become({ holds: false })
      if (waits(state, v) || !(one.holds || held < pcpus)) return
      // Others see that it runs before it does anything.
      if (isTold && !one.holds) return become({ holds: true })
      const op = scripts[v][pc]
      const done = { pc: pc + 1, mid: -1, holds: true }
      const empty = buffer.length === 0
      const read = (at: number) => buffer.findLast(([place]) => place === at)?.[1] ?? words[at]
      // Sequential consistency: a store is in memory before anything follows.
      if (sc && !empty) return
      if (op[0] === 'store' || op[0] === 'pop') become({ ...done, buffer: [...buffer, [op[1], op[2]]] })
      else if (op[0] === 'load') become(done, { results: results.map((old, k) => (k === v * LOADS_MAX + pc ? read(op[1]) : old)) })
      else if (op[0] === 'look') become(done, { results: results.map((old, k) => (k === v * LOADS_MAX + pc ? (vcpus[op[1]].holds ? 0 : 1) : old)) })
      else if (op[0] === 'inc') become(one.mid < 0 ? { mid: read(op[1]), holds: true } : { ...done, buffer: [...buffer, [op[1], one.mid + 1]] })
      else if (op[0] === 'xadd') empty && become(done, { words: put(op[1], words[op[1]] + 1) })
      else if (op[0] === 'await') become(read(op[1]) === 0 ? { holds: true } : done)
      else if (op[0] === 'block') become({ ...done, kicked: false })
      else if (op[0] === 'fence' || op[0] === 'iret' || op[0] === 'yield') empty && become({ ...done, holds: op[0] !== 'yield' })
      else if (empty) become(done, { vcpus: vcpus.map((other, u) => (u === op[1] ? { ...other, kicked: true } : other)) })
    })
    if (next.length === 0 && vcpus.every(({ pc }, v) => pc === scripts[v].length)) ends.add([...words, ...results].join())
    const after = next.map(settled)
    seen.set(key, after.map(keyOf))
    work.push(...after)
  }
  // Who can end from where, backwards.
  const hopeful = new Set([...seen].filter(([key, after]) => after.length === 0 && (JSON.parse(key) as State).vcpus.every(({ pc }, v) => pc === scripts[v].length)).map(([key]) => key))
  for (let size = -1; size !== hopeful.size; ) {
    size = hopeful.size
    for (const [key, after] of seen) if (after.some((one) => hopeful.has(one))) hopeful.add(key)
  }
  return { ends, stuck: hopeful.size < seen.size }
}

const anyOp = (vcpus: number): fc.Arbitrary<Op> => {
  const at = fc.integer({ min: 0, max: 1 })
  return fc.oneof(
    { weight: 6, arbitrary: fc.tuple(fc.constantFrom('store' as const, 'pop' as const), at, fc.integer({ min: 1, max: 2 })) },
    { weight: 5, arbitrary: fc.tuple(fc.constantFrom('load' as const, 'inc' as const, 'xadd' as const), at, fc.constant(0)) },
    { weight: 2, arbitrary: fc.tuple(fc.constantFrom('await' as const), at, fc.constant(0)) },
    { weight: 2, arbitrary: fc.tuple(fc.constantFrom('kick' as const), fc.integer({ min: 0, max: vcpus - 1 })) },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom('look' as const), fc.integer({ min: 0, max: vcpus - 1 })) },
    { weight: 2, arbitrary: fc.tuple(fc.constantFrom('block' as const, 'yield' as const, 'fence' as const, 'iret' as const), fc.constant(0)) },
  )
}
const anyProgram = fc.integer({ min: 2, max: 3 }).chain((vcpus) =>
  fc.record({
    scripts: fc.array(fc.array(anyOp(vcpus), { minLength: 1, maxLength: vcpus === 2 ? LOADS_MAX : 2 }), { minLength: vcpus, maxLength: vcpus }),
    pcpus: fc.integer({ min: 1, max: vcpus }),
    memory: fc.constantFrom('tso', 'sc'),
  }),
)

/** A store overtaken; what comes between two instructions of which one takes from the stack; a waiter that is in the writer's way. */
const EXAMPLES: readonly Op[][][] = [
  [[['store', 0, 1], ['load', 1, 0]], [['store', 1, 1], ['load', 0, 0], ['load', 0, 0]]],
  [[['store', 0, 1], ['iret', 0], ['load', 1, 0]], [['store', 1, 1], ['iret', 0], ['load', 0, 0]]],
  [[['load', 0, 0], ['pop', 0, 1]], [['load', 0, 0], ['pop', 0, 2], ['load', 0, 0]]],
  [[['load', 1, 0], ['store', 0, 1]], [['await', 0, 0]]],
  [[['block', 0]], [['load', 0, 0]]],
  [[['xadd', 0, 0]], [['look', 0], ['load', 0, 0], ['look', 0], ['load', 0, 0]]],
  [[['await', 0, 0]], [['look', 0], ['look', 1], ['store', 0, 1], ['look', 0]]],
  [[['block', 0]], [['look', 0], ['kick', 0], ['look', 0]]],
]

it('end as an interpreter says, in all engines, and hang where it says', () => {
  let hung = 0
  let differs = 0
  fc.assert(
    fc.property(anyProgram, ({ scripts, pcpus, memory }) => {
      const image = assembleImage(textOf(scripts), { title: 'generated' })
      const pages = new PageMap(image.regions)
      const sharing = new Sharing(pages.sizeBytes / 4, image.vcpus.length)
      const make = (count: number) => () => new Machine(image, makeModel({ memory, pcpus: count }), { sharing, pages })
      const at = image.symbols.find(({ name }) => name === 'words')!.address
      const endOf = ({ memory: bytes }: Machine) => Array.from({ length: 2 + scripts.length * LOADS_MAX }, (_, k) => bytes.load(bytes.index(at + k * 4), 4)).join()
      const expected = interpret(scripts, pcpus, memory === 'sc')
      const behaviour = behaviourOf(make(pcpus), endOf, STATES_MAX)
      fc.pre(behaviour !== null)
      expect(behaviour!.ends).toEqual(expected.ends)
      expect(behaviour!.stuck || behaviour!.violations.size > 0).toBe(expected.stuck)
      const graph = explore(make(pcpus), {})
      if (behaviour!.violations.size === 0) expect([graph.verdict, graph.states]).toEqual(['holds', behaviour!.states])
      const live = finish(new LiveSearch(make(pcpus), make(pcpus), {}, 'auto')).verdict
      expect(live).toBe(expected.stuck ? 'violated' : 'holds')
      if (behaviour!.violations.size === 0) expect(sample(make(pcpus), { seed: 1, executions: 10, stepsMax: 200 }).violation).toBeNull()
      if (expected.stuck) hung++
      if (behaviour!.ends.size < (behaviourOf(make(0), endOf, STATES_MAX)?.ends.size ?? 0)) differs++
    }),
    { seed: 3, numRuns: RUNS, examples: EXAMPLES.flatMap((scripts) => (isSeen(scripts) ? [1, scripts.length] : [1]).map((pcpus) => [{ scripts, pcpus, memory: 'tso' }])) },
  )
  expect([hung > 0, differs > 0]).toEqual([true, true])
})
