/** The studies of `xmcheck cost`: guest programs, how they are run, and what of the counts is shown. */
import type { MachineImage } from '../smp/image.ts'
import { bar, formatCount, formatTable, sparkline } from './format.ts'
import { histogram, lockTimes, quantiles } from './lockTimes.ts'
import { runCost, type CostResult } from './run.ts'
import { SHOOTDOWN } from './shootdown.ts'
import { barsSvg } from './svg.ts'
import { COST_TABLES, type CostTable } from './table.ts'

/** One run of a study. */
export interface StudyRun {
  readonly label: string
  /** Of cost/objects. */
  readonly object: string
  /** Cost table; the user's replaces all of them. */
  readonly table: string
  /** The first so many of the program; absent: all. */
  readonly vcpus?: number
  readonly pcpus: number
  readonly quantum: number
  /** What the counts are divided by: operations of the guest. */
  readonly operations: number
}

export interface StudyRow extends StudyRun {
  readonly result: CostResult
}

export interface Study {
  readonly title: string
  readonly runs: readonly StudyRun[]
  print(rows: readonly StudyRow[]): string
  draw(rows: readonly StudyRow[]): string
}

/** What the user wants otherwise than a study has it. */
export interface StudyChanges {
  readonly table: CostTable | null
  readonly pcpus: number | undefined
  readonly quantum: number | undefined
}

/** Runs all of a study; runs that the changes make the same fall together. */
export function runStudy(study: Study, imageOf: (object: string) => MachineImage, { table: costs, pcpus, quantum }: StudyChanges): StudyRow[] {
  const changed = study.runs.map((run) => ({ ...run, table: costs?.name ?? run.table, pcpus: pcpus ?? run.pcpus, quantum: quantum ?? run.quantum }))
  const runs = changed.filter((run, k) => changed.findIndex((one) => same(one, run)) === k)
  return runs.map((run) => {
    const table = costs ?? COST_TABLES[run.table]
    const options = { table, pcpus: run.pcpus, quantum: run.quantum, cyclesMax: 1e10, eventsMax: 20_000_000 }
    const image = imageOf(run.object)
    return { ...run, table: table.name, result: runCost({ ...image, vcpus: image.vcpus.slice(0, run.vcpus) }, options) }
  })
}

const same = (a: StudyRun, b: StudyRun) => a.table === b.table && a.label === b.label && a.object === b.object && a.vcpus === b.vcpus && a.pcpus === b.pcpus && a.quantum === b.quantum

const CLASSES = Object.keys(COST_TABLES)
/** Passes of cost/patching.c and cost/calls.c. */
const PATCHING_PASSES = 250
/** Operations of one pass: save, disable, restore, enable. */
const PATCHING_OPERATIONS = 4
const FORMS: readonly (readonly [string, string])[] = [
  ['empty loop', 'patching-EMPTY.o'],
  ['pv_ops: indirect call', 'patching-INDIRECT.o'],
  ['pv_ops patched to direct call', 'patching-DIRECT.o'],
  ['pv_ops patched to native, padded with NOPs', 'patching-PATCHED.o'],
  ['the same, padded with one-byte NOPs', 'patching-PATCHED-ONE_BYTE.o'],
  ['native, compiled in', 'patching-NATIVE.o'],
]

const CALLS: readonly (readonly [string, string])[] = [
  ['empty loop', 'calls-EMPTY.o'],
  ['lock: function with an indirect call', 'calls-LOCK-INDIRECT.o'],
  ['lock: function with a direct call', 'calls-LOCK-DIRECT.o'],
  ['lock: merged, one call', 'calls-LOCK-MERGED.o'],
  ['lock: inline', 'calls-LOCK-INLINE.o'],
  ['identity: indirect call', 'calls-VALUE-INDIRECT.o'],
  ['identity: patched to direct call', 'calls-VALUE-DIRECT.o'],
  ['identity: patched to a NOP', 'calls-VALUE-PATCHED.o'],
  ['identity: patched to one-byte NOPs', 'calls-VALUE-PATCHED-ONE_BYTE.o'],
  ['identity: nothing', 'calls-VALUE-INLINE.o'],
]

/** Passes of cost/lazy.c. */
const LAZY_PASSES = 10
const LAZY_INTERFACES = [['native, no hypervisor', 'NATIVE'], ['a hypercall each', 'UNBATCHED'], ['lazy mode', 'LAZY'], ['multicall', 'MULTICALL'], ['one higher-level call', 'HIGHER']] as const
const LAZY_EMPTY = 'nothing'
const LAZY: readonly (readonly [string, string])[] = [
  ...LAZY_INTERFACES.map(([label, object]) => [`context switch: ${label}`, `lazy-SWITCH-${object}.o`] as const),
  ...LAZY_INTERFACES.map(([label, object]) => [`remap loop: ${label}`, `lazy-REMAP-${object}.o`] as const),
  ['control, one entry: a hypercall', 'lazy-ONE-UNBATCHED.o'],
  ['control, one entry: lazy mode', 'lazy-ONE-LAZY.o'],
  ['control, lazy mode with nothing in it', 'lazy-NOTHING-LAZY.o'],
]

const LOCK_VCPUS = 4
/** Critical sections of each vCPU (cost/locks.c). */
const LOCK_SECTIONS = 40
const LOCK_QUANTUM = 6000
const LOCKS: readonly (readonly [string, string])[] = [
  ['ticket', 'locks-TICKET.o'],
  ['byte', 'locks-BYTE.o'],
  ['MCS', 'locks-MCS.o'],
  ['Xen pv byte', 'locks-XEN.o'],
  ['pv ticket', 'locks-PV_TICKET.o'],
  ['KVM pv ticket', 'locks-KVM_TICKET.o'],
  ['queued', 'locks-QUEUED.o'],
  ['pv queued', 'locks-PV_QUEUED.o'],
]
/** Waits are shown from 2^4 cycles to 2^18. */
const WAITS_FROM = 4
const WAITS_TO = 18
/** vCPUs, and the pCPUs that they share: all of the table first, then fewer vCPUs. */
const LOCK_SWEEP = [4, 3, 2, 1].flatMap((vcpus) => Array.from({ length: vcpus }, (_, k) => [vcpus, vcpus - k] as const))
const placeOf = ({ vcpus, pcpus }: StudyRow) => `${vcpus} on ${pcpus}`
/** Those of the rows, fewest vCPUs first. */
const sweepOf = (rows: readonly StudyRow[]) => [...new Set([...rows].sort((a, b) => a.vcpus! - b.vcpus! || b.pcpus - a.pcpus).map(placeOf))]

/** A table of one value: a line a lock, a column for each number of vCPUs on pCPUs. */
function sweep(title: string, rows: readonly StudyRow[], value: (row: StudyRow) => number): string {
  const places = sweepOf(rows)
  const lines = [...new Set(rows.map(({ label }) => label))].map((label) => [
    label,
    ...places.map((place) => rows.filter((row) => row.label === label && placeOf(row) === place).map((row) => formatCount(value(row))).join()),
  ])
  return `${title}\n${formatTable([['lock', ...places], ...lines])}`
}

const throughput = ({ result }: StudyRow) => (result.progress / result.cycles) * 1e6

/** Values of one operation, by label and cost table, what the run `empty` has taken off. */
function byTable(rows: readonly StudyRow[], empty: string) {
  const tables = [...new Set(rows.map((row) => row.table))]
  const at = (label: string, table: string) => rows.find((row) => row.label === label && row.table === table)!
  const of = (label: string, table: string, value: (result: CostResult) => number) => (value(at(label, table).result) - value(at(empty, table).result)) / at(label, table).operations
  return { tables, of }
}

/** Forms of the same work, the empty loop first: instructions and cycles of one operation, of which a pass has `operations`. */
function forms(title: string, of: readonly (readonly [string, string])[], operations: number): Study {
  const [[empty], ...labels] = of
  return {
    title,
    runs: of.flatMap(([label, object]) => CLASSES.map((table) => ({ label, object, table, pcpus: 0, quantum: 1e9, operations: PATCHING_PASSES * operations }))),
    print(rows) {
      const { tables, of: value } = byTable(rows, empty)
      const lines = labels.map(([label]) => [
        label,
        formatCount(value(label, tables[0], ({ total }) => total.instructions)),
        ...tables.map((table) => formatCount(value(label, table, ({ cycles }) => cycles))),
      ])
      return formatTable([['form', 'instructions', ...tables], ...lines])
    },
    draw(rows) {
      const { tables, of: value } = byTable(rows, empty)
      const groups = tables.map((name) => ({ name, bars: labels.map(([label]) => ({ label, value: value(label, name, ({ cycles }) => cycles) })) }))
      return barsSvg([{ title, axis: 'cycles of one operation', groups }])
    },
  }
}

export const STUDIES: Readonly<Record<string, Study>> = {
  patching: forms('Is patching worth it? Cycles of one interrupt-flag operation (save, disable, restore, enable), by the form that it takes', FORMS, PATCHING_OPERATIONS),
  calls: forms('Calls within calls, and calls for nothing: cycles of taking a free lock, and of the value of a page-table entry', CALLS, 1),
  lazy: {
    title: 'Is a richer interface worth it? A context switch (7 updates) and a remap loop (64 page-table entries), by how the hypervisor is asked',
    runs: [[LAZY_EMPTY, 'lazy-NOTHING-UNBATCHED.o'] as const, ...LAZY].flatMap(([label, object]) =>
      CLASSES.map((table) => ({ label, object, table, pcpus: 0, quantum: 1e9, operations: LAZY_PASSES })),
    ),
    print(rows) {
      const { tables, of } = byTable(rows, LAZY_EMPTY)
      const lines = LAZY.map(([label]) => [
        label,
        ...(['hypercalls', 'operations', 'instructions'] as const).map((name) => formatCount(of(label, tables[0], ({ total }) => total[name]))),
        ...tables.map((table) => formatCount(of(label, table, ({ cycles }) => cycles))),
      ])
      return `${formatTable([['', 'hypercalls', 'operations', 'instructions', ...tables], ...lines])}\n\n${LEGEND_LAZY}`
    },
    draw(rows) {
      const { tables, of } = byTable(rows, LAZY_EMPTY)
      const chartOf = (load: string) => ({
        title: `${load}: cycles, by interface`,
        axis: 'cycles of one pass',
        groups: tables.map((name) => ({
          name,
          bars: LAZY.filter(([label]) => label.startsWith(load)).map(([label]) => ({ label: label.slice(load.length + 2), value: of(label, name, ({ cycles }) => cycles) })),
        })),
      })
      return barsSvg(['context switch', 'remap loop'].map(chartOf))
    },
  },
  shootdown: SHOOTDOWN,
  locks: {
    title: `What a descheduled vCPU does to a lock: ${LOCK_VCPUS} vCPUs over fewer pCPUs`,
    runs: LOCKS.flatMap(([label, object]) =>
      LOCK_SWEEP.map(([vcpus, pcpus]) => ({ label, object, table: 'p6', vcpus, pcpus, quantum: LOCK_QUANTUM, operations: vcpus * LOCK_SECTIONS })),
    ),
    print(all) {
      const rows = all.filter(({ vcpus }) => vcpus === LOCK_VCPUS)
      const header = [
        'lock', 'pCPUs', 'sections/Mcycle', 'wait median', '99 %', 'longest', `waits 2^${WAITS_FROM}..2^${WAITS_TO}`, 'held', 'handed over in', 'spins', 'kicks', 'blocks',
        'switches', 'preempted',
      ]
      const lines = rows.map((row) => {
        const { total, intervals } = row.result
        const { waits, held, handOver } = lockTimes(intervals)
        return [
          row.label, String(row.pcpus), formatCount(throughput(row)), ...quantiles(waits).map(formatCount), sparkline(histogram(waits, WAITS_FROM, WAITS_TO)),
          ...[held, handOver, total.pauses, total.kicks, total.blocks, total.contextSwitches, total.preemptions].map(formatCount),
        ]
      })
      const bars = rows.map((row) => ({ label: `${row.label}, ${row.pcpus} pCPUs`, value: throughput(row) }))
      const legend =
        'held: cycles of a section, those without a pCPU included (lock-holder preemption). handed over in: cycles from a release to the\n' +
        'next entry where somebody waited already (the convoy behind a waiter without a pCPU). Means. spins: PAUSEs that were executed.'
      const sweeps = [
        sweep('critical sections in a million cycles, by vCPUs on pCPUs', all, throughput),
        sweep('cycles that 99 % of the waits take at most', all, ({ result }) => quantiles(lockTimes(result.intervals).waits)[1]),
      ]
      const enough = all.filter(({ vcpus, pcpus }) => vcpus! <= pcpus)
      const lost = enough.reduce((sum, { result }) => sum + result.total.preemptions, 0)
      const control = `Control: in the ${enough.length} runs with a pCPU for each vCPU, ${lost === 0 ? 'nobody was preempted' : `vCPUs were preempted ${lost} times`}.`
      return [formatTable([header, ...lines]), legend, chart('critical sections in a million cycles', bars), ...sweeps, control].join('\n\n')
    },
    draw(all) {
      const rows = all.filter(({ vcpus }) => vcpus === LOCK_VCPUS)
      const swept = {
        title: 'The same load, by how many vCPUs share how many pCPUs',
        axis: 'critical sections in a million cycles',
        groups: sweepOf(all).map((name) => ({ name, bars: all.filter((row) => placeOf(row) === name).map((row) => ({ label: row.label, value: throughput(row) })) })),
      }
      const chartOf = (axis: string, value: (row: StudyRow) => number) => ({
        title: this.title,
        axis,
        groups: [...new Set(rows.map((row) => row.pcpus))].map((pcpus) => ({
          name: `${pcpus} pCPUs`,
          bars: rows.filter((row) => row.pcpus === pcpus).map((row) => ({ label: row.label, value: value(row) })),
        })),
      })
      return barsSvg([
        chartOf('critical sections in a million cycles', throughput),
        chartOf('cycles that the lock is held, mean', (row) => lockTimes(row.result.intervals).held),
        chartOf('cycles from a release to the next entry where somebody waited, mean', (row) => lockTimes(row.result.intervals).handOver),
        chartOf('cycles of the longest wait', (row) => quantiles(lockTimes(row.result.intervals).waits)[2]),
        swept,
      ])
    },
  },
}

const LEGEND_LAZY =
  'Of one pass: hypercalls, operations that they asked for, instructions of guest and hypervisor, cycles by CPU class; the empty loop taken off.\n' +
  'The hypervisor does what it is asked and checks nothing: what validation costs is in none of the rows.'

/** A chart of bars for the terminal. */
export function chart(title: string, rows: readonly { readonly label: string; readonly value: number }[]): string {
  const most = Math.max(...rows.map((row) => row.value))
  return `${title}\n${formatTable(rows.map((row) => [row.label, formatCount(row.value), bar(row.value, most, 40).padEnd(40)]))}`
}
