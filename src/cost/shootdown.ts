/** What a TLB shootdown waits for where the vCPUs that have to be told are more than the pCPUs (cost/shootdown.c). */
import { bar, formatCount, formatTable } from './format.ts'
import { quantiles } from './lockTimes.ts'
import type { Study, StudyRow } from './studies.ts'
import { barsSvg } from './svg.ts'

const VCPUS = 4
/** Shootdowns of one run. */
const TURNS = 10
const QUANTUM = 6000
const BACKENDS: readonly (readonly [string, string])[] = [
  ['IPI', 'shootdown-BACKEND_ipi.o'],
  ['hypercall (Xen)', 'shootdown-BACKEND_xen.o'],
  ['IPI or flush at entry (KVM)', 'shootdown-BACKEND_kvm.o'],
]
const PCPUS = [4, 3, 2, 1]
/** Several pages, by IPI; and what a batch costs where there is nothing to gain. */
const BATCHES: readonly (readonly [string, string, readonly number[]])[] = [
  ['IPI, 4 pages one by one', 'shootdown-BACKEND_ipi-PAGES_4.o', [4]],
  ['IPI, 4 pages as a batch', 'shootdown-BACKEND_ipi-PAGES_4-BATCHED.o', [4, 2]],
  ['control, a batch of one page', 'shootdown-BACKEND_ipi-BATCHED.o', [4]],
  ['control, no page', 'shootdown-BACKEND_ipi-PAGES_0.o', [4]],
  ['control, an empty batch', 'shootdown-BACKEND_ipi-PAGES_0-BATCHED.o', [4]],
]

/** Median, 99 % and longest, in cycles; of the shooter from the first store to an entry until nobody uses an old translation. */
export const latencies = ({ result }: StudyRow): number[] => quantiles(result.intervals.filter(({ name }) => name === 'shootdown').map(({ from, to }) => to - from))

export const SHOOTDOWN: Study = {
  title: `What a shootdown waits for: ${VCPUS} vCPUs over fewer pCPUs`,
  runs: [...BACKENDS.map(([label, object]) => [label, object, PCPUS] as const), ...BATCHES].flatMap(([label, object, pcpus]) =>
    pcpus.map((count) => ({ label, object, table: 'p6', pcpus: count, quantum: QUANTUM, operations: TURNS })),
  ),
  print(rows) {
    const header = ['told by', 'pCPUs', 'median', '99 %', 'longest', 'IPIs', 'interrupts', 'hypercalls', 'spins', 'switches', 'preempted', 'cycles in all']
    const lines = rows.map((row) => {
      const { total, cycles } = row.result
      return [row.label, String(row.pcpus), ...[...latencies(row), total.ipis, total.interrupts, total.hypercalls, total.pauses, total.contextSwitches, total.preemptions, cycles].map(formatCount)]
    })
    const most = Math.max(...rows.map((row) => latencies(row)[0]))
    const bars = rows.map((row) => [`${row.label}, ${row.pcpus} pCPUs`, formatCount(latencies(row)[0]), bar(latencies(row)[0], most, 40).padEnd(40)])
    return `${formatTable([header, ...lines])}\n\n${LEGEND}\n\ncycles of a shootdown, median\n${formatTable(bars)}`
  },
  draw(rows) {
    return barsSvg(
      ['median', '99 %', 'longest'].map((name, k) => ({
        title: SHOOTDOWN.title,
        axis: `cycles of a shootdown, ${name}`,
        groups: [...new Set(rows.map((row) => row.pcpus))].map((pcpus) => ({ name: `${pcpus} pCPUs`, bars: rows.filter((row) => row.pcpus === pcpus).map((row) => ({ label: row.label, value: latencies(row)[k] })) })),
      })),
    )
  },
}

const LEGEND =
  'Cycles of one shootdown, from the first store to an entry until nobody uses an old translation. IPIs: sent by guest or hypervisor.\n' +
  'The hypervisor is guest code (include/xmpvmm.h): it says who runs, and flushes those that do not when they run again.'
