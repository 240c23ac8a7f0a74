// Generated page-table edits, accesses and invalidations on two vCPUs: what the machine can return is what an oracle
// says that looks back over the whole history for a walk that could have been made.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assembleImage, makeModel } from '../src/index.ts'
import { CHOICES_MAX } from '../src/explore/explorable.ts'
import { Machine } from '../src/smp/machine.ts'
import { PageMap } from '../src/smp/memory.ts'
import type { KnobValue, Model } from '../src/smp/model.ts'
import { Sharing } from '../src/smp/sharing.ts'
import { pagingOn } from '../test/paging.ts'

const RUNS = Number(process.env.XMCHECK_RUNS ?? 30)
const FAULT = 99

/** A page-table entry: frame 1-3, or 0: not present. */
interface Entry {
  readonly frame: number
  readonly writable: boolean
  readonly global: boolean
}
const NONE: Entry = { frame: 0, writable: false, global: false }
/** Directory entry: which table, 0 or 1; -1: not present. Two tables of two entries. */
interface Tables {
  readonly directory: number
  readonly entries: readonly (readonly Entry[])[]
}

type Edit = { readonly kind: 'page'; readonly table: number; readonly page: number; readonly entry: Entry } | { readonly kind: 'directory'; readonly to: number }
/** `page` of those that are about no page means nothing. */
interface Op {
  readonly kind: 'read' | 'update' | 'invlpg' | 'cr3' | 'pge'
  readonly page: number
}

const START: Tables = {
  directory: 0,
  entries: [
    [{ frame: 1, writable: true, global: false }, { frame: 2, writable: true, global: true }],
    [{ frame: 3, writable: false, global: false }, NONE],
  ],
}

// --- the oracle ---------------------------------------------------------------------------------------------

/** Everything that happened, in order. A use: of `entry`, for `page`. */
type Happening =
  | { readonly kind: 'tables'; readonly tables: Tables }
  | { readonly kind: 'invlpg' | 'fault'; readonly page: number }
  | { readonly kind: 'cr3' | 'pge' }
  | { readonly kind: 'use'; readonly page: number; readonly entry: Entry }

/** Every tuple of results of the accesses in `ops`, while `edits` are made at any time. */
function promised(edits: readonly Edit[], ops: readonly Op[], model: Model): Set<string> {
  const results = new Set<string>()
  const visit = (history: readonly Happening[], edit: number, op: number, seen: readonly number[]) => {
    if (op === ops.length) return void results.add(seen.join(' '))
    if (edit < edits.length) visit([...history, { kind: 'tables', tables: edited(tablesAt(history, history.length - 1), edits[edit]) }], edit + 1, op, seen)
    const now = ops[op]
    if (now.kind !== 'read' && now.kind !== 'update') return visit([...history, now as Happening], edit, op + 1, seen)
    const { page } = now
    for (const entry of usable(history, page, model)) {
      const refused = entry === null || (now.kind === 'update' && !entry.writable)
      visit([...history, refused ? { kind: 'fault', page } : { kind: 'use', page, entry: entry! }], edit, op + 1, [...seen, refused ? FAULT : entry!.frame])
    }
  }
  visit([{ kind: 'tables', tables: START }], 0, 0, [])
  return results
}

function tablesAt(history: readonly Happening[], at: number): Tables {
  for (let k = at; ; k--) {
    const one = history[k]
    if (one.kind === 'tables') return one.tables
  }
}

function edited(tables: Tables, edit: Edit): Tables {
  if (edit.kind === 'directory') return { ...tables, directory: edit.to }
  const entries = tables.entries.map((table, t) => table.map((entry, p) => (t === edit.table && p === edit.page ? edit.entry : entry)))
  return { ...tables, entries }
}

/** What an access to `page` may find after `history`; null: a walk that faults. */
function usable(history: readonly Happening[], page: number, model: Model): (Entry | null)[] {
  const now = history.length - 1
  const found: (Entry | null)[] = []
  const lastUse = history.findLastIndex((one) => one.kind === 'use' && one.page === page)
  const lastOp = history.findLastIndex((one) => one.kind !== 'tables')
  /** A translation that was in the TLB after happening `at` is there still. */
  const survives = (entry: Entry, at: number) =>
    history.slice(at + 1).every((one) => one.kind === 'tables' || one.kind === 'use' || ((one.kind === 'invlpg' || one.kind === 'fault') && one.page !== page) || (one.kind === 'cr3' && entry.global))
  const directorySurvives = (from: number, to: number) => history.slice(from + 1, to + 1).every((one) => one.kind === 'tables' || one.kind === 'use')
  for (let cached = 0; cached <= now; cached++) {
    // A TLB holds one translation of a page: what was cached before the last use is gone, but for the one that was used.
    if (model.tlbSplit !== 'each' && cached < lastUse) continue
    for (let directory = 0; directory <= cached; directory++) {
      const atOnce = model.tlb === 'leaf' && directory < cached
      // Without a cache of directory entries only the walk of the access itself takes its time.
      if (atOnce && !(cached === now && directory >= lastOp)) continue
      if (!directorySurvives(directory, cached)) continue
      const table = tablesAt(history, directory).directory
      if (table < 0) {
        if (directory === now) found.push(null)
        continue
      }
      const entry = tablesAt(history, cached).entries[table][page]
      if (entry.frame === 0) {
        if (cached === now) found.push(null)
      } else if (survives(entry, cached)) found.push(entry)
    }
  }
  history.forEach((one, at) => {
    if (one.kind === 'use' && one.page === page && survives(one.entry, at) && (model.tlbSplit === 'each' || at === lastUse)) found.push(one.entry)
  })
  return found
}

// --- the machine --------------------------------------------------------------------------------------------

const bits = ({ frame, writable, global }: Entry) => (frame === 0 ? '0' : `frame${frame} + ${writable ? 0x67 : 0x65} + ${global ? 0x100 : 0}`)
const directoryBits = (table: number) => (table < 0 ? '0' : `table${table} + 0x67`)

function program(edits: readonly Edit[], ops: readonly Op[]): string {
  const change = edits.map((edit) =>
    edit.kind === 'directory' ? `    mov dword [dir + 4], ${directoryBits(edit.to)}` : `    mov dword [table${edit.table} + ${edit.page * 4}], ${bits(edit.entry)}`,
  )
  let accesses = 0
  const use = ops.map((op, k) => {
    if (op.kind === 'cr3') return '    mov eax, cr3\n    mov cr3, eax'
    if (op.kind === 'pge') return '    mov eax, 0x10\n    mov cr4, eax\n    mov eax, 0x90\n    mov cr4, eax'
    const place = `[${0x400000 + op.page * 4096}]`
    if (op.kind === 'invlpg') return `    invlpg ${place}`
    const access = op.kind === 'read' ? `mov eax, ${place}` : `lock xadd ${place}, eax`
    return `    mov ebp, after${k}\n    mov eax, 0\n    ${access}\nafter${k}: mov [results + ${accesses++ * 4}], eax`
  })
  const table = (entries: readonly Entry[]) => `    dd ${entries.map(bits).join(', ')}\n    times ${1024 - entries.length} dd 0`
  return `.vcpu changer
.vcpu user
.handler 14, fault
changer:
${change.join('\n')}
    ret
user:
${pagingOn('dir', 0x80)}${use.join('\n')}
    ret
fault: add esp, 4
    mov [esp], ebp
    mov eax, ${FAULT}
    iret
section .data
align 4
results: times 8 dd 0
section .tables
align 4096
dir: dd 0xe3, ${directoryBits(START.directory)}
    times 1022 dd 0
table0:
${table(START.entries[0])}
table1:
${table(START.entries[1])}
${[1, 2, 3].map((frame) => `frame${frame}: dd ${frame}\n    times 1023 dd 0`).join('\n')}
`
}

/** Every tuple of results that the machine gives. */
function given(edits: readonly Edit[], ops: readonly Op[], model: Model): Set<string> {
  const image = assembleImage(program(edits, ops), { title: 'generated' })
  const pages = new PageMap(image.regions)
  const sharing = new Sharing(pages.sizeBytes / 4, image.vcpus.length)
  const accesses = ops.filter((op) => op.kind === 'read' || op.kind === 'update').length
  const at = image.symbols.find((symbol) => symbol.name === 'results')!.address
  const list = new Int32Array(CHOICES_MAX)
  for (;;) {
    sharing.grown = false
    const machine = new Machine(image, model, { sharing, pages })
    const results = new Set<string>()
    const seen = new Set<string>()
    const visit = (): void => {
      const key = `${machine.store.h0},${machine.store.h1}`
      if (seen.has(key)) return
      seen.add(key)
      expect([machine.store.h0, machine.store.h1]).toEqual(machine.store.fullHash())
      expect(machine.violation).toBeNull()
      const choices = list.slice(0, machine.enabled(list))
      if (choices.length === 0)
        results.add(Array.from({ length: accesses }, (_, k) => machine.memory.load(machine.memory.index(at + 4 * k), 4)).join(' '))
      for (const choice of choices) {
        machine.take(choice)
        visit()
        machine.undo()
        expect(`${machine.store.h0},${machine.store.h1}`).toBe(key)
      }
    }
    visit()
    expect(machine.weaknesses.size).toBe(0)
    if (!sharing.grown) return results
  }
}

// --- generators ---------------------------------------------------------------------------------------------

const anyEntry = fc.oneof(
  { weight: 1, arbitrary: fc.constant(NONE) },
  { weight: 4, arbitrary: fc.record({ frame: fc.integer({ min: 1, max: 3 }), writable: fc.boolean(), global: fc.boolean() }) },
)
const anyEdit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('page' as const), table: fc.integer({ min: 0, max: 1 }), page: fc.integer({ min: 0, max: 1 }), entry: anyEntry }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('directory' as const), to: fc.integer({ min: -1, max: 1 }) }) },
)
const anyOp: fc.Arbitrary<Op> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('read' as const, 'update' as const), page: fc.integer({ min: 0, max: 1 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('invlpg' as const), page: fc.integer({ min: 0, max: 1 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('cr3' as const, 'pge' as const), page: fc.constant(0) }) },
)
const KNOBS: readonly Record<string, KnobValue>[] = [{}, { tlbSplit: 'each' }, { tlb: 'leaf' }, { tlb: 'leaf', tlbSplit: 'each' }]
const MODELS = KNOBS.map((knobs) => makeModel({ memory: 'sc', ...knobs }))

describe('accesses through page tables that change', () => {
  it('find what some walk could have cached, and all of that', () => {
    const edits = fc.array(anyEdit, { minLength: 1, maxLength: 3 })
    const ops = fc.array(anyOp, { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(edits, ops, fc.constantFrom(...MODELS), (change, use, model) => {
        expect([...given(change, use, model)].sort()).toEqual([...promised(change, use, model)].sort())
      }),
      { seed: 3, numRuns: RUNS },
    )
  })
})
