// What herd cannot say: examples/litmus, each under the knobs that decide it.
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { runLitmus } from '../../src/litmus/run.ts'
import { makeModel, PROFILES, type KnobValue } from '../../src/smp/model.ts'

const folder = new URL('../../examples/litmus/', import.meta.url)
const run = (name: string, knobs: Record<string, KnobValue> = {}) => {
  const { ok, observation, executions, states, reasons } = runLitmus(readFileSync(new URL(`${name}.litmus`, folder), 'utf8'), makeModel(knobs))
  return `${ok ? 'Ok' : 'No'} ${observation} ${states.length}/${executions}${reasons.join()}`
}
const EXPECTED: readonly (readonly [string, Record<string, KnobValue>, string])[] = [
  ['relink', {}, 'Ok Always 2/2'],
  ['relink', { fetch: 'ordered:4' }, 'Ok Always 2/2'],
  ['relink', { fetch: 'byte' }, 'No Sometimes 16/16'],
  ['relink-torn', {}, 'Ok Sometimes 3/3'],
  ['relink-torn', { fetch: 'ordered:32' }, 'No Never 2/2'],
  ['relink-torn', { fetch: 'independent:16' }, 'Ok Sometimes 4/4'],
  ['relink-torn', { fetch: 'coherent' }, 'No Never 2/2'],
  ['relink-bp', {}, 'Ok Always 3/1896'],
  ['ipi', {}, 'Ok Never 4/6'],
  ['ipi', PROFILES.x2apic.knobs, 'No Sometimes 5/8'],
  ['irq-SB', {}, 'Ok Never 11/15'],
  ['irq-SB', { interruptDrains: false }, 'Ok Never 11/15'],
  ['nmi', {}, 'Ok Always 4/15'],
  ['kick', {}, 'Ok Always 1/1'],
  ['desched-SB', {}, 'Ok Never 3/3'],
  ['remap', {}, 'Ok Never'],
  ['unmap', {}, 'Ok Always'],
]

describe('examples/litmus', () => {
  it.each(EXPECTED)('%s with %o', (name, knobs, expected) => expect(run(name, knobs).slice(0, expected.length)).toBe(expected))

  it('are all here', () => {
    const names = readdirSync(folder).map((file) => file.replace(/\.litmus$/, ''))
    expect([...new Set(EXPECTED.map(([name]) => name))].sort()).toEqual(names.sort())
  })

  it('fail where a step is left out', () => {
    const bp = readFileSync(new URL('relink-bp.litmus', folder), 'utf8')
    expect(runLitmus(bp.replace('MOV byte [P1:l],$0xcc', 'NOP'), makeModel()).observation).toBe('Sometimes')
    const kick = readFileSync(new URL('kick.litmus', folder), 'utf8')
    expect(() => runLitmus(kick.replace('KICK $1 ', 'NOP '), makeModel())).toThrow(/lost-wakeup.*vCPU 1/)
  })
})
