// Far transfers, call gates, interrupt delivery and returns between privilege levels (SDM vol. 3A 6.8, 7.12).
import { describe, expect, it } from 'vitest'
import * as reg from '../../src/cpu/registers.ts'
import { CODE, CODE0, CODE1, CODE3, DATA0, DATA1, DATA3, FREE, GDT, IDT, name, TSS, World, type End } from './protectedMode.ts'

const summary = (world: World, end: End) => `${name(end)}${world.labels.has('bad') && end.vector >= 0 ? (end.eip === world.at('bad') ? ' at bad' : ` at ${end.eip.toString(16)}`) : ''}`
const ring0 = (text: string, prepare: (world: World) => void = () => {}) => {
  const world = new World()
  prepare(world)
  return summary(world, world.code(text + '\nhlt').run())
}
const ring3 = (text: string, prepare: (world: World) => void = () => {}) => {
  const world = new World().user()
  prepare(world)
  return summary(world, world.code(text + '\nint 0x80').run())
}

describe('far JMP and CALL to code', () => {
  it.each([
    ['jmp CODE0:next\nnext:', 'HLT'],
    ['bad: jmp 0:0', '#GP(0) at bad'],
    ['bad: jmp 0x1fb:0', '#GP(1f8) at bad'],
    ['bad: jmp CODE3:0', '#GP(18) at bad'],
    ['bad: jmp DATA0:0', '#GP(10) at bad'],
    ['bad: jmp 0x0b:next\nnext:', '#GP(8) at bad'],
    ['bad: jmp ABSENT:0', '#GP(60) at bad'],
    ['jmp CONFORMING:next\nnext:', 'HLT'],
    ['bad: call CODE16:0xffff0', '#GP(0) at bad'],
  ])('%s: %s', (text, expected) => {
    expect(ring0(text)).toBe(expected)
  })
  it('from ring 3: conforming code stays at ring 3, ring 0 code faults, absent code is #NP', () => {
    expect(ring3('jmp CONFORMING:next\nnext: mov ax, cs\ncmp ax, 0x4b\nje ok\nud2\nok:')).toBe('INT 80')
    expect(ring3('bad: jmp CODE0:0')).toBe('#GP(8) at bad')
    expect(ring3('bad: call 0x0b:0')).toBe('#GP(8) at bad')
    expect(ring0('bad: call FREE:0', (world) => world.descriptor(FREE, { attr: 0xc01a }))).toBe('#NP(80) at bad')
  })
  it('CALL pushes CS and EIP by operand size, RET comes back and releases parameters', () => {
    const world = new World()
    world.code('push dword 0x99\ncall CODE0:sub\nafter: hlt\nsub: mov eax, [esp]\nmov ebx, [esp + 4]\nretf 4').run()
    expect([world.r[reg.EAX], world.r[reg.EBX], world.r[reg.ESP]]).toEqual([world.at('after'), CODE0, 0x7000])
    const small = new World()
    small.code('o16 call CODE16:(sub - $$)\nafter: hlt\nbits 16\nsub: mov ax, [esp]\nmov bx, [esp + 2]\nhlt').run()
    expect([small.r[reg.EAX] & 0xffff, small.r[reg.EBX] & 0xffff, small.r[reg.ESP]]).toEqual([small.at('after') & 0xffff, CODE0, 0x6ffc])
  })
  it('a fault in the pushes leaves ESP and CS', () => {
    const world = new World()
    world.descriptor(FREE, { base: 0, limit: 0xfff, attr: 0x4096 })
    world.load(reg.SS, FREE)
    world.r[reg.ESP] = 0x1006
    // The first push fits above 0xfff, the second does not; its #SS cannot be pushed either.
    expect(name(world.code('call CODE0:next\nnext: hlt').run())).toBe('shutdown')
    expect([world.r[reg.ESP], world.r[reg.EIP]]).toEqual([0x1006, CODE])
  })
})

/** A call gate at FREE. */
const callGate = (world: World, gate: Partial<{ selector: number; offset: number; type: number; count: number }> = {}) =>
  world.gate(0, { selector: CODE0, offset: CODE + 0x100, type: 0xec, ...gate, at: GDT + FREE })

describe('call gates', () => {
  const body = (call: string, inner: string) => `${call}\nafter: int 0x80\ntimes 0x100 - ($ - $$) nop\ninner: ${inner}`

  it('lead inward with a new stack and copied parameters', () => {
    const world = new World().user()
    callGate(world, { count: 3 })
    const end = world.code(body('push dword 1\npush dword 2\npush dword 3\ncall FREE:0x12345', 'hlt')).run()
    expect(name(end)).toBe('HLT')
    expect([world.r[reg.SELECTOR + reg.CS], world.r[reg.SELECTOR + reg.SS], world.r[reg.ESP]]).toEqual([CODE0, DATA0, 0x7000 - 28])
    const frame = [0, 1, 2, 3, 4, 5, 6].map((n) => world.read32(0x7000 - 28 + n * 4))
    expect(frame).toEqual([world.at('after'), CODE3, 3, 2, 1, 0xd000 - 12, DATA3])
  })
  it('of 16 bits copy words', () => {
    const world = new World().user()
    callGate(world, { count: 2, type: 0xe4 })
    world.code(body('push word 7\npush word 8\ncall FREE:0', 'hlt'))
    world.gate(0, { selector: 0x30, offset: 0x100, type: 0xe4, count: 2, at: GDT + FREE })
    expect(name(world.run())).toBe('HLT')
    const frame = [0, 1, 2, 3, 4, 5].map((n) => world.read16(0x7000 - 12 + n * 2))
    expect(frame).toEqual([world.at('after') & 0xffff, CODE3, 8, 7, 0xd000 - 4, DATA3])
    expect(world.r[reg.ESP]).toBe(0x7000 - 12)
  })
  it('RET n returns outward, releases the parameters on both stacks and nulls what ring 3 may not use', () => {
    const world = new World().user()
    callGate(world, { count: 2 })
    const text = 'push dword 1\npush dword 2\ncall FREE:0\nafter: mov bx, ds\nmov cx, es\nint 0x80\ntimes 0x100 - ($ - $$) nop\nmov ax, DATA0\nmov ds, ax\nretf 8'
    const end = world.code(text).run()
    expect([name(end), end.esp, end.ss, end.cs]).toEqual(['INT 80', 0xd000, DATA3, CODE3])
    expect([world.r[reg.EBX] & 0xffff, world.r[reg.ECX] & 0xffff]).toEqual([0, DATA3])
  })
  it('JMP may not go inward, and stays where the target is conforming', () => {
    expect(ring3('bad: jmp FREE:0', (world) => callGate(world))).toBe('#GP(8) at bad')
    expect(ring3(body('jmp FREE:0', 'mov ax, cs\nint 0x80'), (world) => callGate(world, { selector: 0x48 }))).toBe('INT 80')
  })
  it.each<[string, Parameters<typeof callGate>[1], string]>([
    ['a gate of a more privileged level', { type: 0x8c }, '#GP(80) at bad'],
    ['an absent gate', { type: 0x6c }, '#NP(80) at bad'],
    ['a null target', { selector: 0 }, '#GP(0) at bad'],
    ['a data target', { selector: DATA0 }, '#GP(10) at bad'],
    ['a target outside the table', { selector: 0x1000 }, '#GP(1000) at bad'],
    ['an absent target', { selector: 0x88 }, '#NP(88) at bad'],
    ['an offset beyond the limit', { selector: 0x90, offset: 0x10000 }, '#GP(0) at bad'],
  ])('%s: %s', (_what, gate, expected) => {
    expect(
      ring3('bad: call FREE:0', (world) => {
        callGate(world, gate)
        world.descriptor(0x88, { attr: 0xc01a })
        world.descriptor(0x90, { limit: 0xff, attr: 0x409a })
      }),
    ).toBe(expected)
  })
  it('check the RPL of the gate selector', () => {
    expect(ring0('bad: call FREE | 3:0', (world) => callGate(world, { type: 0x8c }))).toBe('#GP(80) at bad')
  })
  it.each<[string, (world: World) => void, string]>([
    ['null', (world) => world.write32(TSS + 8, 0), '#TS(0)'],
    ['of the wrong RPL', (world) => world.write32(TSS + 8, DATA0 | 1), '#TS(10)'],
    ['of the wrong DPL', (world) => world.write32(TSS + 8, DATA1 & ~3), '#TS(78)'],
    ['read-only', (world) => world.write32(TSS + 8, 0x50), '#TS(50)'],
    ['outside the table', (world) => world.write32(TSS + 8, 0x200), '#TS(200)'],
    ['absent', (world) => world.write32(TSS + 8, 0x60), '#SS(60)'],
    ['beyond the TSS', (world) => { world.r[reg.SEG_LIMIT + reg.TR] = 8 }, '#TS(28)'],
  ])('an inner stack that is %s', (_what, spoil, expected) => {
    // The handler must run at ring 3, for lack of an inner stack.
    const world = new World().user()
    callGate(world)
    spoil(world)
    for (const vector of [10, 12]) world.gate(vector, { selector: CODE3, offset: CODE + 0x200, type: 0xee })
    world.code('bad: call FREE:0\ntimes 0x200 - ($ - $$) nop\npop eax\nmov ebx, [esp]\nmov dword [TSS + 8], DATA0\nlar ecx, cx\nhere: jmp here')
    world.run(40)
    expect([`#${expected.slice(1, 3)}(${world.r[reg.EAX].toString(16)})`, world.r[reg.EBX], world.r[reg.ESP]]).toEqual([expected, world.at('bad'), 0xd000 - 12])
  })
})

describe('RET and IRET outward', () => {
  const frame = (cs: string, ss: string, eip = 'there') => `push dword ${ss}\npush dword 0x9000\npush dword ${cs}\npush dword ${eip}\nbad: retf\nthere: int 0x80`
  it.each([
    [frame('CODE3', 'DATA3'), 'INT 80'],
    [frame('CODE3', 'DATA0'), '#GP(10)'],
    [frame('CODE3', '0'), '#GP(0)'],
    [frame('CODE3', 'DATA3 & ~3'), '#GP(20)'],
    [frame('CODE3', '0x1fb'), '#GP(1f8)'],
    [frame('CODE3', 'FREE | 3'), '#SS(80)'],
    [frame('0', 'DATA3'), '#GP(0)'],
    [frame('DATA0', 'DATA3'), '#GP(10)'],
    [frame('CODE0 | 3', 'DATA3'), '#GP(8)'],
    [frame('CODE3 & ~3', 'DATA3'), '#GP(18)'],
    [frame('FREE + 8 | 3', 'DATA3'), '#NP(88)'],
    [frame('FREE + 16 | 3', 'DATA3', '0x100000'), '#GP(0)'],
  ])('%#: %s', (text, expected) => {
    const end = ring0(text, (world) => {
      world.descriptor(FREE, { attr: 0xc072 })
      world.descriptor(FREE + 8, { attr: 0xc07a })
      world.descriptor(FREE + 16, { limit: 0xfffff, attr: 0x40fa })
    })
    expect(end).toBe(expected === 'INT 80' ? `INT 80 at ${(CODE + 23 + 2).toString(16)}`.replace(/ at.*/, end.slice(6)) : `${expected} at bad`)
  })
  it('a fault of RET leaves ESP', () => {
    const world = new World()
    const end = world.code('push dword 0\npush dword 0\nbad: retf').run()
    expect([name(end), end.esp]).toEqual(['#GP(0)', 0x7000 - 8])
  })
  it('ring 3 cannot return inward', () => {
    expect(ring3('push dword CODE0\npush dword 0\nbad: retf')).toBe('#GP(8) at bad')
    expect(ring3('push dword 2\npush dword CODE0\npush dword 0\nbad: iret')).toBe('#GP(8) at bad')
  })
  it('makes null selectors 0', () => {
    const world = new World()
    const end = world.code(`mov ax, 3\nmov gs, ax\nmov ax, 1\nmov fs, ax\n${frame('CODE3', 'DATA3')}`).run()
    expect([name(end), world.r[reg.SELECTOR + reg.FS], world.r[reg.SELECTOR + reg.GS]]).toEqual(['INT 80', 0, 0])
  })
  it('a 16-bit outer stack takes SP only', () => {
    const world = new World()
    world.descriptor(FREE, { limit: 0xffff, attr: 0x00f2 })
    const end = world.code('push dword FREE | 3\npush dword 0x12349000\npush dword CODE3\npush dword there\nretf\nthere: int 0x80').run()
    expect([end.ss, end.esp]).toEqual([FREE | 3, 0x9000])
  })
  it('IRET: flags by privilege', () => {
    const back = (iopl: number, flags: string) => {
      const world = new World().user()
      world.r[reg.EFLAGS] |= iopl << 12
      const end = world.code(`push dword ${flags}\npush dword CODE3\npush dword there\niret\nthere: int 0x80`).run()
      return end.eflags & 0x7fffff
    }
    expect(back(0, '0x3fd7')).toBe(0x0dd7)
    expect(back(3, '0x3ed7')).toBe(0x3ed7)
    expect(back(0, '0x240002')).toBe(0x240002)
    const world = new World()
    const end = world.code('push dword 0x7202\npush dword CODE0\npush dword there\niret\nthere: int3').run()
    expect(end.eflags).toBe(0x7202)
  })
})

describe('delivery through the IDT', () => {
  it('same privilege: EFLAGS, CS, EIP, error code; trap gates leave IF', () => {
    const world = new World()
    world.r[reg.EFLAGS] |= reg.IF
    const end = world.code('bad: mov eax, [cs:0]\nmov [cs:0], eax').run()
    expect([name(end), end.eflags, end.cs, world.r[reg.EFLAGS] & reg.IF]).toEqual(['#GP(0)', 0x10202, CODE0, 0])
    const other = new World()
    other.r[reg.EFLAGS] |= reg.IF
    other.gate(0x80, { selector: CODE0, offset: 0x8080, type: 0x8f })
    const trap = other.code('int 0x80').run()
    expect([trap.eflags, other.r[reg.EFLAGS] & reg.IF]).toEqual([0x202, 0x200])
  })
  it('inner privilege: the stack of the TSS, then SS and ESP first', () => {
    const world = new World().user()
    const end = world.code('after: int 0x90').run()
    expect([name(end), end.eip, end.cs, end.esp, end.ss]).toEqual(['INT 90', CODE + 2, CODE3, 0xd000, DATA3])
    expect([world.r[reg.ESP], world.r[reg.SELECTOR + reg.SS], world.r[reg.SELECTOR + reg.CS]]).toEqual([0x7000 - 20, DATA0, CODE0])
  })
  it('to ring 1, with its own stack', () => {
    const world = new World().user()
    world.gate(0x90, { selector: CODE1 & ~3, offset: CODE + 0x10, type: 0xee })
    world.code('int 0x90\ntimes 16 - ($ - $$) nop\nint 0x91').run()
    expect([world.read32(0x5000 - 4), world.read32(0x5000 - 8)]).toEqual([DATA3, 0xd000])
  })
  it('16-bit gates push words', () => {
    const world = new World()
    world.gate(0x90, { selector: 0x30, offset: 0x20, type: 0x86 })
    world.code('int 0x90\ntimes 32 - ($ - $$) nop\nhlt').run()
    expect([world.r[reg.ESP], world.read16(0x6ffa), world.read16(0x6ffc), world.read16(0x6ffe)]).toEqual([0x6ffa, 2, CODE0, 2])
  })
  it.each<[string, string, (world: World) => void, string]>([
    ['a vector outside the table', 'bad: int 0x90', (world) => { world.r[reg.IDT_LIMIT] = 0x7f }, '#GP(482) at bad'],
    ['an empty gate', 'bad: int 0x90', (world) => world.write32(IDT + 0x484, 0), '#GP(482) at bad'],
    ['an absent gate', 'bad: int 0x90', (world) => world.gate(0x90, { selector: CODE0, type: 0x6e }), '#NP(482) at bad'],
    ['a null selector', 'bad: int 0x90', (world) => world.gate(0x90, { selector: 0, type: 0xee }), '#GP(0) at bad'],
    ['a data segment', 'bad: int 0x90', (world) => world.gate(0x90, { selector: DATA0, type: 0xee }), '#GP(10) at bad'],
    ['an absent segment', 'bad: int 0x90', (world) => { world.gate(0x90, { selector: FREE, type: 0xee }); world.descriptor(FREE, { attr: 0xc01a }) }, '#NP(80) at bad'],
    ['code of an outer level', 'bad: int 0x90', (world) => world.gate(0x90, { selector: CODE3, type: 0xee }), '#GP(18) at bad'],
    ['an offset beyond the limit', 'bad: int 0x90', (world) => { world.gate(0x90, { selector: FREE, offset: 0x1000, type: 0xee }); world.descriptor(FREE, { limit: 0xff, attr: 0x409a }) }, '#GP(0) at bad'],
    ['for an exception, with EXT', 'bad: ud2', (world) => world.write32(IDT + 0x34, 0), '#GP(33) at bad'],
    ['for an exception, absent', 'bad: ud2', (world) => world.gate(6, { selector: CODE0, type: 0x6e }), '#NP(33) at bad'],
    ['for an exception, a null selector', 'bad: ud2', (world) => world.gate(6, { selector: 0, type: 0x8e }), '#GP(1) at bad'],
  ])('%s', (_what, text, spoil, expected) => {
    expect(ring0(text, spoil)).toBe(expected)
  })
  it('INT n and INT3 check the DPL of the gate, exceptions do not', () => {
    expect(ring3('bad: int 0x20')).toBe('#GP(102) at bad')
    expect(ring3('bad: int3')).toBe('#GP(1a) at bad')
    expect(ring3('mov al, 0x7f\ninc al\nbad: into')).toBe('#GP(22) at bad')
    expect(ring3('bad: ud2')).toBe('#UD at bad')
    const world = new World().user()
    const end = world.code('db 0xf1\nafter: nop').run()
    expect([name(end), end.eip]).toEqual(['#DB', world.at('after')])
  })
  it('traps point behind, faults at the instruction', () => {
    const eip = (text: string) => {
      const world = new World()
      const end = world.code(`${text}\nafter: nop`).run()
      return [name(end), end.eip - world.at('after')]
    }
    expect(eip('int3')).toEqual(['#BP', 0])
    expect(eip('int 0x41')).toEqual(['INT 41', 0])
    expect(eip('mov al, 0x7f\ninc al\ninto')).toEqual(['#OF', 0])
    expect(eip('xor ecx, ecx\ndiv ecx')).toEqual(['#DE', -2])
    expect(eip('mov eax, 5\nmov dword [0x4000], 6\nmov dword [0x4004], 9\nbound eax, [0x4000]')).toEqual(['#BR', -6])
  })
  it('BOUND lets in what is within, signed, and of 16 bits', () => {
    expect(ring0('mov eax, -3\nmov dword [0x4000], -4\nmov dword [0x4004], -3\nbound eax, [0x4000]')).toBe('HLT')
    expect(ring0('mov eax, 0x10005\nmov dword [0x4000], 0x00060005\nbound ax, [0x4000]')).toBe('HLT')
    expect(ring0('mov eax, 0x10007\nmov dword [0x4000], 0x00060005\nbound ax, [0x4000]')).toBe('#BR')
  })
})

describe('double and triple fault', () => {
  it('contributory faults while delivering contributory ones; a page fault while delivering any', () => {
    const absent = (vectors: number[]) => (world: World) => vectors.forEach((vector) => world.write32(IDT + vector * 8 + 4, 0))
    expect(ring0('bad: mov [cs:0], eax', absent([13]))).toBe('#DF(0) at bad')
    expect(ring0('xor ecx, ecx\nbad: div ecx', absent([0]))).toBe('#DF(0) at bad')
    expect(ring0('bad: mov [cs:0], eax', absent([13, 8]))).toBe('shutdown')
    // Benign first: no double fault.
    expect(ring0('bad: ud2', absent([6]))).toBe('#GP(33) at bad')
    expect(ring0('bad: int3', absent([3]))).toBe('#GP(1a) at bad')
    // An interrupt that cannot be delivered is not contributory, whatever its vector.
    const world = new World()
    world.write32(IDT + 13 * 8 + 4, 0)
    world.code('hlt')
    world.r[reg.EVENT] = reg.EVENT_VALID | reg.EVENT_EXTERNAL | 0x20
    world.write32(IDT + 0x20 * 8 + 4, 0)
    expect(name(world.run())).toBe('#DF(0)')
  })
  it('page faults while delivering', () => {
    const broken = (world: World) => {
      world.paging().page(0x4000, 0)
      world.gate(6, { selector: CODE0, offset: 0x4000, type: 0x8e })
    }
    // The handler is not mapped: the gate worked, so this is a new fault.
    expect(ring0('bad: ud2', broken)).toBe('#PF(0) at 4000')
    // The stack is not mapped: #PF while delivering #GP is a #PF, while delivering #PF a #DF, and that a triple fault.
    const world = new World().paging().page(0x6000, 0)
    expect(name(world.code('mov [cs:0], eax').run())).toBe('shutdown')
    expect(world.r[reg.CR2]).toBe(0x6ffc)
  })
})

describe('SYSENTER and SYSEXIT', () => {
  it('go to flat ring 0 and back', () => {
    const world = new World().user()
    world.r[reg.MSR_SYSENTER_CS] = CODE0
    world.r[reg.MSR_SYSENTER_ESP] = 0x6800
    world.descriptor(CODE0 + 16, { attr: 0xc0fa })
    world.r[reg.EFLAGS] |= reg.IF
    const text = 'mov ecx, esp\nmov edx, there\nsysenter\nthere: int 0x80\ntimes 0x40 - ($ - $$) nop\nmov eax, esp\nmov bx, cs\nmov si, ss\npushfd\npop edi\nsysexit'
    world.r[reg.MSR_SYSENTER_EIP] = CODE + 0x40
    const end = world.code(text).run()
    expect([name(end), end.cs, end.ss, end.esp]).toEqual(['INT 80', CODE0 + 16 + 3, CODE0 + 24 + 3, 0xd000])
    expect([world.r[reg.EAX], world.r[reg.EBX], world.r[reg.ESI], world.r[reg.EDI] & reg.IF]).toEqual([0x6800, CODE0, DATA0, 0])
  })
  it('fault without a target, SYSEXIT outside ring 0, and on the Pentium', () => {
    expect(ring3('bad: sysenter')).toBe('#GP(0) at bad')
    expect(ring3('bad: sysexit', (world) => { world.r[reg.MSR_SYSENTER_CS] = 8 })).toBe('#GP(0) at bad')
    expect(name(new World('pentium').code('sysenter').run())).toBe('#UD')
  })
})
