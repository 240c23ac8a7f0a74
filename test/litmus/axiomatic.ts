/**
 * Litmus programs judged by axioms, with nothing of the product in it: every way to choose which store each load reads
 * (rf) and in which order the stores of each byte reach memory (co) is written down, and kept where
 *
 * - per byte, po-loc | rf | co | fr is acyclic (coherence), and
 * - ppo | rfe | co | fr is acyclic, where ppo is program order without plain stores before plain loads, unless MFENCE stands
 *   between them (x86-TSO: Owens, Sarkar, Sewell, TPHOLs 2009; herd's x86tso.cat), or all of program order and rf (SC), or
 *   that of TSO without plain stores before plain stores, unless MFENCE or SFENCE stands between them (`any`: PSO).
 *
 * A LOCKed instruction is one node for its load and its store, so nothing comes between them. Accesses of several sizes are
 * one node each, with rf, co and fr by byte.
 */
export interface Place {
  readonly variable: string
  readonly offset: number
  readonly sizeBytes: 1 | 2 | 4
}

export type Step =
  | { readonly kind: 'set'; readonly register: string; readonly value: number }
  | { readonly kind: 'load'; readonly register: string; readonly place: Place }
  | { readonly kind: 'store'; readonly place: Place; readonly value: number | string }
  | { readonly kind: 'fence'; readonly name: 'mfence' | 'sfence' | 'lfence' }
  | { readonly kind: 'add'; readonly place: Place; readonly value: number; readonly locked: boolean }
  | { readonly kind: 'xchg' | 'xadd'; readonly place: Place; readonly register: string }
  /** Compares with EAX. */
  | { readonly kind: 'cmpxchg'; readonly place: Place; readonly register: string }

export interface LitmusProgram {
  readonly variables: Readonly<Record<string, number>>
  readonly threads: readonly (readonly Step[])[]
}

/** A node of the graphs: one instruction's load, store, or (locked) both. */
interface Node {
  readonly thread: number
  readonly step: number
  readonly place: Place
  readonly reads: boolean
  readonly writes: boolean
  readonly locked: boolean
  /** MFENCEs of the thread before it; MFENCEs and SFENCEs. */
  readonly fences: number
  readonly storeFences: number
}

export interface Outcome {
  /** Final states, `0:EAX=1 x=2`, sorted by place, to the number of executions (rf, co) that end in them. */
  readonly states: ReadonlyMap<string, number>
  readonly executions: number
}

export function registersOf(step: Step): string[] {
  if (step.kind === 'store') return typeof step.value === 'string' ? [step.value] : []
  if (step.kind === 'fence' || step.kind === 'add') return []
  return step.kind === 'cmpxchg' ? ['eax', step.register] : [step.register]
}

/** Stands for the initial value. */
const INITIAL = -1
const VARIABLE_BYTES = 4

export function nodesOf(program: LitmusProgram): Node[] {
  const nodes: Node[] = []
  program.threads.forEach((steps, thread) => {
    let fences = 0
    let storeFences = 0
    steps.forEach((step, at) => {
      const add = (place: Place, reads: boolean, writes: boolean, locked = false) => nodes.push({ thread, step: at, place, reads, writes, locked, fences, storeFences })
      if (step.kind === 'fence') {
        if (step.name === 'mfence') fences++
        if (step.name !== 'lfence') storeFences++
      } else if (step.kind === 'load') add(step.place, true, false)
      else if (step.kind === 'store') add(step.place, false, true)
      else if (step.kind === 'add' && !step.locked) {
        add(step.place, true, false)
        add(step.place, false, true)
      } else if (step.kind === 'add' || step.kind === 'xchg' || step.kind === 'xadd' || step.kind === 'cmpxchg') add(step.place, true, true, true)
    })
  })
  return nodes
}

const covers = ({ place }: Node, variable: string, byte: number) => place.variable === variable && byte >= place.offset && byte < place.offset + place.sizeBytes

/** Bytes of a load that have the same writers read the same one: another choice is incoherent, whatever the order of the two. */
function segmentsOf(nodes: readonly Node[], reader: number): { bytes: number[]; writers: number[] }[] {
  const { place } = nodes[reader]
  const segments = new Map<string, { bytes: number[]; writers: number[] }>()
  for (let byte = place.offset; byte < place.offset + place.sizeBytes; byte++) {
    const writers = nodes.flatMap((node, n) => (node.writes && n !== reader && covers(node, place.variable, byte) ? [n] : []))
    const key = writers.join()
    if (!segments.has(key)) segments.set(key, { bytes: [], writers: [INITIAL, ...writers] })
    segments.get(key)!.bytes.push(byte)
  }
  return [...segments.values()]
}

/** Pairs of rf and co there are to try, at most. */
export function candidatesOf(program: LitmusProgram): number {
  const nodes = nodesOf(program)
  let count = 1
  nodes.forEach((node, n) => {
    if (node.reads) for (const { writers } of segmentsOf(nodes, n)) count *= writers.length
  })
  for (const variable of Object.keys(program.variables)) for (let k = nodes.filter((node) => node.writes && node.place.variable === variable).length; k > 1; k--) count *= k
  return count
}

export type Axioms = 'tso' | 'sc' | 'any'

export function judge(program: LitmusProgram, model: Axioms): Outcome {
  const nodes = nodesOf(program)
  const variables = Object.keys(program.variables)
  const choices = nodes.flatMap((node, n) => (node.reads ? segmentsOf(nodes, n).map((segment) => ({ reader: n, ...segment })) : []))
  const states = new Map<string, number>()
  let executions = 0
  /** By node and byte: what a load reads. */
  const rf = nodes.map(() => new Map<number, number>())
  const chooseReads = (k: number) => {
    if (k === choices.length) {
      const final = evaluateProgram(program, nodes, rf)
      if (final === null) return
      const after = nodes.map((node, n) => (final.failed.has(n) ? { ...node, writes: false } : node))
      chooseOrders(after, variables.map((variable) => coherenceOrders(after, variable)), [], final)
      return
    }
    const { reader, bytes, writers } = choices[k]
    for (const writer of writers) {
      for (const byte of bytes) rf[reader].set(byte, writer)
      chooseReads(k + 1)
    }
  }
  const chooseOrders = (after: readonly Node[], orders: readonly number[][][][], co: readonly number[][][], final: Evaluated) => {
    if (co.length < variables.length) {
      for (const order of orders[co.length]) chooseOrders(after, orders, [...co, order], final)
      return
    }
    if (!isConsistent(after, variables, rf, co, model)) return
    executions++
    const state = stateText(program, final, variables, co)
    states.set(state, (states.get(state) ?? 0) + 1)
  }
  chooseReads(0)
  return { states, executions }
}

/** By byte of the variable, its writers in the order in which they reach memory; each such family once. */
function coherenceOrders(nodes: readonly Node[], variable: string): number[][][] {
  const writers = nodes.flatMap((node, n) => (node.writes && node.place.variable === variable ? [n] : []))
  const families = new Map<string, number[][]>()
  for (const order of permutations(writers)) {
    const family = Array.from({ length: VARIABLE_BYTES }, (_, byte) => order.filter((n) => covers(nodes[n], variable, byte)))
    families.set(JSON.stringify(family), family)
  }
  return [...families.values()]
}

function permutations(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]]
  return items.flatMap((item, k) => permutations(items.filter((_, j) => j !== k)).map((rest) => [item, ...rest]))
}

function isConsistent(nodes: readonly Node[], variables: readonly string[], rf: readonly ReadonlyMap<number, number>[], co: readonly number[][][], model: Axioms): boolean {
  const global: [number, number][] = []
  nodes.forEach((a, i) =>
    nodes.forEach((b, j) => {
      if (a.thread !== b.thread || i >= j) return
      const storeThenLoad = a.writes && !a.locked && b.reads && !b.locked
      const storeThenStore = model === 'any' && a.writes && !a.locked && b.writes && !b.locked
      if (model === 'sc' || (storeThenLoad ? b.fences > a.fences : !storeThenStore || b.storeFences > a.storeFences)) global.push([i, j])
    }),
  )
  for (const [v, variable] of variables.entries())
    for (let byte = 0; byte < VARIABLE_BYTES; byte++) {
      const local: [number, number][] = []
      const order = co[v][byte]
      for (let k = 1; k < order.length; k++) local.push([order[k - 1], order[k]])
      const here = nodes.flatMap((node, n) => (covers(node, variable, byte) ? [n] : []))
      for (const reader of here) {
        if (!nodes[reader].reads) continue
        const source = rf[reader].get(byte)!
        const next = order[source === INITIAL ? 0 : order.indexOf(source) + 1]
        // A locked instruction's own store follows its load by construction; any other in between is a cycle.
        if (next !== undefined && next !== reader) local.push([reader, next])
        if (next === reader && nodes[reader].writes) continue
        if (nodes[reader].writes && order.indexOf(reader) !== (source === INITIAL ? 0 : order.indexOf(source) + 1)) return false
      }
      global.push(...local)
      for (const reader of here) {
        const source = nodes[reader].reads ? rf[reader].get(byte)! : INITIAL
        if (source === INITIAL) continue
        local.push([source, reader])
        if (model === 'sc' || nodes[source].thread !== nodes[reader].thread) global.push([source, reader])
      }
      for (const a of here) for (const b of here) if (a < b && nodes[a].thread === nodes[b].thread) local.push([a, b])
      if (hasCycle(nodes.length, local)) return false
    }
  return !hasCycle(nodes.length, global)
}

function hasCycle(count: number, edges: readonly (readonly [number, number])[]): boolean {
  const next: number[][] = Array.from({ length: count }, () => [])
  const incoming = Array.from({ length: count }, () => 0)
  for (const [a, b] of edges) {
    next[a].push(b)
    incoming[b]++
  }
  const free = incoming.flatMap((n, k) => (n === 0 ? [k] : []))
  let done = 0
  for (let node = free.pop(); node !== undefined; node = free.pop()) {
    done++
    for (const b of next[node]) if (--incoming[b] === 0) free.push(b)
  }
  return done < count
}

interface Evaluated {
  readonly registers: readonly ReadonlyMap<string, number>[]
  /** Value that each node writes. */
  readonly written: readonly (number | undefined)[]
  /** Nodes of CMPXCHGs that found another value: they store nothing (that the bus sees what was there again is no news). */
  readonly failed: ReadonlySet<number>
}

/** Values of registers and stores for a choice of rf; null where values depend on themselves, or on a store that is none. */
function evaluateProgram(program: LitmusProgram, nodes: readonly Node[], rf: readonly ReadonlyMap<number, number>[]): Evaluated | null {
  const written: (number | undefined)[] = nodes.map(() => undefined)
  for (let round = 0; round <= nodes.length; round++) {
    let complete = true
    const failed = new Set<number>()
    const registers = program.threads.map((steps, thread) => {
      const values = new Map<string, number | undefined>()
      let n = nodes.findIndex((node) => node.thread === thread)
      const take = () => n++
      const read = (at: number): number | undefined => {
        const { place } = nodes[at]
        let value = 0
        for (let k = 0; k < place.sizeBytes; k++) {
          const byte = place.offset + k
          const source = rf[at].get(byte)!
          const whole = source === INITIAL ? program.variables[place.variable] : written[source]
          if (whole === undefined) return undefined
          value |= ((whole >>> ((byte - (source === INITIAL ? 0 : nodes[source].place.offset)) * 8)) & 0xff) << (k * 8)
        }
        return value >>> 0
      }
      const masked = (value: number | undefined, { sizeBytes }: Place) => (value === undefined ? undefined : (value & (2 ** (sizeBytes * 8) - 1)) >>> 0)
      const sum = (a: number | undefined, b: number | undefined) => (a === undefined || b === undefined ? undefined : (a + b) | 0)
      const value = (register: string) => (values.has(register) ? values.get(register) : 0)
      for (const step of steps) {
        switch (step.kind) {
          case 'set':
            values.set(step.register, step.value)
            break
          case 'load':
            values.set(step.register, read(take()))
            break
          case 'store':
            written[take()] = masked(typeof step.value === 'string' ? value(step.value) : step.value, step.place)
            break
          case 'add': {
            const at = take()
            written[step.locked ? at : take()] = masked(sum(read(at), step.value), step.place)
            break
          }
          case 'xchg':
          case 'xadd': {
            const at = take()
            const old = read(at)
            written[at] = masked(step.kind === 'xchg' ? value(step.register) : sum(old, value(step.register)), step.place)
            values.set(step.register, old)
            break
          }
          case 'cmpxchg': {
            const at = take()
            const old = read(at)
            const expected = value('eax')
            if (old === undefined || expected === undefined) {
              written[at] = undefined
              values.set('eax', undefined)
              break
            }
            written[at] = masked(value(step.register), step.place)
            if ((old | 0) !== (expected | 0)) failed.add(at)
            values.set('eax', old)
          }
        }
      }
      if ([...values.values()].includes(undefined)) complete = false
      return values as Map<string, number>
    })
    if (complete && nodes.every((node, n) => !node.writes || written[n] !== undefined))
      return rf.some((sources) => [...sources.values()].some((source) => failed.has(source))) ? null : { registers, written, failed }
  }
  return null
}

function stateText(program: LitmusProgram, { registers, written }: Evaluated, variables: readonly string[], co: readonly number[][][]): string {
  const nodes = nodesOf(program)
  const places = new Map<string, number>()
  program.threads.forEach((steps, thread) => {
    for (const step of steps) for (const register of registersOf(step)) places.set(`${thread}:${register.toUpperCase()}`, 0)
  })
  registers.forEach((values, thread) => values.forEach((value, register) => places.set(`${thread}:${register.toUpperCase()}`, value | 0)))
  variables.forEach((variable, v) => {
    let value = program.variables[variable]
    for (let byte = 0; byte < VARIABLE_BYTES; byte++) {
      const last = co[v][byte].at(-1)
      if (last === undefined) continue
      const mask = 0xff << (byte * 8)
      value = (value & ~mask) | (((written[last]! >>> ((byte - nodes[last].place.offset) * 8)) & 0xff) << (byte * 8))
    }
    places.set(variable, value | 0)
  })
  return [...places.keys()].sort().map((place) => `${place}=${places.get(place)}`).join(' ')
}
