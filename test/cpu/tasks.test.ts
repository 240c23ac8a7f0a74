// Hardware task switching (SDM vol. 3A chapter 9).
import { describe, expect, it } from 'vitest'
import * as reg from '../../src/cpu/registers.ts'
import { CODE0, CODE3, DATA0, DATA3, FREE, GDT, name, TASK, TSS, World } from './protectedMode.ts'

const TSS2 = 0x4000
const TASK2 = FREE
const GATE = FREE + 8

/** A second task at `task` of the code; its own stack at 5000. */
function withTask(world: World, state: Partial<Record<'eip' | 'eflags' | 'cs' | 'ss' | 'ds' | 'ldt' | 'cr3' | 'trap' | 'esp', number>> = {}): World {
  world.descriptor(TASK2, { base: TSS2, limit: 0x67, attr: 0x89 })
  world.gate(0, { selector: TASK2, type: 0x85, at: GDT + GATE })
  const { eip = world.labels.get('task') ?? 0, eflags = 2, cs = CODE0, ss = DATA0, ds = DATA0, ldt = 0, cr3 = 0xe000, trap = 0, esp = 0x5000 } = state
  for (const [at, value] of [[0x1c, cr3], [0x20, eip], [0x24, eflags], [0x28, 0xa0], [0x2c, 0xc0], [0x30, 0xd0], [0x34, 0xb0], [0x38, esp], [0x3c, 0xb5], [0x40, 0x51], [0x44, 0xd1],
    [0x48, DATA0], [0x4c, cs], [0x50, ss], [0x54, ds], [0x58, 0], [0x5c, DATA0], [0x60, ldt], [0x64, trap]])
    world.write32(TSS2 + at, value)
  return world
}
const rights = (world: World, selector: number) => world.machine.bus.bytes[GDT + (selector & ~7) + 5]

describe('switching', () => {
  const text = (how: string) => `mov eax, 1\nmov ecx, 2\nmov ebp, 3\nstc\n${how}\nback: hlt\ntask: hlt`

  it.each([['jmp TASK2:0'], ['jmp GATE:0']])('%s saves the old task, loads the new, moves the busy bit', (how) => {
    const world = new World()
    world.code(text(how.replace('TASK2', 'FREE').replace('GATE', '(FREE + 8)')))
    withTask(world)
    expect(name(world.run())).toBe('HLT')
    const r = world.r
    expect([r[reg.EIP], r[reg.EAX], r[reg.ECX], r[reg.ESP], r[reg.EBP], r[reg.EDI], r[reg.EFLAGS]]).toEqual([world.at('task') + 1, 0xa0, 0xc0, 0x5000, 0xb5, 0xd1, 2])
    expect([r[reg.SELECTOR + reg.TR], r[reg.SEG_BASE + reg.TR], r[reg.SEG_ATTR + reg.TR], r[reg.CR0] & 8]).toEqual([TASK2, TSS2, 0x8b, 8])
    expect([rights(world, TASK), rights(world, TASK2)]).toEqual([0x89, 0x8b])
    expect([0x20, 0x24, 0x28, 0x2c, 0x38, 0x3c, 0x48, 0x4c, 0x50].map((at) => world.read32(TSS + at))).toEqual(
      [world.at('back'), 3, 1, 2, 0x7000, 3, DATA0, CODE0, DATA0])
    expect(world.read16(TSS2)).toBe(0)
  })

  it.each([['call FREE:0'], ['call (FREE + 8):0']])('%s nests, and IRET comes back', (how) => {
    const world = new World()
    world.code(`mov eax, 1\n${how}\nback: pushfd\npop edx\nhlt\ntask: pushfd\npop ecx\nmov ebx, [FREE * 0 + ${TSS2}]\niret\nagain: hlt`)
    withTask(world)
    expect(name(world.run())).toBe('HLT')
    const r = world.r
    expect([r[reg.EAX], r[reg.SELECTOR + reg.TR], r[reg.EDX] & reg.NT]).toEqual([1, TASK, 0])
    expect([world.read32(TSS2 + 0x2c) & reg.NT, world.read32(TSS2 + 0x34), world.read32(TSS2 + 0x24) & reg.NT]).toEqual([reg.NT, TASK, 0])
    expect([rights(world, TASK), rights(world, TASK2), world.read32(TSS2 + 0x20)]).toEqual([0x8b, 0x89, world.at('again')])
  })

  it('through an interrupt task gate, with the error code on the new stack', () => {
    const world = new World().user()
    world.code('bad: mov [cs:0], eax\ntask: hlt')
    withTask(world)
    world.gate(13, { selector: TASK2, type: 0x85 })
    expect(name(world.run())).toBe('HLT')
    expect([world.r[reg.ESP], world.read32(0x4ffc), world.read32(TSS + 0x20), world.read32(TSS + 0x24) & reg.RF]).toEqual([0x4ffc, 0, world.at('bad'), reg.RF])
    expect([world.r[reg.SELECTOR + reg.CS], world.r[reg.EFLAGS] & reg.NT, world.read16(TSS2)]).toEqual([CODE0, reg.NT, TASK])
  })

  it('INT n through a task gate points behind the instruction, and needs the DPL', () => {
    const world = new World().user()
    world.code('int 0x90\nafter: nop\ntask: hlt')
    withTask(world)
    world.gate(0x90, { selector: TASK2, type: 0xe5 })
    expect(name(world.run())).toBe('HLT')
    expect(world.read32(TSS + 0x20)).toBe(world.at('after'))
    const other = new World().user()
    other.code('bad: int 0x90\ntask: hlt')
    withTask(other)
    other.gate(0x90, { selector: TASK2, type: 0x85 })
    const end = other.run()
    expect([name(end), end.eip]).toEqual(['#GP(482)', other.at('bad')])
  })

  it('to ring 3, to virtual-8086 mode, with an LDT', () => {
    const world = new World()
    world.code('jmp FREE:0\ntask: int 0x80')
    withTask(world, { cs: CODE3, ss: DATA3, ldt: 0x40 })
    world.write32(TSS2 + 4, 0x6000)
    world.write32(TSS2 + 8, DATA0)
    for (const at of [0x48, 0x54, 0x5c]) world.write32(TSS2 + at, DATA3)
    const end = world.run()
    expect([name(end), end.cs, world.r[reg.SELECTOR + reg.LDTR], world.r[reg.ESP]]).toEqual(['INT 80', CODE3, 0x40, 0x6000 - 20])
    const virtual = new World()
    virtual.code('jmp FREE:0\ntask: int3')
    withTask(virtual, { eip: virtual.at('task') & 0xffff, cs: 0x1000, ss: 0x400, ds: 0x1234, eflags: 0x20002 })
    virtual.write32(TSS2 + 4, 0x6000)
    virtual.write32(TSS2 + 8, DATA0)
    virtual.gate(3, { selector: CODE0, offset: 0x8003, type: 0xee })
    const v86 = virtual.run()
    expect([name(v86), v86.cs, v86.eflags & reg.VM, virtual.read32(0x6000 - 12)]).toEqual(['#BP', 0x1000, reg.VM, 0x1234])
  })

  it('16-bit TSS: words, FS and GS null, upper halves of ones', () => {
    const world = new World()
    world.code('jmp FREE:0\ntask: hlt')
    world.descriptor(TASK2, { base: TSS2, limit: 0x2b, attr: 0x81 })
    world.descriptor(0x90, { base: 0x10000, limit: 0xffff, attr: 0x409a })
    const words = [[0x0e, world.at('task') & 0xffff], [0x10, 0x803], [0x12, 0x1111], [0x1a, 0x5000], [0x22, DATA0], [0x24, 0x90], [0x26, DATA0], [0x28, DATA0], [0x2a, 0]]
    for (const [at, value] of words) world.write16(TSS2 + at, value)
    expect(name(world.run())).toBe('HLT')
    const r = world.r
    expect([r[reg.EAX] >>> 0, r[reg.ESP] >>> 0, r[reg.EFLAGS], r[reg.SELECTOR + reg.FS], r[reg.SEG_ATTR + reg.FS]]).toEqual([0xffff1111, 0xffff5000, 0x803, 0, 0])
    // And back: the 16-bit task is saved as words.
    const other = new World()
    other.code('times 8 nop\ntask: hlt')
    other.r[reg.SEG_ATTR + reg.TR] = 0x83
    other.machine.bus.bytes[GDT + TASK + 5] = 0x83
    other.r[reg.EAX] = 0x12345678
    other.code('jmp FREE:0\ntask: hlt')
    withTask(other)
    expect(name(other.run())).toBe('HLT')
    expect([other.read16(TSS + 0x12), other.read16(TSS + 0x14), other.read16(TSS + 0x0e)]).toEqual([0x5678, 0, 0x0007])
  })

  it('loads CR3 when paging, and clears the local breakpoints', () => {
    const world = new World().paging()
    world.r[reg.DR7] = 0x4ff
    world.code('jmp FREE:0\ntask: mov eax, cr3\nhlt')
    withTask(world, { cr3: 0xe018 })
    expect(name(world.run())).toBe('HLT')
    expect([world.r[reg.EAX], world.r[reg.DR7]]).toEqual([0xe018, 0x4aa])
  })

  it('T bit: a debug trap before the first instruction of the new task', () => {
    const world = new World()
    world.code('jmp FREE:0\ntask: nop')
    withTask(world, { trap: 1 })
    const end = world.run()
    expect([name(end), end.eip, world.r[reg.DR6] & 0xe00f]).toEqual(['#DB', world.at('task'), 0x8000])
  })
})

describe('faults before the switch leave the old task', () => {
  it.each<[string, string, (world: World) => void, string]>([
    ['busy', 'bad: jmp FREE:0', (w) => w.descriptor(TASK2, { base: TSS2, limit: 0x67, attr: 0x8b }), '#GP(80)'],
    ['absent', 'bad: jmp FREE:0', (w) => w.descriptor(TASK2, { base: TSS2, limit: 0x67, attr: 0x09 }), '#NP(80)'],
    ['too small', 'bad: jmp FREE:0', (w) => w.descriptor(TASK2, { base: TSS2, limit: 0x66, attr: 0x89 }), '#TS(80)'],
    ['16-bit, too small', 'bad: call FREE:0', (w) => w.descriptor(TASK2, { base: TSS2, limit: 0x2a, attr: 0x81 }), '#TS(80)'],
    ['a gate to a busy task', 'bad: call 0x88:0', (w) => w.descriptor(TASK2, { base: TSS2, limit: 0x67, attr: 0x8b }), '#GP(80)'],
    ['a gate to an LDT selector', 'bad: call 0x88:0', (w) => w.gate(0, { selector: 4, type: 0x85, at: GDT + GATE }), '#GP(4)'],
    ['an absent gate', 'bad: call 0x88:0', (w) => w.gate(0, { selector: TASK2, type: 0x05, at: GDT + GATE }), '#NP(88)'],
    ['RPL above DPL', 'bad: jmp FREE + 3:0', () => {}, '#GP(80)'],
    ['IRET to a task that is not busy', 'pushfd\nor dword [esp], 0x4000\npopfd\nmov word [TSS], FREE\nbad: iret', () => {}, '#TS(80)'],
    ['IRET to a null backlink', 'pushfd\nor dword [esp], 0x4000\npopfd\nbad: iret', () => {}, '#TS(0)'],
  ])('%s', (_what, text, spoil, expected) => {
    const world = new World()
    world.code(`${text}\ntask: hlt`)
    withTask(world)
    spoil(world)
    const end = world.run()
    expect([name(end), end.eip, world.r[reg.SELECTOR + reg.TR], rights(world, TASK)]).toEqual([expected, world.at('bad'), TASK, 0x8b])
  })
  it('a page fault on either TSS can be restarted', () => {
    for (const page of [TSS, TSS2]) {
      const world = new World().paging().page(page, 6)
      world.code('bad: jmp FREE:0\ntask: hlt')
      withTask(world)
      // The inner stack is not needed: the fault is taken in ring 0.
      const end = world.run()
      expect([name(end), end.eip, world.r[reg.SELECTOR + reg.TR], rights(world, TASK), rights(world, TASK2)]).toEqual([
        page === TSS ? '#PF(2)' : '#PF(0)', world.at('bad'), TASK, 0x8b, 0x89])
    }
  })
})

describe('faults in the new task', () => {
  it.each<[string, Parameters<typeof withTask>[1], string]>([
    ['an LDT that is none', { ldt: DATA0 }, '#TS(10)'],
    ['a local LDT selector', { ldt: 0x44 }, '#TS(44)'],
    ['a null CS', { cs: 0 }, '#TS(0)'],
    ['data in CS', { cs: DATA0 }, '#TS(10)'],
    ['CS of another level', { cs: CODE3 & ~3 }, '#TS(18)'],
    ['absent CS', { cs: 0x90 }, '#NP(90)'],
    ['null SS', { ss: 0 }, '#TS(0)'],
    ['SS of another level', { ss: DATA3 }, '#TS(20)'],
    ['absent SS', { ss: 0x60 }, '#SS(60)'],
    ['execute-only DS', { ds: 0x68 }, '#TS(68)'],
    ['absent DS', { ds: 0x60 }, '#NP(60)'],
    ['DS outside the table', { ds: 0x200 }, '#TS(200)'],
  ])('%s', (_what, state, expected) => {
    const world = new World()
    world.code('jmp FREE:0\ntask: hlt\nhandler: hlt')
    withTask(world, state)
    world.descriptor(0x90, { attr: 0xc01a })
    // A third task takes the fault: the second one may have no stack.
    world.descriptor(0x98, { base: 0x4200, limit: 0x67, attr: 0x89 })
    for (const [at, value] of [[0x20, world.at('handler')], [0x24, 2], [0x38, 0x5800], [0x48, DATA0], [0x4c, CODE0], [0x50, DATA0], [0x54, DATA0], [0x1c, 0xe000]]) world.write32(0x4200 + at, value)
    for (const vector of [10, 11, 12, 13]) world.gate(vector, { selector: 0x98, type: 0x85 })
    world.run()
    const got = { '#TS': 10, '#NP': 11, '#SS': 12 }[expected.slice(0, 3)]
    expect([world.r[reg.EIP], world.read32(0x5800 - 4).toString(16), world.read16(0x4200), world.read32(TSS2 + 0x20)]).toEqual([
      world.at('handler') + 1, expected.slice(4, -1), TASK2, world.at('task')])
    expect([rights(world, TASK), rights(world, TASK2)]).toEqual([0x89, 0x8b])
    expect(got).toBeDefined()
  })
  it('EIP beyond the limit: #GP(0) there', () => {
    const world = new World()
    world.code('jmp FREE:0\ntask: hlt')
    withTask(world, { eip: 0x1000, cs: 0x90 })
    world.descriptor(0x90, { limit: 0xff, attr: 0x409a })
    const end = world.run()
    expect([name(end), end.eip, end.cs]).toEqual(['#GP(0)', 0x1000, 0x90])
  })
})
