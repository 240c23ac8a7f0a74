// The blocks of include/ as a library, from GNU assembler and from nasm: what holds with each, and what does not without a part of it.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { loadObjects } from '../../src/guest/loadObjects.ts'
import { BLOCK_OBJECTS, BLOCK_SOURCES } from '../../src/guest/runtime/blockObjects.ts'
import { NOPS } from '../../src/patching/blocks.ts'
import type { MachineImage } from '../../src/smp/image.ts'
import { makeModel } from '../../src/smp/model.ts'
import { inputErrorOf, object, text } from '../guest/fixtures.ts'
import { LONG } from '../long.ts'

const bytesOf = (name: string) => new Uint8Array(readFileSync(new URL(`objects/${name}.o`, import.meta.url)))
const load = (name: string, vcpus?: string): MachineImage => loadObjects([{ name, bytes: bytesOf(name) }], vcpus === undefined ? {} : { vcpus: vcpus.split(',') })
/** `none`: everything was searched, and there is no violation. */
function judge(image: MachineImage, options: Parameters<typeof checkImage>[2], fetch = 'byte'): string {
  const result = checkImage(image, makeModel({ fetch }), { liveness: 'off', ...options })
  return result.violation?.kind ?? (result.strength === 'complete' ? 'none' : result.strength)
}

it('the library is what build.sh made of the sources as they are', () => {
  const changed = Object.entries(BLOCK_SOURCES).filter(([name, digest]) => createHash('sha256').update(readFileSync(new URL(`../../${name}`, import.meta.url))).digest('hex') !== digest)
  expect(changed.map(([name]) => name)).toEqual([])
})

describe.each(['S', 'asm'])('the blocks from .%s', (assembler) => {
  const program = (name: string, vcpus?: string) => load(`assembly-${assembler}-${name}`, vcpus)
  const [CHEAP, REST] = [['LAZY', 'PROBE', 'PV', 'NMI'], ['BATCH', 'KEY', 'POKE', 'TASKS', 'CALL', 'ALIAS']]
  it.each([...CHEAP, ...(LONG ? REST : [])])('%s: holds', (name) => expect(judge(program(name), { engine: 'graph' })).toBe('none'), 120_000)
  // The others take seconds: here, that samples go well.
  it.each(LONG ? [] : REST)('%s: goes well', (name) => expect(judge(program(name), { engine: 'pos', executions: 4 })).toBe('sampled'))
  it.each([
    ...(LONG ? [['POKE', 'without_first,caller', 'illegal-target'], ['POKE', 'without_second,caller', 'illegal-target'], ['POKE', 'without_third,caller', 'stale-code'], ['ALIAS', 'careless', 'torn-instruction']] : []),
    ['TASKS', 'careless', 'use-after-free'],
  ])('%s, %s: %s', (name, vcpus, expected) => expect(judge(program(name, vcpus), { engine: 'graph', limits: { preemptions: 2 } })).toBe(expected), 120_000)
})

it.each([
  ['gas', 'patcher', 'coherent', 'dpor', 'none'],
  ['gas', 'hasty', 'independent:16', 'graph', 'illegal-target'],
  ['nasm', 'hasty', 'independent:16', 'graph', 'illegal-target'],
] as const)('the example for %s, %s on rung %s by %s: %s', (assembler, patcher, fetch, engine, expected) => {
  const image = loadObjects([object(`examples/textpoke-${assembler}.o`)], { vcpus: [patcher, 'caller'] })
  expect(judge(image, { engine }, fetch)).toBe(expected)
}, 60_000)

describe('the library', () => {
  it('is linked where a block is called, and nowhere else', () => {
    expect(load('assembly-asm-LAZY').symbols.some(({ name }) => name === 'xm_text_poke')).toBe(true)
    expect(load('blocks').symbols.some(({ name }) => name === 'xm_pv_patch')).toBe(false)
  })
  it('has lines', () => {
    const { lines, symbols } = load('assembly-S-POKE')
    const { address } = symbols.find(({ name }) => name === 'xm_text_poke')!
    expect(lines.find((line) => line.address === address)!.file).toBe('include/xmpatch.h')
  })
  it('names itself where a block is misspelled', () => {
    const bytes = bytesOf('assembly-asm-LAZY')
    const misspelled = Buffer.from(bytes).toString('latin1').replaceAll('xm_sync_handler', 'xm_sync_hundler')
    expect(inputErrorOf(() => loadObjects([{ name: 'x.o', bytes: new Uint8Array(Buffer.from(misspelled, 'latin1')) }])).message).toMatch(/xm_sync_hundler.*include\/xmpatch\.inc/s)
  })
})

describe.each(['include/xmpatch.inc', 'include/xmpatch.S.inc'])('%s', (path) => {
  const source = text(path)
  const constants = (file: string) =>
    Object.fromEntries([...file.matchAll(/^(?:#define|%define|\.set) (XM_(?:SYNC\d|KEY_BUSY|PROBE_PLAIN|PROBE_BOOSTED|PV_LEFT|PV_INDIRECT|PV_DIRECT|PV_INLINE|SYNC_VECTOR|TIMER_VECTOR|YIELD_VECTOR|ALIAS)),? (\w+?)u?(?: .*)?$/gm)].map((match) => [match[1], Number(match[2])]))
  it('spells the numbers of the headers', () => {
    const headers = ['xmpatch.h', 'xmstatic.h', 'xmprobe.h', 'xmalias.h', 'xmpv.h', 'xmtask.h'].map((name) => text(`include/${name}`)).join('\n')
    expect(constants(source)).toEqual(constants(headers))
    expect(Object.keys(constants(source)).length).toBe(14)
  })
  it('spells the NOPs', () => {
    const bytes = (name: string) => new RegExp(`(?:%define ${name} |\\.macro ${name}\\n\\t\\.byte )(.*)`).exec(source)![1].split(', ').map(Number)
    for (const [family, nops] of Object.entries(NOPS)) for (const nop of nops) expect(bytes(`XM_${family.toUpperCase()}_NOP${nop.length}`)).toEqual(nop)
  })
  it('lists functions that are there', () => {
    const defines = new Set(BLOCK_OBJECTS.flatMap((one) => one.defines))
    const named = [...new Set(source.matchAll(/\bxm_[a-z_0-9]+\b/g))].map(([name]) => name).filter((name) => !/^xm_(int3_|pushed)/.test(name))
    expect(named.filter((name) => !defines.has(name))).toEqual([])
    expect(new Set(named).size).toBeGreaterThan(40)
  })
})
