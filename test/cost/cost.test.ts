// Virtual time: what is counted, what it is charged, and the controls that any such model has to pass.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { latencies } from '../../src/cost/shootdown.ts'
import { histogram, lockTimes } from '../../src/cost/lockTimes.ts'
import { quantile } from '../../src/cost/quantile.ts'
import { runCost, type CostOptions, type CostResult } from '../../src/cost/run.ts'
import { COST_TABLES, CostError, readCostTable, type CostTable } from '../../src/cost/table.ts'
import { runStudy, STUDIES, type StudyRow } from '../../src/cost/studies.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { programAt } from '../programs.ts'
import { commandIn, emptyDirectory } from '../cli/command.ts'
import { studyRow } from './studyRow.ts'

/** Every field 0 but those given. */
const only = (fields: Partial<CostTable>): CostTable =>
  ({ ...Object.fromEntries(Object.keys(COST_TABLES.p6).map((name) => [name, 0])), name: 'test', mnemonics: {}, ...fields }) as CostTable

function run(source: string, table: CostTable, more: Partial<CostOptions> = {}): CostResult {
  const options = { table, pcpus: 0, quantum: 1000, cyclesMax: 1e7, eventsMax: 200_000, ...more }
  return runCost(assembleImage(source, { title: 'cost' }), options)
}
const loop = (count: number, body: string) => `mov ecx, ${count}\nagain: ${body}\ndec ecx\njnz again\nret`

describe('a run', () => {
  it('charges every instruction once, those of the initial steps too', () => {
    const result = run(`.vcpu go\ngo: ${loop(100, 'nop')}`, only({ instruction: 1, mnemonics: { nop: 10 } }))
    // mov, 100 x (nop dec jnz), ret, and the stub's NOP that ends the vCPU.
    expect(result.total.instructions).toBe(1 + 300 + 1 + 1)
    expect(result.cycles).toBe(1 + 100 * 12 + 1 + 10)
    expect(result.ended).toBe(true)
  })

  it('is the same again', () => {
    const source = `.vcpu go, 3\ngo: ${loop(50, 'lock inc dword [x]')}\nsection .data\nx: dd 0`
    expect(run(source, COST_TABLES.p4, { pcpus: 2 })).toEqual(run(source, COST_TABLES.p4, { pcpus: 2 }))
  })

  it('moves a line for each change of hands, and none where lines are apart', () => {
    const apart = (distance: number) => run(`.vcpu a\n.vcpu b\na: ${loop(50, 'inc dword [x]')}\nb: mov ecx, 50\nmore: inc dword [x + ${distance}]\ndec ecx\njnz more\nret\nsection .data\nalign 64\nx: times 40 dd 0`, only({ instruction: 1 }))
    expect(apart(128).total.lineTransfers).toBe(0)
    // Another dword of the same line is as good as the same dword: false sharing.
    expect(apart(4).total.lineTransfers).toBeGreaterThan(20)
  })

  it('knows what is locked', () => {
    const result = run(`.vcpu go\ngo: lock inc dword [x]\nxchg eax, [x]\nxchg eax, ecx\ninc dword [x]\nret\nsection .data\nx: dd 0`, only({ locked: 7 }))
    expect([result.total.locked, result.cycles]).toEqual([2, 14])
  })
})

it('charges what serialises, stale code or not', () => {
  const result = run(`.vcpu go\ngo: mov eax, cr3\nmov cr3, eax\ncpuid\ninvlpg [eax]\nmov eax, ecx\nret`, only({ serialize: 5 }))
  expect([result.total.serializations, result.cycles]).toEqual([3, 15])
})

describe('the scheduler', () => {
  it('tells a guest that wants to know who has no pCPU, be it that it sleeps', () => {
    const flagOf0 = (first: string, pcpus: number) => {
      const source = `.vcpu a\n.vcpu b\n.steal flags, 1\na: ${first}\nb: mov ecx, 300\nlater: dec ecx\njnz later\ncmp byte [flags], 1\nsete al\nmovzx eax, al\nassert eax\nkick 0\nret\nsection .data\nflags: db 0, 0`
      const { ended, violation } = run(source, only({ instruction: 1 }), { pcpus })
      return ended && violation === null
    }
    expect([[loop(5000, 'nop'), 1], [loop(5000, 'nop'), 2], ['block\nret', 1], ['block\nret', 2]].map(([first, pcpus]) => flagOf0(String(first), Number(pcpus)))).toEqual([true, false, true, true])
  })

  const spin = `.vcpu setter\n.vcpu waiter\nsetter: ${loop(2000, 'nop')}\nwaiter: pause\ncmp dword [flag], 0\nje waiter\nret\nsection .data\nflag: dd 0`
  const source = spin.replace('jnz again\nret', 'jnz again\nmov dword [flag], 1\nret')

  it('preempts nobody where there are pCPUs enough', () => {
    const { total } = run(source, only({ instruction: 1 }))
    expect([total.preemptions, total.contextSwitches, total.waiting]).toEqual([0, 0, 0])
  })

  it('charges switches, and lets the others wait, where there are not', () => {
    const result = run(source, only({ instruction: 1, contextSwitch: 100 }), { pcpus: 1 })
    expect(result.total.preemptions).toBeGreaterThan(2)
    expect(result.total.waiting).toBeGreaterThan(1000)
    // All time of the one pCPU is somebody's, or a switch.
    expect(result.cycles).toBe(result.total.busy + 100 * result.total.contextSwitches)
  })

  it('wakes who was kicked, and charges both', () => {
    const result = run('.vcpu a\n.vcpu b\na: block\nret\nb: times 50 nop\nkick 0\nret', only({ instruction: 1, hypercall: 1000 }), { pcpus: 1 })
    expect([result.total.blocks, result.total.kicks, result.ended]).toEqual([1, 1, true])
    expect(result.cycles).toBeGreaterThanOrEqual(2000)
  })

  it('lets others have their turn where nothing costs anything', () => {
    const waits = '.vcpu waiter\n.vcpu setter\nwaiter: pause\ncmp dword [flag], 0\nje waiter\nret\nsetter: mov dword [flag], 1\nret\nsection .data\nflag: dd 0'
    expect(run(waits, only({}))).toMatchObject({ ended: true, cycles: 0 })
  })

  it('gives up what does not end', () => {
    const result = run('.vcpu go\ngo: jmp go', only({ instruction: 1 }), { cyclesMax: 50_000 })
    expect(result.ended).toBe(false)
  })
})

describe('locks', () => {
  const study = STUDIES.locks
  const rows = new Map<string, StudyRow>()
  const runOf = (label: string, pcpus: number) => rows.get(`${label} ${pcpus}`)!
  beforeAll(() => {
    for (const label of ['ticket', 'byte', 'pv queued']) for (const pcpus of [4, 2]) rows.set(`${label} ${pcpus}`, studyRow('locks', label, pcpus))
    rows.set('ticket 1', studyRow('locks', 'ticket', 1, 1))
  }, 60_000)
  const times = (label: string, pcpus: number) => lockTimes(runOf(label, pcpus).result.intervals)

  it('lose nothing to preemption where nothing is overcommitted', () => {
    for (const label of ['ticket', 'byte', 'pv queued']) {
      const { result, operations } = runOf(label, 4)
      expect([label, result.ended, result.progress]).toEqual([label, true, operations])
      expect(result.total).toMatchObject({ preemptions: 0, contextSwitches: 0, waiting: 0 })
      expect(times(label, 4).waits).toHaveLength(operations)
    }
  })
  it('show the preempted holder of an unfair lock, and the convoy of a fair one', () => {
    expect(times('byte', 2).held).toBeGreaterThan(2 * times('byte', 4).held)
    expect(times('byte', 2).handOver).toBeLessThan(2 * times('byte', 4).handOver)
    expect(times('ticket', 2).held).toBeLessThan(1.5 * times('ticket', 4).held)
    expect(times('ticket', 2).handOver).toBeGreaterThan(10 * times('ticket', 4).handOver)
  })
  it('of one vCPU alone wait for nobody, and do what their instructions cost', () => {
    const alone = runOf('ticket', 1)
    expect(alone.result.total).toMatchObject({ lineTransfers: 0, preemptions: 0, contextSwitches: 0, pauses: 0 })
    expect([alone.result.progress, times('ticket', 1).handOver]).toEqual([alone.operations, 0])
    expect(times('ticket', 1).held).toBeLessThan(times('ticket', 4).held)
  })
  it('that sleep and steal waste few turns', () => {
    expect(runOf('pv queued', 2).result.total.pauses * 5).toBeLessThan(runOf('ticket', 2).result.total.pauses)
    expect(runOf('pv queued', 2).result.total.kicks).toBeGreaterThan(0)
    expect(runOf('pv queued', 2).result.cycles).toBeLessThan(runOf('ticket', 2).result.cycles)
  })
  it('are drawn', () => {
    const some = [runOf('ticket', 4), runOf('ticket', 2), runOf('byte', 4), runOf('byte', 2)]
    expect(study.print(some).split('\n').filter((line) => line.includes('█')).length).toBeGreaterThanOrEqual(4)
    const printed = study.print([...some, runOf('ticket', 1)])
    expect(printed).toMatch(/lock +1 on 1 +4 on 4 +4 on 2\n/)
    expect(printed).toContain('Control: in the 3 runs with a pCPU for each vCPU, nobody was preempted.')
    const svg = study.draw(some)
    expect(svg.match(/<rect[^>]*><title>/g)!.length).toBe(5 * some.length)
    for (const tag of ['g', 'text', 'svg', 'title']) expect(svg.split(`<${tag}`).length).toBe(svg.split(`</${tag}>`).length)
  })
  it('are judged by intervals: the lock is free and waited for from a release to the next entry', () => {
    const interval = (name: string, vcpu: number, from: number, to: number) => ({ name, vcpu, from, to })
    const all = [interval('wait', 0, 0, 1), interval('hold', 0, 1, 11), interval('wait', 1, 5, 41), interval('hold', 1, 41, 61), interval('wait', 0, 100, 101), interval('hold', 0, 101, 131)]
    expect(lockTimes(all)).toEqual({ waits: [1, 36, 1], held: 20, handOver: 30 })
    expect(histogram([1, 16, 31, 32, 1e9], 4, 6)).toEqual([3, 1, 1])
  })
})

describe('shootdowns', () => {
  const study = STUDIES.shootdown
  const labels = [...new Set(study.runs.map((one) => one.label))]
  const [ipi, xen, kvm] = labels
  const rows = new Map<string, StudyRow>()
  beforeAll(() => {
    for (const label of labels) rows.set(`${label} 4`, studyRow('shootdown', label, 4))
    for (const label of [ipi, xen, kvm]) rows.set(`${label} 2`, studyRow('shootdown', label, 2))
  }, 180_000)
  const row = (label: string, pcpus: number) => rows.get(`${label} ${pcpus}`)!
  const median = (label: string, pcpus: number) => latencies(row(label, pcpus))[0]

  it('end, and tell every vCPU that runs each time; nobody is preempted where nothing is overcommitted', () => {
    for (const label of [ipi, xen, kvm]) {
      const { result, operations } = row(label, 4)
      expect([label, result.ended, result.violation, result.progress]).toEqual([label, true, null, operations])
      expect(result.total).toMatchObject({ preemptions: 0, contextSwitches: 0, waiting: 0, ipis: 3 * operations, interrupts: 3 * operations, hypercalls: label === xen ? operations : 0 })
    }
    // Without overcommitment a look at who runs is all that flushing at entry costs.
    expect(median(kvm, 4)).toBeLessThan(1.1 * median(ipi, 4))
  })
  it('by IPI wait for timeslices of those that do not run; others do not', () => {
    expect(row(ipi, 2).result.total.preemptions).toBeGreaterThan(10)
    expect(median(ipi, 2)).toBeGreaterThan(2 * row(ipi, 2).quantum)
    for (const label of [xen, kvm]) {
      expect(median(label, 2)).toBeLessThan(row(label, 2).quantum)
      expect(row(label, 2).result.total.ipis).toBeLessThan(2 * row(label, 2).operations)
    }
  })
  it('run with other costs, timeslices and pCPUs where the user says so, each once', () => {
    const [nothing] = study.runs.filter(({ label }) => label === 'control, no page')
    const runs = [nothing, { ...nothing, pcpus: 3 }]
    const changed = runStudy({ ...study, runs }, (object) => programAt(`cost/objects/${object}`), { table: COST_TABLES.k8, pcpus: 2, quantum: 3000 })
    expect(changed.map(({ table, pcpus, quantum, result }) => [table, pcpus, quantum, result.ended, result.total.contextSwitches > 0])).toEqual([['k8', 2, 3000, true, true]])
  })
  it('as a batch ask once; a batch of one page costs what the page does, and an empty one what nothing does', () => {
    const [, , , oneByOne, batch, ofOne, nothing, empty] = labels.map((label) => row(label, 4))
    expect([oneByOne, batch, ofOne, nothing, empty].map(({ result }) => result.total.ipis)).toEqual([120, 30, 30, 0, 0])
    expect(latencies(oneByOne)[0]).toBeGreaterThan(3.5 * latencies(batch)[0])
    const ratio = latencies(ofOne)[0] / median(ipi, 4)
    expect([ratio > 0.98, ratio < 1.02]).toEqual([true, true])
    expect(Math.abs(latencies(empty)[0] - latencies(nothing)[0])).toBeLessThan(5)
    expect(latencies(empty)[0]).toBeLessThan(median(ipi, 4) / 100)
  })
  it('are drawn', () => {
    const some = [row(ipi, 4), row(kvm, 2)]
    expect(study.print(some).split('\n').filter((line) => line.includes('█'))).toHaveLength(2)
    expect(study.draw(some).match(/<rect[^>]*><title>/g)).toHaveLength(3 * some.length)
  })
})

describe('the end of a timeslice', () => {
  // vCPU `two` runs only while `one` does not: it must always find that said.
  const source = (mark: string) => `.vcpu one
.vcpu two
.nmi 0, handler, 0
one: ${loop(400, 'nop').replace(/ret$/, 'mov dword [over], 1\nret')}
two: mov ecx, 100
more: mov eax, [off]
or eax, [over]
assert "is said to be off"
dec ecx
jnz more
ret
handler: pusha
mov dword [off], 1
${mark}
mov dword [off], 0
popa
iret
section .data
off: dd 1
over: dd 0`
  const one = (mark: string) => run(source(mark), only({ instruction: 1 }), { pcpus: 1, quantum: 200 })
  it('is an exit to the hypervisor of a vCPU that has one, and off its pCPU is where that says so', () => {
    const { violation, ended, total } = one('log 0, "off cpu"')
    expect([violation, ended, total.interrupts]).toEqual([null, true, 0])
    expect(total.preemptions).toBeGreaterThan(4)
  })
  it('comes at its end where it says nothing', () => {
    expect(one('nop').violation?.kind).toBe('assertion')
  })
})

describe('a table', () => {
  it('of the user replaces what it names', () => {
    expect(readCostTable({ base: 'p4', ipi: 5, mnemonics: { nop: 9 } })).toMatchObject({ ipi: 5, lineTransfer: COST_TABLES.p4.lineTransfer, mnemonics: { nop: 9, call: 2 } })
    for (const bad of [[], null, { base: 'z80' }, { ipl: 3 }, { ipi: -1 }, { ipi: '3' }, { mnemonics: { nop: 'x' } }, { mnemonics: 3 },
      { mnemonics: [1] }, { mnemonics: { poopf: 1 } }, { mnemonics: { jecxz: 1 } }, { base: 'constructor' }, { base: 5 }, { name: 5 }, { name: 'a\nb' }]) expect(() => readCostTable(bad)).toThrow(CostError)
  })
})

it('quantile', () => {
  expect([quantile([], 0.5), quantile([3, 1, 2], 0.5), quantile([3, 1, 2], 1), quantile([5], 0.01)]).toEqual([0, 2, 3, 5])
})

describe('xmcheck cost', () => {
  const dir = emptyDirectory()
  const cli = commandIn(dir)
  it('patching: every step towards native costs less, and the user may say what things cost', () => {
    const { rows } = JSON.parse(cli('cost', 'patching', '--json').out) as { rows: { label: string; table: string; cycles: number }[] }
    for (const table of Object.keys(COST_TABLES)) {
      const cycles = (label: string) => rows.find((row) => row.table === table && row.label.startsWith(label))!.cycles
      expect(cycles('pv_ops: indirect')).toBeGreaterThan(cycles('pv_ops patched to direct'))
      expect(cycles('pv_ops patched to direct')).toBeGreaterThan(cycles('pv_ops patched to native'))
      expect(cycles('pv_ops patched to native')).toBeGreaterThan(cycles('native, compiled in'))
    }
    writeFileSync(join(dir, 'costs.json'), '{"base": "486", "indirect": 1000}')
    const dear = JSON.parse(cli('cost', 'patching', '--json', '--costs', 'costs.json').out) as { rows: { label: string; cycles: number }[] }
    expect(dear.rows).toHaveLength(6)
    expect(dear.rows.find((row) => row.label.startsWith('pv_ops: indirect'))!.cycles).toBeGreaterThan(1_000_000)
  })
  it('calls: what is merged or left out costs less', () => {
    writeFileSync(join(dir, 'costs.json'), '{"base": "p6"}')
    const { rows } = JSON.parse(cli('cost', 'calls', '--json', '--costs', 'costs.json').out) as { rows: { label: string; cycles: number }[] }
    for (const part of ['lock', 'identity']) {
      const cycles = rows.filter(({ label }) => label.startsWith(part) && !label.includes('one-byte')).map((row) => row.cycles)
      expect(cycles).toHaveLength(4)
      expect(cycles).toEqual(cycles.toSorted((a, b) => b - a))
    }
  })
  it('lazy: what a batch saves is hypercalls, and what is left is counted instructions', () => {
    const run = (costs: object) => {
      writeFileSync(join(dir, 'costs.json'), JSON.stringify(costs))
      const { rows } = JSON.parse(cli('cost', 'lazy', '--json', '--costs', 'costs.json').out) as { rows: { label: string; operations: number; cycles: number; ended: boolean; total: CostResult['total'] }[] }
      expect(rows.every((row) => row.ended)).toBe(true)
      return (label: string) => {
        const { cycles, operations, total } = rows.find((one) => one.label === label)!
        return { cycles: cycles / operations, hypercalls: total.hypercalls / operations, asked: total.operations / operations }
      }
    }
    const of = run({ base: 'p6' })
    const counts = (load: string) => ['native, no hypervisor', 'a hypercall each', 'lazy mode', 'multicall', 'one higher-level call'].map((name) => [of(`${load}: ${name}`).hypercalls, of(`${load}: ${name}`).asked])
    // Queues have 32 entries.
    expect(counts('context switch')).toEqual([[0, 0], [7, 7], [1, 7], [1, 7], [1, 1]])
    expect(counts('remap loop')).toEqual([[0, 0], [64, 64], [2, 64], [1, 64], [1, 1]])
    for (const load of ['context switch', 'remap loop'])
      for (const [dearer, cheaper] of [['a hypercall each', 'lazy mode'], ['lazy mode', 'multicall'], ['multicall', 'one higher-level call'], ['one higher-level call', 'native, no hypervisor']])
        expect(of(`${load}: ${dearer}`).cycles, load).toBeGreaterThan(of(`${load}: ${cheaper}`).cycles)
    // Controls: a batch of one is one hypercall, and hardly dearer; a batch of nothing is none.
    const [alone, batched] = [of('control, one entry: a hypercall'), of('control, one entry: lazy mode')]
    expect([alone.hypercalls, batched.hypercalls, of('control, lazy mode with nothing in it').hypercalls]).toEqual([1, 1, 0])
    expect(batched.cycles / alone.cycles).toBeLessThan(1.1)
    expect(of('control, lazy mode with nothing in it').cycles).toBeLessThan(60)
    // Where hypercalls are free, batching is only work.
    const free = run({ base: 'p6', hypercall: 0 })
    expect(of('remap loop: lazy mode').cycles - free('remap loop: lazy mode').cycles).toBeCloseTo(2 * COST_TABLES.p6.hypercall)
    expect(free('context switch: lazy mode').cycles).toBeGreaterThan(free('context switch: multicall').cycles)
  })
  it('refuses what it does not know', () => {
    for (const words of [['cost', 'patching', '--costs', 'costs.json', '--table', 'p4'], ['cost', 'nothing'], ['cost', 'run'], ['cost', 'patching', 'x.o']]) expect(cli(...words)).toMatchObject({ code: 2, out: '' })
  })
})
