// What herd cannot say: examples/litmus, each under the knobs that decide it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { runLitmus } from '../../src/litmus/run.ts'
import { KNOBS, makeModel, PROFILES, type KnobValue } from '../../src/smp/model.ts'
import { commandIn, emptyDirectory } from '../cli/command.ts'

const folder = new URL('../../examples/litmus/', import.meta.url)
const textOf = (name: string) => readFileSync(new URL(`${name}.litmus`, folder), 'utf8')
const judge = (source: string, knobs: Record<string, KnobValue> = {}) => {
  const { ok, observation, states, reasons } = runLitmus(source, makeModel(knobs), {}, 'classes')
  return `${ok ? 'Ok' : 'No'} ${observation} ${states.length}${reasons.join()}`
}
/** Name, knobs, and what comes of it: result, observation, final states. */
const EXPECTED: readonly (readonly [string, Record<string, KnobValue>, string])[] = [
  ['relink', {}, 'Ok Always 2'],
  ['relink', { fetch: 'ordered:4' }, 'Ok Always 2'],
  ['relink', { fetch: 'byte' }, 'No Sometimes 16'],
  ['relink-torn', {}, 'Ok Sometimes 3'],
  ['relink-torn', { fetch: 'ordered:32' }, 'No Never 2'],
  ['relink-torn', { fetch: 'independent:16' }, 'Ok Sometimes 4'],
  ['relink-torn', { fetch: 'coherent' }, 'No Never 2'],
  ['ipi', {}, 'Ok Never 4'],
  ['ipi', PROFILES.x2apic.knobs, 'No Sometimes 5'],
  ['irq-SB', {}, 'Ok Never 11'],
  ['irq-SB', { interruptDrains: false }, 'Ok Never 11'],
  ['nmi', {}, 'Ok Always 4'],
  ['kick', {}, 'Ok Always 1'],
  ['desched-SB', {}, 'Ok Never 3'],
  ['remap', {}, 'Ok Never 3'],
  // A model that caches no translation has no knob for it.
  ...(KNOBS.some(({ name }) => name === 'tlb') ? ([['remap-stale', {}, 'Ok Sometimes 4'], ['remap-stale', { tlb: 'none' }, 'No Never 3']] as const) : ([['remap-stale', {}, 'No Never 3']] as const)),
  ['unmap', {}, 'Ok Always 4'],
]

describe('examples/litmus', () => {
  it.each(EXPECTED)('%s with %o', (name, knobs, expected) => expect(judge(textOf(name), knobs)).toBe(expected))

  it('are all here', () => {
    const names = readdirSync(folder).map((file) => file.replace(/\.litmus$/, ''))
    expect([...new Set([...EXPECTED.map(([name]) => name), 'relink-bp'])].sort()).toEqual(names.sort())
  })

  it.each([
    ['kick', 'KICK $1 ', 'NOP ', /lost-wakeup.*vCPU 1/],
    ['relink', '$0x22222222', '$0xffffffff', /No Sometimes 2/],
    ['desched-SB', 'DESCHED ', 'NOP ', /No Sometimes 4/],
  ])('%s is another test without %s', (name, from, to, expected) => {
    const source = textOf(name).replaceAll(from, to)
    expect(source).not.toBe(textOf(name))
    let result: string
    try {
      result = judge(source)
    } catch (error) {
      result = (error as Error).message
    }
    expect(result).toMatch(expected)
  })

  // The bundle is several times faster.
  const directory = emptyDirectory()
  it('needs its INT3', () => {
    const path = join(directory, 'no-int3.litmus')
    writeFileSync(path, textOf('relink-bp').replace('MOV byte [P1:l],$0xcc', 'NOP'))
    const { out } = commandIn(directory)('litmus', fileURLToPath(new URL('relink-bp.litmus', folder)), path, '--engine', 'classes')
    expect(out.match(/^(?:Ok|No|Observation \S+ \S+)/gm)).toEqual(['Ok', 'Observation relink-bp Always', 'No', 'Observation relink-bp Sometimes'])
  })
})
