// Virtual time: what is counted, what it is charged, and the controls that any such model has to pass.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { quantile } from '../../src/cost/quantile.ts'
import { runCost, type CostOptions, type CostResult } from '../../src/cost/run.ts'
import { COST_TABLES, CostError, readCostTable, type CostTable } from '../../src/cost/table.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'

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

describe('the scheduler', () => {
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

  it('gives up what does not end', () => {
    const result = run('.vcpu go\ngo: jmp go', only({ instruction: 1 }), { cyclesMax: 50_000 })
    expect(result.ended).toBe(false)
  })
})

describe('a table', () => {
  it('of the user replaces what it names', () => {
    expect(readCostTable({ base: 'p4', ipi: 5, mnemonics: { nop: 9 } })).toMatchObject({ ipi: 5, lineTransfer: COST_TABLES.p4.lineTransfer, mnemonics: { nop: 9, call: 2 } })
    for (const bad of [[], null, { base: 'z80' }, { ipl: 3 }, { ipi: -1 }, { ipi: '3' }, { mnemonics: { nop: 'x' } }, { mnemonics: 3 }]) expect(() => readCostTable(bad)).toThrow(CostError)
  })
})

it('quantile', () => {
  expect([quantile([], 0.5), quantile([3, 1, 2], 0.5), quantile([3, 1, 2], 1), quantile([5], 0.01)]).toEqual([0, 2, 3, 5])
})

describe('xmcheck cost', () => {
  const cli = (...words: string[]) => execFileSync(process.execPath, ['bin/xmcheck.mjs', ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  it('patching: every step towards native costs less, and the user may say what things cost', () => {
    const { rows } = JSON.parse(cli('cost', 'patching', '--json')) as { rows: { label: string; table: string; cycles: number }[] }
    for (const table of Object.keys(COST_TABLES)) {
      const cycles = (label: string) => rows.find((row) => row.table === table && row.label.startsWith(label))!.cycles
      expect(cycles('pv_ops: indirect')).toBeGreaterThan(cycles('pv_ops patched to direct'))
      expect(cycles('pv_ops patched to direct')).toBeGreaterThan(cycles('pv_ops patched to native'))
      expect(cycles('pv_ops patched to native')).toBeGreaterThan(cycles('native, compiled in'))
    }
    const dir = mkdtempSync(join(tmpdir(), 'xmcheck-'))
    writeFileSync(join(dir, 'costs.json'), '{"base": "486", "indirect": 1000}')
    const dear = JSON.parse(cli('cost', 'patching', '--json', '--costs', join(dir, 'costs.json'))) as { rows: { label: string; cycles: number }[] }
    expect(dear.rows).toHaveLength(6)
    expect(dear.rows.find((row) => row.label.startsWith('pv_ops: indirect'))!.cycles).toBeGreaterThan(4_000_000)
  })
  it('refuses what it does not know', () => {
    for (const words of [['cost', 'nothing'], ['cost', 'run'], ['cost', 'patching', 'x.o']]) expect(() => cli(...words)).toThrow(/status 2|Command failed/)
  })
})
