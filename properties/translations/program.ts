/**
 * Small programs about page tables: up to three vCPUs that edit entries, invalidate, and access memory through linear pages. They are data, so that
 * the machine (assembly.ts) and the reference (reference.ts) can each make of them what they make of them.
 *
 * ```
 * physical  0x200000  dir0, dir1, table0, table1, frame1, frame2, frame3, roots     a page each
 * linear    0-4 MB    as physical, by large pages that nobody edits (regions of 4 MB, with PAE two of 2 MB)
 *           4 MB      region 0, by an entry of the directory; of its pages those are used that a large page would put at the physical ones above
 *           8 MB      region 1, the same
 * ```
 *
 * `roots` are the four entries that CR3 points to with PAE, for each directory.
 */
import fc from 'fast-check'

/** What a register holds after an access that faults. */
export const FAULT = 0xfa17

export const TABLES = 0x200000
export const TABLES_BYTES = 0x8000
const PAGE_NUMBERS = { dir0: 0, dir1: 1, table0: 2, table1: 3, frame1: 4, frame2: 5, frame3: 6, roots: 7 } as const
type Page = keyof typeof PAGE_NUMBERS
export const pageAt = (page: Page) => TABLES + PAGE_NUMBERS[page] * 4096

export type Op =
  /** `at`: a linear address; physical for a vCPU without paging. */
  | { readonly kind: 'load' | 'invlpg'; readonly at: number }
  /** Executes the code of a frame, which says which one it is. */
  | { readonly kind: 'execute'; readonly at: number }
  | { readonly kind: 'store' | 'xchg' | 'and' | 'or'; readonly at: number; readonly value: number }
  | { readonly kind: 'cmpxchg'; readonly at: number; readonly expected: number; readonly value: number }
  | { readonly kind: 'cr3'; readonly root: number }
  /** CR4.PGE off and on again. */
  | { readonly kind: 'pge' | 'mfence' }
export type AccessOp = Extract<Op, { readonly at: number }> & { readonly kind: 'load' | 'execute' | 'store' | 'xchg' | 'and' | 'or' | 'cmpxchg' }
export const isAccess = (op: { readonly kind: string }): op is AccessOp => 'at' in op && op.kind !== 'invlpg'

export interface PagingProgram {
  readonly pae: boolean
  /** CR0.WP. */
  readonly protects: boolean
  /** Dwords that are not 0 at first: physical address, value. */
  readonly memory: readonly (readonly [number, number])[]
  /** `root`: what CR3 is, null: paging is off. `user`: it goes to ring 3 once paging is on. */
  readonly vcpus: readonly { readonly root: number | null; readonly user: boolean; readonly ops: readonly Op[] }[]
}

// --- where things are -----------------------------------------------------------------------------------

const REGIONS = [0x400000, 0x800000] as const
interface Places {
  readonly entryBytes: number
  /** Of an entry that maps a large page from 0 on, or from the tables on. */
  readonly large: number
  /** Index of a region's entry in its directory; of the entry of the page at `pageAt(page)` in a table. */
  indexOf(region: 0 | 1): number
  slotOf(page: Page): number
  /** Of the linear page that a large one would put at `pageAt(page)`. */
  linear(region: 0 | 1, page: Page): number
  readonly roots: readonly [number, number]
}
function placesOf(pae: boolean): Places {
  const entryBytes = pae ? 8 : 4
  const regionBytes = pae ? 0x200000 : 0x400000
  const large = pae ? TABLES : 0
  const linear = (region: 0 | 1, page: Page) => REGIONS[region] + pageAt(page) - large
  return {
    entryBytes, large, linear,
    indexOf: (region) => REGIONS[region] / regionBytes,
    slotOf: (page) => (pageAt(page) - large) >>> 12,
    roots: pae ? [pageAt('roots'), pageAt('roots') + 32] : [pageAt('dir0'), pageAt('dir1')],
  }
}

// --- generators -----------------------------------------------------------------------------------------

/** P, W, U, A, D, and G; without W, D or G; or A. */
const FLAGS = [0x67, 0x67, 0x67, 0x65, 0x27, 0x167]
const CLEAR = [0x47, 0x07]
const SYSTEM = [0x63, 0x63]
export const ACCESSED = 0x20
const LARGE = 0x80
/** In a page: where data stand, not where any entry does that matters if the page is a table. */
const DATA = 0x40
const CODE = 0x80
/** mov eax, N; jmp ebp. */
const codeOf = (n: number) => [(n << 8) | 0xb8, 0xe5ff00]
/** N, of the first word of such code; null: it is none. */
export const numberIn = (word: number) => ((word & 0xff) === 0xb8 ? word >>> 8 : null)

/** Where entries may have A clear: there are present ones to begin with, or such are stored, or A is taken away. */
export function clearedIn({ memory, vcpus }: PagingProgram): 'nowhere' | 'tables' | 'directories' {
  const isClear = (value: number) => value > 0xf && (value & (1 | ACCESSED)) === 1
  const clears = (op: Op) => 'value' in op && op.at !== pageAt('roots') && (op.kind === 'and' ? (op.value & ACCESSED) === 0 : isClear(op.value))
  const isLast = (at: number, value: number) => (at >= pageAt('table0') && at < pageAt('frame1')) || (value & (1 | LARGE)) === (1 | LARGE)
  const places = [...memory.filter(([at, value]) => at < pageAt('frame1') && isClear(value)), ...vcpus.flatMap(({ ops }) => ops.flatMap((op) => ('value' in op && clears(op) ? [[op.at, op.value] as const] : [])))]
  return places.length === 0 ? 'nowhere' : places.every(([at, value]) => isLast(at, value)) ? 'tables' : 'directories'
}

/** @param vcpus at most; @param length of the list of operations of one, at most */
export function anyPagingProgram(vcpus: number, length: number): fc.Arbitrary<PagingProgram> {
  const sometimes = fc.constantFrom(true, false, false)
  return fc.record({ pae: fc.boolean(), clears: sometimes, hasUser: sometimes, isNarrow: fc.boolean() }).chain((kind) => programsOf(kind, vcpus, length))
}

interface Kind {
  readonly pae: boolean
  /** Some entries have A clear. */
  readonly clears: boolean
  /** The first vCPU is in ring 3; U is clear in some entries. */
  readonly hasUser: boolean
  /** One vCPU accesses two pages of one region and invalidates, the others edit what leads there: more of such programs show something. */
  readonly isNarrow: boolean
}

function programsOf({ pae, clears, hasUser, isNarrow }: Kind, vcpus: number, length: number): fc.Arbitrary<PagingProgram> {
  const anyFlags = fc.constantFrom(...FLAGS, ...(clears ? CLEAR : []), ...(hasUser ? SYSTEM : []))
  const places = placesOf(pae)
  const { entryBytes, indexOf, slotOf, linear, roots } = places
  const entryTo = (...pages: Page[]) => fc.tuple(fc.constantFrom(...pages), anyFlags).map(([page, flags]) => pageAt(page) | flags)
  const none = fc.constant(0)
  const large = anyFlags.map((flags) => places.large | LARGE | flags)
  const inDirectory = fc.oneof({ weight: 2, arbitrary: none }, { weight: 4, arbitrary: entryTo('table0', 'table1') }, { weight: 2, arbitrary: large }, { weight: 2, arbitrary: entryTo('dir0') })
  const inTable = fc.oneof({ weight: 2, arbitrary: none }, { weight: 6, arbitrary: entryTo('frame1', 'frame2', 'frame3') }, { weight: 1, arbitrary: entryTo('table0', 'dir0') })

  // Most of what a program does is about the same page, or nobody would notice.
  const often = <T>(first: T, ...rest: readonly T[]) => isNarrow ? fc.constantFrom(first, first, rest[0]) : fc.oneof({ weight: 3, arbitrary: fc.constant(first) }, { weight: 2, arbitrary: fc.constantFrom(first, ...rest) })
  const directoryEntries = ((isNarrow ? [[0, 'dir0'], [0, 'dir0'], [0, 'dir1']] : [[0, 'dir0'], [1, 'dir0'], [0, 'dir1']]) as [0 | 1, Page][]).map(([region, dir]) => pageAt(dir) + indexOf(region) * entryBytes) as [number, number, number]
  const slot = (page: Page) => slotOf(page) * entryBytes
  const tableEntries = ((isNarrow ? [['table0', 'frame1'], ['table1', 'frame1'], ['table0', 'frame2'], ['table1', 'frame2']] : [['table0', 'frame1'], ['table0', 'frame2'], ['table1', 'frame1'], ['table0', 'table0']]) as [Page, Page][]).map(([table, page]) => pageAt(table) + slot(page)) as [number, number, number, number]
  const data = [linear(0, 'frame1'), linear(0, 'frame2'), linear(0, 'frame2'), linear(1, 'frame1')].map((page) => page + DATA) as [number, number, number, number]
  // Of the entry of frame1 in table0: through an entry of that table for itself or a large page; through a directory that names itself, which shows that table as a page.
  const aliases = [linear(0, 'table0') + slot('frame1'), linear(1, 'table0') + slot('frame1'), REGIONS[1] + indexOf(0) * 4096 + slot('frame1')]
  const directoryAlias = REGIONS[1] + indexOf(1) * 4096 + indexOf(0) * entryBytes

  const store = fc.constantFrom('store' as const, 'store' as const, 'store' as const, 'xchg' as const)
  const mask = fc.oneof(
    fc.record({ kind: fc.constant('and' as const), value: fc.constantFrom(~1, ~2, ~0x40, ~0x100, ...(hasUser ? [~4] : []), ...(clears ? [~ACCESSED] : [])) }),
    fc.record({ kind: fc.constant('or' as const), value: fc.constantFrom(2, 0x40, 0x100, ...(hasUser ? [4] : [])) }),
  )
  /** Expects what stood there at first, with or without A; or something else. */
  const exchange = (at: fc.Arbitrary<number>, value: fc.Arbitrary<number>): fc.Arbitrary<Op> => fc.record({ kind: fc.constant('cmpxchg' as const), at, expected: value, value })
  const changeOf = (at: fc.Arbitrary<number>, value: fc.Arbitrary<number>): fc.Arbitrary<Op> =>
    fc.oneof({ weight: 4, arbitrary: fc.record({ kind: store, at, value }) }, { weight: 1, arbitrary: exchange(at, value) }, { weight: 1, arbitrary: fc.tuple(mask, at).map(([what, place]) => ({ ...what, at: place })) })
  /** Edits through the mapping that nobody changes, or with paging off. */
  const edit = fc.oneof(
    { weight: 3, arbitrary: changeOf(often(...tableEntries), inTable) },
    { weight: 3, arbitrary: changeOf(often(...directoryEntries), inDirectory) },
    ...(pae ? [{ weight: 1, arbitrary: fc.constantFrom('dir0' as const, 'dir1' as const).map((page): Op => ({ kind: 'store', at: roots[0], value: pageAt(page) | 1 })) }] : []),
  )
  const load = (at: fc.Arbitrary<number>) => fc.record({ kind: fc.constant('load' as const), at })
  const look = load(fc.constantFrom(...tableEntries.slice(0, 2), directoryEntries[0], pageAt('frame1') + DATA))
  const use = fc.oneof(
    { weight: 5, arbitrary: load(often(...data)) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('execute' as const), at: often(...data).map((at) => at - DATA + CODE) }) },
    { weight: 3, arbitrary: fc.record({ kind: store, at: often(...data), value: fc.integer({ min: 8, max: 9 }) }) },
    { weight: 1, arbitrary: load(fc.constantFrom(...aliases, directoryAlias)) },
    { weight: 2, arbitrary: changeOf(fc.constantFrom(...aliases), inTable) },
    { weight: 1, arbitrary: changeOf(fc.constant(directoryAlias), inDirectory) },
  )
  const invalidation: fc.Arbitrary<Op> = fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('invlpg' as const), at: often(...data, ...aliases) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('cr3' as const), root: fc.constantFrom(roots[0], roots[0], roots[1]) }) },
    { weight: 1, arbitrary: fc.constant<Op>({ kind: 'pge' }) },
  )
  const fence = fc.constant<Op>({ kind: 'mfence' })
  const op = isNarrow ? fc.oneof({ weight: 3, arbitrary: load(often(...data)) }, { weight: 1, arbitrary: use }, { weight: 2, arbitrary: invalidation }) : fc.oneof({ weight: 5, arbitrary: use }, { weight: 2, arbitrary: edit }, { weight: 2, arbitrary: invalidation }, { weight: 1, arbitrary: look })
  const plain = fc.oneof({ weight: 5, arbitrary: edit }, { weight: 1, arbitrary: look }, { weight: 1, arbitrary: fence })
  const lengths = { minLength: 1, maxLength: length, size: 'max' } as const
  const pager = fc.record({ root: fc.constant(roots[0]), user: fc.constant(false), ops: fc.array(op, lengths) })
  const first = hasUser ? fc.record({ root: fc.constant(roots[0]), user: fc.constant(true), ops: fc.array(use, lengths) }) : pager
  const other = fc.oneof({ weight: isNarrow ? 0 : 1, arbitrary: pager }, { weight: 2, arbitrary: fc.record({ root: none.map(() => null), user: fc.constant(false), ops: fc.array(plain, lengths) }) })

  const entry = hasUser ? 0xe7 : 0xe3
  const whole = pae ? [[0, entry], [8, TABLES | entry]] : [[0, entry]]
  const identity = (['dir0', 'dir1'] as const).flatMap((dir) => whole.map(([offset, entry]) => [pageAt(dir) + offset, entry] as const))
  const fixed = [...identity, ...(pae ? ([[roots[0], pageAt('dir0') | 1], [roots[1], pageAt('dir1') | 1]] as const) : []), ...([1, 2, 3] as const).flatMap((n) => [[DATA, n], ...codeOf(n).map((word, k) => [CODE + 4 * k, word])].map(([offset, value]) => [pageAt(`frame${n}`) + offset, value] as const))]
  const region0 = fc.oneof({ weight: 3, arbitrary: entryTo('table0') }, { weight: 1, arbitrary: inDirectory })
  const region1 = fc.oneof({ weight: 1, arbitrary: fc.constant(pageAt('dir0') | 0x67) }, { weight: 1, arbitrary: inDirectory })
  const mapped = fc.oneof({ weight: 2, arbitrary: entryTo('frame1', 'frame2') }, { weight: 1, arbitrary: inTable })
  const entries = [
    ...directoryEntries.map((at, k) => fc.tuple(fc.constant(at), [region0, region1, inDirectory][k])),
    ...tableEntries.map((at, k) => fc.tuple(fc.constant(at), [mapped, mapped, mapped, inTable][k])),
  ]
  return fc.record({
    pae: fc.constant(pae),
    protects: fc.constantFrom(true, true, false),
    memory: fc.tuple(...entries).map((some) => [...new Map([...fixed, ...some.toReversed()])]),
    vcpus: fc.tuple(first, fc.array(other, { minLength: 1, maxLength: vcpus - 1, size: 'max' })).map(([one, more]) => [one, ...more]),
  })
}
