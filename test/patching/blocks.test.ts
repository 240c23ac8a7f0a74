// The blocks of include/xmpatch.h, xmstatic.h, xmprobe.h and xmnmi.h, compiled: what holds with each, and what does not without a part of it.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { checkImage, type Engine } from '../../src/explore/check.ts'
import { loadObjects } from '../../src/guest/loadObjects.ts'
import { imageOf, mutantsOf, originOf } from '../../src/mutation/mutants.ts'
import { observe } from '../../src/mutation/observe.ts'
import type { MachineImage } from '../../src/smp/image.ts'
import { makeModel } from '../../src/smp/model.ts'
import { LONG } from '../long.ts'

const load = (name: string, vcpus?: string): MachineImage =>
  loadObjects([{ name, bytes: new Uint8Array(readFileSync(new URL(`objects/${name}.o`, import.meta.url))) }], vcpus === undefined ? {} : { vcpus: vcpus.split(',') })

/** Kind of the violation that samples find, or `none`: everything was searched, and there is none. */
function judge(image: MachineImage, fetch: string, expected: string, engine: Engine = expected === 'none' ? 'graph' : 'pos'): string {
  const result = checkImage(image, makeModel({ fetch }), { engine, ...(engine === 'pos' ? { executions: 600 } : { liveness: 'off' }), ...(engine === 'graph' && expected !== 'none' ? { limits: { preemptions: 2 } } : {}) })
  return result.violation?.kind ?? (result.strength === 'complete' ? 'none' : result.strength)
}

/** Programs without a piece of that kind in that function. */
const mutants = (image: MachineImage, kind: string, where: string) =>
  mutantsOf(image, observe(image, makeModel({ fetch: 'byte' })))
    .filter((one) => one.kind === kind && originOf(image, one.place.address).function === where)
    .map((one) => imageOf(image, one))

describe('xmpatch.h', () => {
  it.each([
    ['relink_first,executor', 'ordered:4', 'none'],
    ['relink_first,executor', 'byte', 'illegal-target'],
    ['relink_second,executor', 'coherent', 'illegal-target'],
    ['batch_without_first,executor_of_second', 'independent:16', 'illegal-target'],
    ['batch_without_second,executor_of_second', 'independent:16', 'illegal-target'],
    ['stop,executor_stopped', 'byte', 'none'],
    ['stop,executor_stopped_without_sync', 'single', 'illegal-target'],
    ['guarded,executor', 'coherent', 'torn-instruction'],
  ])('%s on rung %s: %s', (vcpus, fetch, expected) => expect(judge(load('blocks', vcpus), fetch, expected, vcpus.startsWith('batch') ? 'dpor' : 'graph')).toBe(expected), 120_000)

  /** What is taken away of the machine code of sync.c, and where. */
  it.each([
    ...(LONG ? [['sync', 'nothing', '', 'none']] : []),
    // Answered before it serialises: by the IRET.
    ...(LONG ? [['sync', 'core synchronisation removed', 'xm_sync_handler', 'assertion']] : []),
    ['sync-ONLINE', 'nothing', '', 'none'],
    ['sync-ONLINE', 'fence removed', 'xm_sync_others', 'assertion'],
    ['sync-ONLINE', 'store removed', 'comes_online', 'assertion'],
    ['sync-ONLINE', 'core synchronisation removed', 'comes_online', 'assertion'],
  ])('%s with %s %s: %s', (name, kind, where, expected) => {
    const image = load(name)
    const mutant = kind === 'nothing' ? image : mutants(image, kind, where)[0]
    expect(judge(mutant, 'byte', expected, name === 'sync' ? 'graph' : undefined)).toBe(expected)
  }, 120_000)
})

describe('xmnmi.h', () => {
  it('writes code that NMIs run', () => expect(judge(load('nmi'), 'byte', 'none')).toBe('none'), 120_000)
  it('does not without that who comes meanwhile writes it too', () => {
    const helpers = mutants(load('nmi'), 'store removed', 'nmi')
    expect(helpers.length).toBeGreaterThan(0)
    for (const image of helpers) expect(judge(image, 'byte', 'torn-instruction')).toBe('torn-instruction')
  })
})

describe('xmstatic.h', () => {
  it.each(['static-CALL', 'static-KEY', 'static-TO_direct', 'static-TO_native'])('%s: old or new for interrupts in between', (name) =>
    expect(judge(load(name, 'same'), 'byte', 'none')).toBe('none'), 120_000)
  it.each([
    ['static-CALL', 'without_first', 'torn-instruction'],
    ['static-NONE', 'without_first', 'torn-instruction'],
    ['static-KEY', 'without_first', 'torn-instruction'],
    ['static-TO_direct', 'without_second', 'torn-instruction'],
  ])('%s, %s: %s', (name, patcher, expected) => expect(judge(load(name, `${patcher},caller`), 'byte', expected)).toBe(expected), 120_000)
  it('enables and disables a key for two', () => {
    expect(judge(load('static-KEY-USERS', 'user,user'), 'coherent', 'none')).toBe('none')
    expect(judge(load('static-KEY-USERS', 'careless_user,careless_user'), 'coherent', 'assertion')).toBe('assertion')
  }, 120_000)
})

describe('xmprobe.h', () => {
  const [plain, boosted] = ['probe-KIND_XM_PROBE_PLAIN', 'probe-KIND_XM_PROBE_BOOSTED']
  it.each([
    [plain, 'there_and_back', 'none'],
    [plain, 'arm_without_sync,counted', 'assertion'],
    [boosted, 'arm_without_sync,counted', 'assertion'],
    [boosted, 'disarm,runner', 'use-after-free'], // interrupts are on in the copy: a synchronisation does not wait for who is in it
    [boosted, 'there_and_back', 'none'],
    [boosted, 'jumps_without_first,late', 'torn-instruction'],
    [boosted, 'jumps_without_second,late', 'torn-instruction'],
  ])('%s: %s: %s', (name, vcpus, expected) => expect(judge(load(name, vcpus), 'byte', expected)).toBe(expected), 120_000)
})
