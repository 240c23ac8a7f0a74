// `xmcheck bench cpu` as its users run it: what it says does not depend on how fast the machine is, but for the speeds.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { commandIn, emptyDirectory, ROOT } from './command.ts'

const directory = emptyDirectory()

const bench = (...args: string[]) => commandIn(ROOT)('bench', 'cpu', ...args)

interface Row {
  readonly name: string
  readonly metric: string
  readonly value: number | string
}
const rows = (...args: string[]): Row[] => JSON.parse(bench(...args, '--json').out).rows
const values = (list: readonly Row[], metric: string) => Object.fromEntries(list.filter((row) => row.metric === metric).map(({ name, value }) => [name, value]))

describe('bench cpu', () => {
  it('runs objects in three modes, which end in one state', () => {
    const list = rows('examples/bench/compute-small.o')
    expect(list[0]).toMatchObject({ name: 'calibration', unit: 'ns a turn' })
    for (const metric of ['instructions', 'state']) {
      const found = values(list, metric)
      expect(Object.keys(found)).toEqual(['plain', 'record', 'step'])
      expect(new Set(Object.values(found)).size).toBe(1)
    }
    expect(values(list, 'steps').step).toBeGreaterThan(10)
    for (const value of Object.values(values(list, 'speed'))) expect(value).toBeGreaterThan(0)
  })

  it('runs booted images in two, for which there are no steps', () => {
    const kernel = 'test/platform/kernel/kernel.elf'
    const state = values(rows(kernel), 'state')
    expect(Object.keys(state)).toEqual(['plain', 'record'])
    expect(state.plain).toBe(state.record)
    expect(bench(kernel, '--mode', 'step')).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/^xmcheck: .*no devices.*\n$/) })
  })

  it('says in one line what cannot be run', () => {
    const empty = join(directory, 'empty.bin')
    writeFileSync(empty, '')
    for (const args of [['examples/sb.o'], ['examples/bench/compute-small.o', '--max-instructions', '10'], ['examples/bench/compute-small.o', '--rom'], ['no-such-file.o'], [empty]])
      expect(bench(...args)).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/^xmcheck: [^\n]+\n(?:[^\n]+\n)?$/) })
  })
})
