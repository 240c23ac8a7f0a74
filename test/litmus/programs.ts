/** Litmus programs for tests: drawn at random, or from cycles of relations as diy makes them; and their text in either dialect. */
import { generator } from '../../src/explore/generator.ts'
import { candidatesOf, type LitmusProgram, type Place, type Step } from './axiomatic.ts'

const VARIABLES = ['x', 'y', 'z']
const REGISTERS = ['eax', 'ebx', 'ecx', 'edx']
const whole = (variable: string): Place => ({ variable, offset: 0, sizeBytes: 4 })

export interface DrawOptions {
  readonly mixedSizes: boolean
  /** Pairs of rf and co at the most: what the axiomatic checker has to try. */
  readonly candidatesMax: number
}

export function drawProgram(seed: number, { mixedSizes, candidatesMax }: DrawOptions): LitmusProgram {
  const random = generator(seed)
  const below = (n: number) => (random() >>> 8) % n
  const of = <T>(list: readonly T[]) => list[below(list.length)]
  for (;;) {
    const variables = VARIABLES.slice(0, mixedSizes ? 1 + below(2) : 1 + below(3))
    const place = (): Place => {
      const sizeBytes = mixedSizes ? of([1, 2, 4, 4] as const) : 4
      return { variable: of(variables), offset: sizeBytes * below(4 / sizeBytes), sizeBytes }
    }
    let next = 1
    // Different bytes, so that a mixture shows.
    const value = () => (mixedSizes ? Math.imul(next++, 0x01020305) & 0x7fffffff : next++)
    const step = (): Step => {
      const kind = below(16)
      if (kind < 5) return { kind: 'load', register: of(REGISTERS), place: place() }
      if (kind < 10) return { kind: 'store', place: place(), value: below(4) === 0 ? of(REGISTERS) : value() }
      if (kind === 10) return { kind: 'fence', name: 'mfence' }
      if (kind === 11) return { kind: 'fence', name: of(['mfence', 'sfence', 'lfence'] as const) }
      if (kind === 12) return { kind: 'add', place: place(), value: value(), locked: below(2) === 0 }
      if (kind === 13) return { kind: 'xchg', place: whole(of(variables)), register: of(REGISTERS) }
      if (kind === 14) return { kind: 'xadd', place: whole(of(variables)), register: of(REGISTERS) }
      return { kind: 'cmpxchg', place: whole(of(variables)), register: of(REGISTERS.slice(1)) }
    }
    const threads = Array.from({ length: 2 + below(2) }, () => {
      const steps = Array.from({ length: 1 + below(4) }, step)
      return below(3) === 0 ? [{ kind: 'set' as const, register: of(REGISTERS), value: 1 + below(7) }, ...steps] : steps
    })
    const initial = Object.fromEntries(variables.map((variable) => [variable, below(3) === 0 ? value() : 0]))
    const program = { variables: initial, threads }
    const candidates = candidatesOf(program)
    if (candidates > 1 && candidates <= candidatesMax) return program
  }
}

/** One relation of a cycle: what stands before and after it, and whether it leads to another thread, another variable. */
interface Edge {
  readonly name: string
  readonly from: 'W' | 'R'
  readonly to: 'W' | 'R'
  readonly external: boolean
  readonly fence: 'none' | 'mfence' | 'lfence' | 'sfence'
}
const EDGES: readonly Edge[] = [
  { name: 'Rfe', from: 'W', to: 'R', external: true, fence: 'none' },
  { name: 'Fre', from: 'R', to: 'W', external: true, fence: 'none' },
  { name: 'Wse', from: 'W', to: 'W', external: true, fence: 'none' },
  ...(['none', 'mfence', 'lfence', 'sfence'] as const).flatMap((fence) =>
    (['W', 'R'] as const).flatMap((from) => (['W', 'R'] as const).map((to) => ({ name: `${fence === 'none' ? 'Pod' : fence}${from}${to}`, from, to, external: false, fence }))),
  ),
]

/** A cycle of 2 to 4 threads, each with two accesses to different variables: SB, MP, IRIW and all that lies between. */
export function drawCycle(seed: number): { readonly name: string; readonly program: LitmusProgram } {
  const random = generator(seed ^ 0x5bd1e995)
  const below = (n: number) => (random() >>> 8) % n
  const count = 2 + below(3)
  for (;;) {
    const edges = Array.from({ length: count * 2 }, (_, k) => EDGES.filter(({ external }) => external === (k % 2 === 1))).map((list) => list[below(list.length)])
    if (!edges.every((edge, k) => edge.to === edges[(k + 1) % edges.length].from)) continue
    // Access 2k opens thread k, the edge 2k leads through it, the edge 2k+1 to the next thread and keeps the variable.
    const variableOf = (access: number) => `v${((access + 1) >> 1) % count}`
    let next = 1
    const threads = Array.from({ length: count }, (_, k): Step[] => {
      const access = (n: number, kind: 'W' | 'R', register: string): Step =>
        kind === 'R' ? { kind: 'load', register, place: whole(variableOf(n)) } : { kind: 'store', place: whole(variableOf(n)), value: next++ }
      const { from, to, fence } = edges[2 * k]
      return [access(2 * k, from, 'eax'), ...(fence === 'none' ? [] : [{ kind: 'fence' as const, name: fence }]), access(2 * k + 1, to, 'ebx')]
    })
    return { name: edges.map(({ name }) => name).join(' '), program: { variables: Object.fromEntries(Array.from({ length: count }, (_, k) => [`v${k}`, 0])), threads } }
  }
}

export function textOf({ variables, threads }: LitmusProgram, arch: 'X86' | 'X86_64', name = 'drawn'): string {
  const columns = threads.map((steps) => steps.map((step) => (arch === 'X86' ? intel(step) : att(step))))
  const rows = Array.from({ length: Math.max(...columns.map((column) => column.length)) }, (_, k) => ` ${columns.map((column) => column[k] ?? '').join(' | ')} ;`)
  const initial = Object.entries(variables).map(([variable, value]) => `${variable}=${value};`).join(' ')
  return `${arch} ${name}\n{ ${initial} }\n ${threads.map((_, k) => `P${k}`).join(' | ')} ;\n${rows.join('\n')}\nlocations [${Object.keys(variables).join('; ')}]\nforall true\n`
}

const part = (register: string, { sizeBytes }: Place) => (sizeBytes === 4 ? register : sizeBytes === 2 ? register.slice(1) : `${register[1]}l`)

function intel(step: Step): string {
  const memory = ({ variable, offset, sizeBytes }: Place) => `${{ 1: 'byte ', 2: 'word ', 4: '' }[sizeBytes]}[${variable}${offset > 0 ? `+${offset}` : ''}]`
  switch (step.kind) {
    case 'set':
      return `MOV ${step.register.toUpperCase()},$${step.value}`
    case 'load':
      return `${step.place.sizeBytes === 4 ? 'MOV' : 'MOVZX'} ${step.register.toUpperCase()},${memory(step.place)}`
    case 'store':
      return `MOV ${memory(step.place)},${typeof step.value === 'string' ? part(step.value, step.place).toUpperCase() : `$${cut(step.value, step.place)}`}`
    case 'fence':
      return step.name.toUpperCase()
    case 'add':
      return `${step.locked ? 'LOCK ' : ''}ADD ${memory(step.place)},$${cut(step.value, step.place)}`
    default:
      return `${step.kind === 'xchg' ? '' : 'LOCK; '}${step.kind.toUpperCase()} ${memory(step.place)},${step.register.toUpperCase()}`
  }
}

function att(step: Step): string {
  const memory = ({ variable, offset }: Place) => `${offset > 0 ? offset : ''}(${variable})`
  const suffix = ({ sizeBytes }: Place) => ({ 1: 'b', 2: 'w', 4: 'l' })[sizeBytes]
  switch (step.kind) {
    case 'set':
      return `movl $${step.value},%${step.register}`
    case 'load':
      return `${step.place.sizeBytes === 4 ? 'movl' : `movz${suffix(step.place)}l`} ${memory(step.place)},%${step.register}`
    case 'store':
      return `mov${suffix(step.place)} ${typeof step.value === 'string' ? `%${part(step.value, step.place)}` : `$${cut(step.value, step.place)}`},${memory(step.place)}`
    case 'fence':
      return step.name
    case 'add':
      return `${step.locked ? 'lock ' : ''}add${suffix(step.place)} $${cut(step.value, step.place)},${memory(step.place)}`
    case 'xchg':
      return `xchgl %${step.register},${memory(step.place)}`
    default:
      return `lock; ${step.kind}l %${step.register},${memory(step.place)}`
  }
}

/** A number that fits the place. */
const cut = (value: number, { sizeBytes }: Place) => (sizeBytes === 4 ? value : value & (2 ** (sizeBytes * 8) - 1))
