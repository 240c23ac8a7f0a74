// Page attributes (examples/attributes): large pages split by two vCPUs, page attribute tables that do not agree.
import { expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { makeModel } from '../../src/smp/model.ts'
import { programAt } from '../programs.ts'

const PROGRAMS: readonly (readonly [string, string])[] = [
  ['split', 'holds complete'],
  ['split-UNLOCKED', 'assertion'],
  ['split-SPLIT_LOCKED', 'holds complete'],
  ['split-UNLOCKED-COMPARED', 'holds complete'],
  ['pat', 'holds complete'],
  ['pat-RAW', 'cache-alias'],
  ['pat-NATIVE-RAW', 'holds complete'],
  ['pat-NATIVE-RAW-ONE_VCPU', 'cache-alias'],
  ['pat-NATIVE-RAW-LATE', 'cache-alias'],
  ['pat-NATIVE-RAW-LATE-FLUSHED', 'holds complete'],
  ['pat-ALIAS', 'cache-alias'],
]

it.each(PROGRAMS)('page attributes: %s', (name, expected) => {
  // By dpor where there is more to it than one order.
  for (const engine of name.includes('NATIVE') ? (['graph'] as const) : (['graph', 'dpor'] as const)) {
    const { violation, verdict, strength } = checkImage(programAt(`examples/attributes/objects/${name}.o`), makeModel(), { engine })
    expect([engine, violation?.kind ?? `${verdict} ${strength}`]).toEqual([engine, expected])
  }
})
