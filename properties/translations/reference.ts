/**
 * What a paging program can do, by SDM vol. 3A 5.10 read literally: translations and directory entries are in the caches of a vCPU because something
 * put them there. At any time it may walk any page ahead, as far as it likes, and an entry may be gone when it is needed. All states are visited one by
 * one. Nothing here knows how src/smp does it; of src, it uses nothing.
 *
 * An access is one step, after as many as its walk takes: reading an entry, setting bits of one.
 */
import { clearedIn, FAULT, isAccess, numberIn, TABLES, TABLES_BYTES, type AccessOp, type Op, type PagingProgram } from './program.ts'
import { endText, type Ends } from './assembly.ts'

export interface ReferenceRules {
  /** Stores wait in a buffer (x86-TSO). */
  readonly buffers: boolean
  readonly tlb: 'none' | 'leaf' | 'pde'
  /** A TLB for fetches and one for data; one for both; or any number of them. */
  readonly tlbSplit: 'split' | 'unified' | 'each'
  /** Walks ahead of accesses: go through entries that have A set; or set it. */
  readonly ahead: 'accessed' | 'any'
}

const P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100

/** A locked update of an entry, if it still is what was read. */
interface Mark {
  readonly at: number
  readonly entry: number
  readonly bits: number
}
/** As a TLB holds it. */
interface Translation {
  readonly page: number
  readonly frame: number
  readonly writable: boolean
  readonly user: boolean
  readonly dirty: boolean
  readonly global: boolean
  /** A piece of a large page. */
  readonly large: boolean
  /** In the TLB for fetches, where there are two. */
  readonly fetch: boolean
}
/** As a paging-structure cache holds it: `region` is where the linear addresses begin that it is about. */
interface CachedEntry {
  readonly region: number
  readonly entry: number
}

type Doing =
  | { readonly what: 'begin' }
  /** An entry has changed before its bits were set: the walk is made again, from the same directory entry in a cache or, null, from memory. */
  | { readonly what: 'again'; readonly cached: number | null }
  /** A walk has found this directory entry, which names a table; in memory at `at`, or in a cache: null. */
  | { readonly what: 'walk'; readonly entry: number; readonly at: number | null }
  /** It has found what it looked for, and has these bits to set. */
  | { readonly what: 'mark'; readonly marks: readonly Mark[]; readonly found: Translation; readonly cached: number | null }
  | { readonly what: 'access'; readonly physical: number }
  /** A fault is taken as soon as the stores are in memory. */
  | { readonly what: 'fault' }
  /** MOV CR3 and the like have read this PDPTE. */
  | { readonly what: 'reload'; readonly pdpte: number }
  /** CR4.PGE is off. */
  | { readonly what: 'off' }
const BEGIN: Doing = { what: 'begin' }

interface Vcpu {
  readonly at: number
  readonly doing: Doing
  readonly root: number | null
  readonly pdpte: number
  readonly pge: boolean
  readonly tlb: readonly Translation[]
  readonly cached: readonly CachedEntry[]
  readonly stores: readonly (readonly [number, number])[]
  readonly results: readonly number[]
}
type Words = Readonly<Record<number, number>>
interface State {
  readonly memory: Words
  readonly vcpus: readonly Vcpu[]
}

type Put = (changed: Partial<Vcpu>, memory?: Words) => void

/** What a vCPU accesses: a page, through one of its TLBs. */
type Use = Pick<Translation, 'page' | 'fetch'>
/** Each instruction of the code that is executed is fetched: the first says which code it is. */
type Access = Exclude<AccessOp, { kind: 'execute' }> | { readonly kind: 'first'; readonly at: number } | { readonly kind: 'second'; readonly at: number }
type Step = Exclude<Op, { kind: 'execute' }> | Access
const stepsOf = (op: Op): readonly Step[] => (op.kind !== 'execute' ? [op] : [{ kind: 'first', at: op.at }, { kind: 'second', at: op.at }])
const isStep = (op: Step): op is Access => op.kind === 'first' || op.kind === 'second' || isAccess(op)

/** The program uses memory that it does not have, or executes what is no code. */
class Outside extends Error {}

/** Null: there are more states than that, or it leaves its memory. */
export function referenceEnds(program: PagingProgram, rules: ReferenceRules, statesMax: number): Ends | null {
  const ends = new Set<string>()
  const first: State = {
    memory: Object.fromEntries(program.memory),
    vcpus: program.vcpus.map(() => ({ at: -1, doing: BEGIN, root: null, pdpte: 0, pge: false, tlb: [], cached: [], stores: [], results: [] })),
  }
  const texts = new WeakMap<object, string>()
  /** Most states share most of what they consist of. */
  const textOf = (part: object) => {
    const known = texts.get(part) ?? JSON.stringify(part)
    texts.set(part, known)
    return known
  }
  const keyOf = ({ memory, vcpus }: State) => [memory, ...vcpus].map(textOf).join()
  const seen = new Set([keyOf(first)])
  const open = [first]
  const machine = new Reference(program, rules)
  try {
    for (let state = open.pop(); state !== undefined; state = open.pop()) {
      const next = machine.next(state)
      if (machine.hasEnded(state)) ends.add(endText(state.vcpus.map(({ results }) => results), wordsOf(state.memory), rules.tlb !== 'none' && rules.ahead === 'any'))
      for (const one of next) {
        const key = keyOf(one)
        if (seen.has(key)) continue
        if (seen.size === statesMax) return null
        seen.add(key)
        open.push(one)
      }
    }
  } catch (error) {
    if (error instanceof Outside) return null
    throw error
  }
  return { ends, states: seen.size }
}

function* wordsOf(memory: Words): Iterable<readonly [number, number]> {
  for (const at of Object.keys(memory)) if (memory[Number(at)] !== 0) yield [Number(at), memory[Number(at)]]
}

class Reference {
  readonly #program: PagingProgram
  readonly #ops: readonly (readonly Step[])[]
  readonly #rules: ReferenceRules
  readonly #regionBytes: number
  readonly #entryBytes: number
  /** Some entry may have A clear. */
  readonly #clears: boolean

  constructor(program: PagingProgram, rules: ReferenceRules) {
    this.#program = program
    this.#ops = program.vcpus.map(({ ops }) => ops.flatMap(stepsOf))
    this.#rules = rules
    this.#regionBytes = program.pae ? 0x200000 : 0x400000
    this.#entryBytes = program.pae ? 8 : 4
    this.#clears = clearedIn(program) !== 'nowhere'
  }

  hasEnded({ vcpus }: State): boolean {
    return vcpus.every(({ at, stores }, v) => at === this.#ops[v].length && stores.length === 0)
  }

  next(state: State): State[] {
    const found: State[] = []
    state.vcpus.forEach((vcpu, v) => {
      const put = (changed: Partial<Vcpu>, memory = state.memory) => {
        // A cache that holds it already.
        if (changed.doing === undefined && (changed.tlb === vcpu.tlb || changed.cached === vcpu.cached)) return
        const vcpus = state.vcpus.map((other, w) => (w === v ? this.#tidy({ ...vcpu, ...changed }, w) : other))
        found.push({ memory, vcpus })
      }
      if (vcpu.stores.length > 0) {
        const [[at, value], ...stores] = vcpu.stores
        put({ stores }, write(state.memory, at, value))
      }
      if (vcpu.root !== null && this.#rules.tlb !== 'none') this.#ahead(state.memory, vcpu, v, put)
      this.#go(state.memory, vcpu, v, put)
    })
    return found
  }

  // --- walks ahead --------------------------------------------------------------------------------------

  #ahead(memory: Words, vcpu: Vcpu, v: number, put: Put): void {
    const directory = this.#directory(vcpu)
    const present = [...wordsOf(memory)].filter(([, entry]) => (entry & P) !== 0)
    const wanted = new Set(this.#uses(v, vcpu.at).map(({ page }) => this.#region(page)))
    const tables = new Set(vcpu.cached.map(({ entry }) => entry & ~0xfff))
    for (const [at, entry] of present) {
      if ((at & ~0xfff) !== directory || (entry & PS) !== 0 || (entry & A) === 0) continue
      tables.add(entry & ~0xfff)
      const region = ((at - directory) / this.#entryBytes) * this.#regionBytes
      // Where nobody accesses anything it matters only as the way to other entries.
      if (this.#rules.tlb === 'pde' && (this.#clears || wanted.has(region))) put({ cached: add(vcpu.cached, { region, entry }) })
    }
    if (this.#rules.ahead === 'any')
      for (const [at, entry] of present) if ((entry & A) === 0 && ((at & ~0xfff) === directory || tables.has(at & ~0xfff))) put({}, write(memory, at, entry | A))
    for (const use of this.#uses(v, vcpu.at)) {
      const { page } = use
      const at = this.#directoryEntry(vcpu, page)
      const entry = at === null ? 0 : read(memory, at)
      if ((entry & (P | A | PS)) === (P | A | PS)) put({ tlb: this.#fill(vcpu, this.#large(use, entry, vcpu)) })
      for (const one of this.#tablesOf(vcpu, page, entry)) {
        const last = read(memory, this.#tableEntry(one, page))
        if ((last & (P | A)) === (P | A)) put({ tlb: this.#fill(vcpu, this.#small(use, one, last, vcpu)) })
      }
    }
  }

  /** Directory entries from which a walk ahead for `page` may go on; `present`: the one in memory. */
  #tablesOf(vcpu: Vcpu, page: number, present: number): number[] {
    const cached = vcpu.cached.filter(({ region }) => region === this.#region(page)).map(({ entry }) => entry)
    return (present & (P | A | PS)) === (P | A) ? [...cached, present] : cached
  }

  // --- the program --------------------------------------------------------------------------------------

  #go(memory: Words, vcpu: Vcpu, v: number, put: Put): void {
    const { root, user } = this.#program.vcpus[v]
    const ops = this.#ops[v]
    if (vcpu.at === ops.length) return
    const done = { at: vcpu.at + 1, doing: BEGIN }
    const empty = vcpu.stores.length === 0
    if (vcpu.at < 0) {
      if (root === null) put(done)
      else this.#reload(memory, vcpu, root, put, { pge: true })
      return
    }
    const op = ops[vcpu.at]
    if (isStep(op)) return this.#access(memory, vcpu, user, op, put)
    // All others wait until the stores are in memory.
    if (!empty) return
    switch (op.kind) {
      case 'mfence':
        return put(done)
      case 'invlpg':
        return put({ ...done, ...this.#without(vcpu, op.at), cached: [] })
      case 'cr3':
        return this.#reload(memory, vcpu, op.root, put, {})
      case 'pge':
        return this.#toggle(memory, vcpu, put)
    }
  }

  /** A new root, or paging is switched on: PDPTEs are read, then all but global translations are gone. */
  #reload(memory: Words, vcpu: Vcpu, root: number, put: Put, more: Partial<Vcpu>): void {
    const { doing } = vcpu
    if (this.#program.pae && doing.what === 'begin') return put({ doing: { what: 'reload', pdpte: read(memory, root) } })
    const pdpte = doing.what === 'reload' ? doing.pdpte : 0
    put({ ...more, at: vcpu.at + 1, doing: BEGIN, root, pdpte, cached: [], tlb: vcpu.pge ? vcpu.tlb.filter(({ global }) => global) : [] })
  }

  /** CR4.PGE off and on: everything is gone each time, and with PAE the PDPTEs are read again (SDM vol. 3A 5.4.1). */
  #toggle(memory: Words, vcpu: Vcpu, put: Put): void {
    const { doing } = vcpu
    if (this.#program.pae && doing.what !== 'reload') return put({ doing: { what: 'reload', pdpte: read(memory, vcpu.root!) } })
    const pdpte = doing.what === 'reload' ? doing.pdpte : 0
    const gone = { pdpte, cached: [], tlb: [] }
    put(vcpu.pge ? { ...gone, pge: false, doing: { what: 'off' } } : { ...gone, pge: true, at: vcpu.at + 1, doing: BEGIN })
  }

  #access(memory: Words, vcpu: Vcpu, inRing3: boolean, op: Access, put: Put): void {
    const { doing } = vcpu
    const writes = op.kind !== 'load' && op.kind !== 'first' && op.kind !== 'second'
    const use = this.#useOf(op)
    const { page } = use
    const physical = (frame: number) => frame | (op.at & 0xfff)
    const fault = () => put({ ...this.#without(vcpu, op.at), cached: vcpu.cached.filter(({ region }) => region !== this.#region(op.at)), doing: { what: 'fault' } })
    const refused = ({ writable, user }: Translation) => (inRing3 && !user) || (writes && !writable && (inRing3 || this.#program.protects))
    /** A walk through these entries has found something. An access that faults sets no bits. */
    const last = (entries: readonly Mark[], found: Translation) => {
      if (refused(found)) return fault()
      const marks = entries.filter(({ entry, bits }) => (bits & ~entry) !== 0)
      put({ doing: { what: 'mark', marks, found: writes ? { ...found, dirty: true } : found, cached: doing.what === 'walk' && doing.at === null ? doing.entry : null } })
    }
    const bits = writes ? A | D : A
    const finish = (result: number, more: Partial<Vcpu> = {}, changed = memory) => {
      const { at, results } = vcpu
      if (op.kind !== 'second') put({ ...more, at: at + (op.kind === 'first' && result === FAULT ? 2 : 1), doing: BEGIN, results: [...results, result] }, changed)
      else put({ at: at + 1, doing: BEGIN, results: result === FAULT ? [...results.slice(0, -1), FAULT] : results })
    }
    /** Begins a walk, with this directory entry from a cache or, null, at the one in memory. */
    const walkFrom = (cached: number | null) => {
      if (cached !== null) return put({ doing: { what: 'walk', entry: cached, at: null } })
      const at = this.#directoryEntry(vcpu, page)
      const entry = at === null ? 0 : read(memory, at)
      if ((entry & P) === 0) return fault()
      if ((entry & PS) !== 0) return last([{ at: at!, entry, bits }], this.#large(use, entry, vcpu))
      return put({ doing: { what: 'walk', entry, at } })
    }
    switch (doing.what) {
      case 'begin':
        if (vcpu.root === null) return this.#use(memory, vcpu, op, op.at, finish)
        // What the caches hold may be gone when it is needed.
        for (const one of vcpu.tlb) {
          if (one.page !== page || one.fetch !== use.fetch) continue
          if (refused(one)) fault()
          // A store through a translation that is not dirty walks.
          else if (!writes || one.dirty) put({ doing: { what: 'access', physical: physical(one.frame) } })
        }
        for (const { region, entry } of vcpu.cached) if (region === this.#region(page)) walkFrom(entry)
        return walkFrom(null)
      case 'again':
        return walkFrom(doing.cached)
      case 'walk': {
        const at = this.#tableEntry(doing.entry, page)
        const entry = read(memory, at)
        if ((entry & P) === 0) return fault()
        const first = doing.at === null ? [] : [{ at: doing.at, entry: doing.entry, bits: A }]
        return last([...first, { at, entry, bits }], this.#small(use, doing.entry, entry, vcpu))
      }
      case 'mark': {
        const [mark, ...marks] = doing.marks
        if (mark === undefined) return put({ doing: { what: 'access', physical: physical(doing.found.frame) }, tlb: this.#fill(vcpu, doing.found) })
        if (read(memory, mark.at) !== mark.entry) return put({ doing: { what: 'again', cached: doing.cached } })
        return put({ doing: { ...doing, marks } }, write(memory, mark.at, mark.entry | mark.bits))
      }
      case 'access':
        return this.#use(memory, vcpu, op, doing.physical, finish)
      case 'fault':
        return vcpu.stores.length === 0 ? finish(FAULT) : undefined
    }
  }

  /** The access itself, once it is translated. */
  #use(memory: Words, vcpu: Vcpu, op: Access, physical: number, finish: (result: number, more?: Partial<Vcpu>, memory?: Words) => void): void {
    if (op.kind === 'first' || op.kind === 'second') {
      const number = numberIn(read(memory, physical))
      if (number === null) throw new Outside()
      return finish(number)
    }
    const own = vcpu.stores.findLast(([at]) => at === physical)
    if (op.kind === 'load') return finish(own === undefined ? read(memory, physical) : own[1])
    if (op.kind === 'store') {
      if (this.#rules.buffers) finish(0, { stores: [...vcpu.stores, [inside(physical), op.value]] })
      else finish(0, {}, write(memory, physical, op.value))
      return
    }
    if (vcpu.stores.length > 0) return
    const before = read(memory, physical)
    if (op.kind === 'cmpxchg') finish(before, {}, before === op.expected ? write(memory, physical, op.value) : memory)
    else if (op.kind === 'xchg') finish(before, {}, write(memory, physical, op.value))
    else finish(0, {}, write(memory, physical, op.kind === 'and' ? before & op.value : before | op.value))
  }

  // --- tables and caches --------------------------------------------------------------------------------

  #region(linear: number): number {
    return linear & -this.#regionBytes
  }
  /** Null: there is none. All addresses are in the first gigabyte. */
  #directory({ root, pdpte }: Vcpu): number | null {
    if (!this.#program.pae) return root
    return (pdpte & P) === 0 ? null : pdpte & ~0xfff
  }
  /** Where the directory entry for `linear` stands. */
  #directoryEntry(vcpu: Vcpu, linear: number): number | null {
    const directory = this.#directory(vcpu)
    return directory && directory + Math.floor(linear / this.#regionBytes) * this.#entryBytes
  }
  #tableEntry(directory: number, linear: number): number {
    return (directory & ~0xfff) + ((linear & (this.#regionBytes - 1)) >>> 12) * this.#entryBytes
  }
  #large({ page, fetch }: Use, entry: number, { pge }: Vcpu): Translation {
    const frame = ((entry & -this.#regionBytes) | (page & (this.#regionBytes - 1))) & ~0xfff
    return { page, frame, writable: (entry & W) !== 0, user: (entry & U) !== 0, dirty: (entry & D) !== 0, global: pge && (entry & G) !== 0, large: true, fetch }
  }
  #small({ page, fetch }: Use, directory: number, entry: number, { pge }: Vcpu): Translation {
    return { page, frame: entry & ~0xfff, writable: (directory & entry & W) !== 0, user: (directory & entry & U) !== 0, dirty: (entry & D) !== 0, global: pge && (entry & G) !== 0, large: false, fetch }
  }

  /** One translation of a page, and one of a large page there (5.10.2.3), unless it may hold several. */
  #fill(vcpu: Vcpu, one: Translation): readonly Translation[] {
    if (this.#rules.tlb === 'none') return []
    if (vcpu.tlb.some((other) => other.page === one.page && same(other, one))) return vcpu.tlb
    const rest = this.#rules.tlbSplit === 'each' ? vcpu.tlb : vcpu.tlb.filter(({ page, large, fetch }) => page !== one.page || large !== one.large || fetch !== one.fetch)
    return add(rest, one)
  }

  /** INVLPG and page faults drop the translation of an address; a large one whole. */
  #without({ tlb }: Vcpu, linear: number): Pick<Vcpu, 'tlb'> {
    return { tlb: tlb.filter(({ page, large }) => (large ? this.#region(page) !== this.#region(linear) : page !== (linear & ~0xfff))) }
  }

  #useOf({ kind, at }: Access): Use {
    return { page: at & ~0xfff, fetch: this.#rules.tlbSplit === 'split' && (kind === 'first' || kind === 'second') }
  }

  /** What vCPU `v` accesses from its operation `from` on. */
  #uses(v: number, from: number): readonly Use[] {
    return this.#ops[v].slice(Math.max(0, from)).filter(isStep).reduce<readonly Use[]>((uses, op) => add(uses, this.#useOf(op)), [])
  }

  /** What nothing will ask for any more need not be told apart. */
  #tidy(vcpu: Vcpu, v: number): Vcpu {
    if (vcpu.tlb.length === 0 && vcpu.cached.length === 0) return vcpu
    const uses = this.#uses(v, vcpu.at)
    const tlb = vcpu.tlb.filter((one) => uses.some(({ page, fetch }) => page === one.page && fetch === one.fetch))
    return { ...vcpu, tlb, cached: this.#clears ? vcpu.cached : vcpu.cached.filter(({ region }) => uses.some(({ page }) => this.#region(page) === region)) }
  }
}

function inside(at: number): number {
  if (at < TABLES || at >= TABLES + TABLES_BYTES) throw new Outside()
  return at
}
const read = (memory: Words, at: number) => memory[inside(at)] ?? 0
const write = (memory: Words, at: number, value: number): Words => ({ ...memory, [inside(at)]: value | 0 })

const same = <T>(one: T, other: T) => JSON.stringify(one) === JSON.stringify(other)

/** A set in the form of a sorted list. */
function add<T>(list: readonly T[], one: T): readonly T[] {
  if (list.some((other) => same(other, one))) return list
  return [...list, one].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}
