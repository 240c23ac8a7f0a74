/**
 * What a paging program can do, by SDM vol. 3A 5.10 read literally: translations and directory entries are in the caches of a vCPU because something
 * put them there. At any time it may walk any page ahead, as far as it likes, and an entry may be gone when it is needed. All states are visited one by
 * one. Nothing here knows how src/smp does it; of src, it uses nothing.
 *
 * An access is two steps, after as many as its walk takes: an entry is read, its bits are checked and set, in one.
 */
import { FAULT, isAccess, TABLES, TABLES_BYTES, type AccessOp, type PagingProgram } from './program.ts'
import { endText, type Ends } from './assembly.ts'

export interface ReferenceRules {
  /** Stores wait in a buffer (x86-TSO). */
  readonly buffers: boolean
  readonly tlb: 'none' | 'leaf' | 'pde'
  /** A TLB may hold several translations of a page at a time: `tlbSplit=each`. */
  readonly several: boolean
  /** What walks ahead take of an entry whose accessed bit is clear. */
  readonly ahead: 'no' | 'accessed' | 'any'
}

const P = 1, W = 2, A = 0x20, D = 0x40, PS = 0x80, G = 0x100

/** As a TLB holds it. */
interface Translation {
  readonly page: number
  readonly frame: number
  readonly writable: boolean
  readonly dirty: boolean
  readonly global: boolean
  /** A piece of a large page. */
  readonly large: boolean
}
/** As a paging-structure cache holds it: `region` is where the linear addresses begin that it is about. */
interface CachedEntry {
  readonly region: number
  readonly entry: number
}

type Doing =
  | { readonly what: 'begin' }
  /** A walk has found this directory entry, which names a table. */
  | { readonly what: 'walk'; readonly entry: number }
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

/** The program uses memory that it does not have. */
class Outside extends Error {}

/** Null: there are more states than that, or it leaves its memory. */
export function referenceEnds(program: PagingProgram, rules: ReferenceRules, statesMax: number): Ends | null {
  const ends = new Set<string>()
  const first: State = {
    memory: Object.fromEntries(program.memory),
    vcpus: program.vcpus.map(() => ({ at: -1, doing: BEGIN, root: null, pdpte: 0, pge: false, tlb: [], cached: [], stores: [], results: [] })),
  }
  const seen = new Set([JSON.stringify(first)])
  const open = [first]
  const machine = new Reference(program, rules)
  try {
    for (let state = open.pop(); state !== undefined; state = open.pop()) {
      const next = machine.next(state)
      if (next.length === 0) ends.add(endText(state.vcpus.map(({ results }) => results), wordsOf(state.memory)))
      for (const one of next) {
        const key = JSON.stringify(one)
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
  readonly #rules: ReferenceRules
  readonly #regionBytes: number

  constructor(program: PagingProgram, rules: ReferenceRules) {
    this.#program = program
    this.#rules = rules
    this.#regionBytes = program.pae ? 0x200000 : 0x400000
  }

  next(state: State): State[] {
    const found: State[] = []
    state.vcpus.forEach((vcpu, v) => {
      const put = (changed: Partial<Vcpu>, memory = state.memory) => {
        const vcpus = state.vcpus.map((other, w) => (w === v ? this.#tidy({ ...vcpu, ...changed }, w) : other))
        found.push({ memory, vcpus })
      }
      if (vcpu.stores.length > 0) {
        const [[at, value], ...stores] = vcpu.stores
        put({ stores }, write(state.memory, at, value))
      }
      if (vcpu.root !== null && this.#rules.tlb !== 'none' && this.#rules.ahead !== 'no') this.#ahead(state.memory, vcpu, v, put)
      this.#go(state.memory, vcpu, v, put)
    })
    return found
  }

  // --- walks ahead --------------------------------------------------------------------------------------

  #ahead(memory: Words, vcpu: Vcpu, v: number, put: (changed: Partial<Vcpu>, memory?: Words) => void): void {
    for (const page of this.#pages(v, vcpu.at)) {
      const region = this.#region(page)
      const at = this.#directoryEntry(vcpu, page)
      if (at !== null) {
        const entry = read(memory, at)
        if (this.#isCacheable(entry)) {
          if ((entry & PS) !== 0) put({ tlb: this.#fill(vcpu, this.#large(page, entry, vcpu)) })
          else if (this.#rules.tlb === 'pde') put({ cached: add(vcpu.cached, { region, entry: entry | A }) })
          else this.#pageAhead(memory, vcpu, page, entry, put)
        }
      }
      for (const { region: known, entry } of vcpu.cached) if (known === region) this.#pageAhead(memory, vcpu, page, entry, put)
    }
  }

  #pageAhead(memory: Words, vcpu: Vcpu, page: number, directory: number, put: (changed: Partial<Vcpu>, memory?: Words) => void): void {
    const entry = read(memory, this.#tableEntry(directory, page))
    if (this.#isCacheable(entry)) put({ tlb: this.#fill(vcpu, this.#small(page, directory, entry, vcpu)) })
  }

  /** Entries that are not present are never cached (5.10.2.1, 5.10.3.1). */
  #isCacheable(entry: number): boolean {
    return (entry & P) !== 0 && (this.#rules.ahead === 'any' || (entry & A) !== 0)
  }

  // --- the program --------------------------------------------------------------------------------------

  #go(memory: Words, vcpu: Vcpu, v: number, put: (changed: Partial<Vcpu>, memory?: Words) => void): void {
    const { root, ops } = this.#program.vcpus[v]
    if (vcpu.at === ops.length) return
    const done = { at: vcpu.at + 1, doing: BEGIN }
    const empty = vcpu.stores.length === 0
    if (vcpu.at < 0) {
      if (root === null) put(done)
      else this.#reload(memory, vcpu, root, put, { pge: true })
      return
    }
    const op = ops[vcpu.at]
    if (isAccess(op)) return this.#access(memory, vcpu, op, put)
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
  #reload(memory: Words, vcpu: Vcpu, root: number, put: (changed: Partial<Vcpu>) => void, more: Partial<Vcpu>): void {
    const { doing } = vcpu
    if (this.#program.pae && doing.what === 'begin') return put({ doing: { what: 'reload', pdpte: read(memory, root) } })
    const pdpte = doing.what === 'reload' ? doing.pdpte : 0
    put({ ...more, at: vcpu.at + 1, doing: BEGIN, root, pdpte, cached: [], tlb: vcpu.pge ? vcpu.tlb.filter(({ global }) => global) : [] })
  }

  /** CR4.PGE off and on: everything is gone each time, and with PAE the PDPTEs are read again (SDM vol. 3A 5.4.1). */
  #toggle(memory: Words, vcpu: Vcpu, put: (changed: Partial<Vcpu>) => void): void {
    const { doing } = vcpu
    if (this.#program.pae && doing.what !== 'reload') return put({ doing: { what: 'reload', pdpte: read(memory, vcpu.root!) } })
    const pdpte = doing.what === 'reload' ? doing.pdpte : 0
    const gone = { pdpte, cached: [], tlb: [] }
    put(vcpu.pge ? { ...gone, pge: false, doing: { what: 'off' } } : { ...gone, pge: true, at: vcpu.at + 1, doing: BEGIN })
  }

  #access(memory: Words, vcpu: Vcpu, op: AccessOp, put: (changed: Partial<Vcpu>, memory?: Words) => void): void {
    const { doing } = vcpu
    const writes = op.kind !== 'load'
    const page = op.at & ~0xfff
    const physical = (frame: number) => frame | (op.at & 0xfff)
    const fault = () => put({ ...this.#without(vcpu, op.at), cached: vcpu.cached.filter(({ region }) => region !== this.#region(op.at)), doing: { what: 'fault' } })
    const refused = (writable: boolean) => writes && !writable && this.#program.protects
    /** A walk has come to the last entry, at `at`. */
    const last = (entry: number, at: number, translation: Translation) => {
      if (refused(translation.writable)) return fault()
      const marked = entry | A | (writes ? D : 0)
      put({ doing: { what: 'access', physical: physical(translation.frame) }, tlb: this.#fill(vcpu, { ...translation, dirty: (marked & D) !== 0 }) }, marked === entry ? memory : write(memory, at, marked))
    }
    const finish = (result: number, more: Partial<Vcpu> = {}, changed = memory) => put({ ...more, at: vcpu.at + 1, doing: BEGIN, results: [...vcpu.results, result] }, changed)
    switch (doing.what) {
      case 'begin': {
        if (vcpu.root === null) return this.#use(memory, vcpu, op, op.at, finish)
        for (const one of vcpu.tlb) {
          if (one.page !== page) continue
          if (refused(one.writable)) fault()
          // A store through a translation that is not dirty walks.
          else if (!writes || one.dirty) put({ doing: { what: 'access', physical: physical(one.frame) } })
        }
        for (const { region, entry } of vcpu.cached) if (region === this.#region(page)) put({ doing: { what: 'walk', entry } })
        const at = this.#directoryEntry(vcpu, page)
        const entry = at === null ? 0 : read(memory, at)
        if ((entry & P) === 0) return fault()
        if ((entry & PS) !== 0) return last(entry, at!, this.#large(page, entry, vcpu))
        return put({ doing: { what: 'walk', entry } }, (entry & A) !== 0 ? memory : write(memory, at!, entry | A))
      }
      case 'walk': {
        const at = this.#tableEntry(doing.entry, page)
        const entry = read(memory, at)
        return (entry & P) === 0 ? fault() : last(entry, at, this.#small(page, doing.entry, entry, vcpu))
      }
      case 'access':
        return this.#use(memory, vcpu, op, doing.physical, finish)
      case 'fault':
        return vcpu.stores.length === 0 ? finish(FAULT) : undefined
    }
  }

  /** The access itself, once it is translated. */
  #use(memory: Words, vcpu: Vcpu, op: AccessOp, physical: number, finish: (result: number, more?: Partial<Vcpu>, memory?: Words) => void): void {
    const own = vcpu.stores.findLast(([at]) => at === physical)
    if (op.kind === 'load') return finish(own === undefined ? read(memory, physical) : own[1])
    if (op.kind === 'store') {
      if (this.#rules.buffers) finish(0, { stores: [...vcpu.stores, [inside(physical), op.value]] })
      else finish(0, {}, write(memory, physical, op.value))
      return
    }
    if (vcpu.stores.length > 0) return
    const before = read(memory, physical)
    if (op.kind === 'xchg') finish(before, {}, write(memory, physical, op.value))
    else finish(0, {}, write(memory, physical, op.kind === 'and' ? before & op.value : before | op.value))
  }

  // --- tables and caches --------------------------------------------------------------------------------

  #region(linear: number): number {
    return linear & -this.#regionBytes
  }
  /** Where the directory entry for `linear` stands; null: no directory. */
  #directoryEntry(vcpu: Vcpu, linear: number): number | null {
    if (!this.#program.pae) return vcpu.root! + (linear >>> 22) * 4
    return (vcpu.pdpte & P) === 0 ? null : (vcpu.pdpte & ~0xfff) + ((linear >>> 21) & 0x1ff) * 8
  }
  #tableEntry(directory: number, linear: number): number {
    return (directory & ~0xfff) + (this.#program.pae ? ((linear >>> 12) & 0x1ff) * 8 : ((linear >>> 12) & 0x3ff) * 4)
  }
  #large(page: number, entry: number, { pge }: Vcpu): Translation {
    const frame = ((entry & -this.#regionBytes) | (page & (this.#regionBytes - 1))) & ~0xfff
    return { page, frame, writable: (entry & W) !== 0, dirty: (entry & D) !== 0, global: pge && (entry & G) !== 0, large: true }
  }
  #small(page: number, directory: number, entry: number, { pge }: Vcpu): Translation {
    return { page, frame: entry & ~0xfff, writable: (directory & entry & W) !== 0, dirty: (entry & D) !== 0, global: pge && (entry & G) !== 0, large: false }
  }

  /** One translation of a page, and one of a large page there (5.10.2.3), unless it may hold several. */
  #fill(vcpu: Vcpu, one: Translation): readonly Translation[] {
    if (this.#rules.tlb === 'none') return []
    const rest = this.#rules.several ? vcpu.tlb : vcpu.tlb.filter(({ page, large }) => page !== one.page || large !== one.large)
    return add(rest, one)
  }

  /** INVLPG and page faults drop the translation of an address; a large one whole. */
  #without({ tlb }: Vcpu, linear: number): Pick<Vcpu, 'tlb'> {
    return { tlb: tlb.filter(({ page, large }) => (large ? this.#region(page) !== this.#region(linear) : page !== (linear & ~0xfff))) }
  }

  /** Linear pages that vCPU `v` accesses from its operation `from` on. */
  #pages(v: number, from: number): readonly number[] {
    return [...new Set(this.#program.vcpus[v].ops.slice(Math.max(0, from)).filter(isAccess).map(({ at }) => at & ~0xfff))].sort((a, b) => a - b)
  }

  /** What nothing will ask for any more need not be told apart. */
  #tidy(vcpu: Vcpu, v: number): Vcpu {
    if (vcpu.tlb.length === 0 && vcpu.cached.length === 0) return vcpu
    const pages = this.#pages(v, vcpu.at)
    return { ...vcpu, tlb: vcpu.tlb.filter(({ page }) => pages.includes(page)), cached: vcpu.cached.filter(({ region }) => pages.some((page) => this.#region(page) === region)) }
  }
}

function inside(at: number): number {
  if (at < TABLES || at >= TABLES + TABLES_BYTES) throw new Outside()
  return at
}
const read = (memory: Words, at: number) => memory[inside(at)] ?? 0
const write = (memory: Words, at: number, value: number): Words => ({ ...memory, [inside(at)]: value | 0 })

/** A set in the form of a sorted list. */
function add<T>(list: readonly T[], one: T): readonly T[] {
  const key = JSON.stringify(one)
  if (list.some((other) => JSON.stringify(other) === key)) return list
  return [...list, one].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}
