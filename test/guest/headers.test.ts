import { describe, expect, it } from 'vitest'
import { RECORD_KINDS } from '../../src/guest/records.ts'
import { BELIEVED } from '../../src/smp/image.ts'
import { GUEST_CALL_TAG, GUEST_CALLS } from '../../src/smp/guestCalls.ts'
import { text } from './fixtures.ts'

const upper = (table: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(table).map(([name, number]) => [name.toUpperCase(), number]))

describe.each(['include/xmcheck.h', 'include/xmcheck.inc', 'include/xmcheck.S.inc'])('%s', (path) => {
  const source = text(path)
  const numbers = (prefix: string) =>
    Object.fromEntries(
      [...source.matchAll(new RegExp(`^[#%]?(?:define|\\.set) ${prefix}([A-Z0-9]+),? (\\d+)$`, 'gm'))].map(
        (match) => [match[1], Number(match[2])],
      ),
    )

  it('spells the numbers of the calls', () => {
    expect(numbers('XM_CALL_')).toEqual(upper(GUEST_CALLS))
    expect(source).toContain(`0x${GUEST_CALL_TAG.toString(16).toUpperCase()}0000 +`)
  })

  it('spells the numbers of the records', () => {
    expect(numbers('XM_KIND_')).toEqual(upper(RECORD_KINDS))
  })
})

it('include/xmcheck.h spells the numbers of what is believed', () => {
  const names = [...text('include/xmcheck.h').matchAll(/^#define XM_IS_([A-Z0-9_]+) (\d+)/gm)]
  expect(names.map(([, name, number]) => [name.replaceAll('_', ''), Number(number)])).toEqual(BELIEVED.map((name, number) => [name.toUpperCase(), number]))
})
