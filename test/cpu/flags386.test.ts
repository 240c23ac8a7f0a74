// Flags that the manual leaves undefined, by class: the 386's as real ones leave them (flags386.ts says how that is known).
import { describe, expect, it } from 'vitest'
import { classOf } from '../../src/cpu/classes.ts'
import { decode } from '../../src/cpu/decode.ts'
import { GENERIC, ROL_R, SAR_R, SHL_R, SHR_R } from '../../src/cpu/formNumbers.ts'
import { BlockOp } from '../../src/cpu/forms.ts'
import * as reg from '../../src/cpu/registers.ts'
import { World } from './protectedMode.ts'

const NAMES: readonly (readonly [string, number])[] = [['C', reg.CF], ['P', reg.PF], ['A', reg.AF], ['Z', reg.ZF], ['S', reg.SF], ['O', reg.OF]]

/** Arithmetic flags after `text`, by letter, with AX, ECX and the flags `before`. */
function flags(className: string, text: string, ax: number, cx: number, before: string): string {
  const world = new World(className)
  world.r[reg.EAX] = ax
  world.r[reg.ECX] = cx
  for (const [letter, bit] of NAMES) if (before.includes(letter)) world.r[reg.EFLAGS] |= bit
  world.code(`${text}\nhlt`).run()
  return NAMES.filter(([, bit]) => (world.r[reg.EFLAGS] & bit) !== 0).map(([letter]) => letter).join('')
}

describe('a 386', () => {
  it.each<[string, number, number, string, string]>([
    ['shr al, cl', 0x82, 2, '', 'CA'], ['shr al, cl', 0x80, 8, '', 'CPAZ'], ['shr al, cl', 0x80, 16, '', 'CPAZ'], ['shr al, cl', 0, 24, 'C', 'PAZ'], ['shr al, cl', 0x80, 9, '', 'PAZ'],
    ['shr al, cl', 0x80, 32, 'CO', 'CO'], ['shl al, cl', 1, 16, '', 'CPAZO'], ['shl al, cl', 2, 16, 'C', 'PAZ'], ['shl al, cl', 0x41, 2, '', 'CAO'], ['shl ax, cl', 1, 16, '', 'CPAZO'],
    ['sar al, cl', 0x80, 16, '', 'CPAS'], ['shl eax, cl', 1, 31, '', 'PASO'],
    ['bt ax, cx', 1, 0, 'C', 'C'], ['bt ax, cx', 1, 1, '', 'O'], ['bt ax, cx', 1, 2, 'C', 'O'], ['bt ax, cx', 1, 3, 'O', ''],
    ['aaa', 0x7a, 0, '', 'CASO'], ['aaa', 1, 0, 'PZSO', ''], ['aas', 0, 0, 'A', 'CPAS'], ['aas', 0x680, 0, 'A', 'CAO'],
    ['daa', 0x1a, 0, 'C', 'CASO'], ['daa', 0x1a, 0, 'AO', 'A'], ['das', 0x80, 0, 'A', 'AO'], ['das', 0x80, 0, 'O', 'S'],
    ['aad', 0xd8e, 0, '', 'CAO'], ['aad', 0x106, 0, '', 'A'], ['aad', 0x1f7, 0, '', 'CA'], ['aam', 0, 0, 'CAO', 'PZ'],
    ['rcr al, cl', 0x40, 9, 'CO', 'CO'], ['rcl al, cl', 0x80, 9, 'CO', 'C'],
  ])('%s of %i by %i with %s leaves %s', (text, ax, cx, before, after) => {
    expect(flags('386', text, ax, cx, before)).toBe(after)
  })

  it('has its shifts done by their handlers in blocks too: the forms leave flags as later parts do', () => {
    const forms = (name: string) => [[0xc1, 0xe0, 3], [0xd1, 0xe8], [0xd3, 0xf8], [0xd3, 0xc0]].map((bytes) => new BlockOp(decode(Uint8Array.from(bytes), 0, bytes.length, true), 0, classOf(name)).form)
    expect(forms('386')).toEqual([GENERIC, GENERIC, GENERIC, ROL_R])
    expect(forms('486')).toEqual([SHL_R, SHR_R, SAR_R, ROL_R])
  })

  it('differs from later parts in what is undefined only', () => {
    expect([flags('p4', 'shr al, cl', 0x82, 2, ''), flags('p4', 'bt ax, cx', 1, 1, ''), flags('p4', 'aaa', 0x7a, 0, '')]).toEqual(['C', '', 'CA'])
  })
})
