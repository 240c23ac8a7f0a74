// Segment limits and types, descriptor checks, and the instructions that ask about them (SDM vol. 3A chapter 6).
import { describe, expect, it } from 'vitest'
import * as reg from '../../src/cpu/registers.ts'
import { ABSENT, CODE, DATA0, DATA3, FREE, GDT, LDT, name, TSS, World } from './protectedMode.ts'

/** Runs `text` in ring 0 and says how it ended, and at which label the saved EIP is. */
function end(text: string, world = new World()): string {
  const finish = world.code(text + '\nhlt').run()
  return name(finish) + (world.labels.has('bad') && finish.vector >= 0 ? (finish.eip === world.at('bad') ? ' at bad' : ` at ${finish.eip.toString(16)}`) : '')
}

describe('data accesses', () => {
  it.each([
    ['mov eax, [0xffffc]', 'HLT'],
    ['mov ax, READ_ONLY\nmov ds, ax\nmov eax, [0]', 'HLT'],
    ['mov ax, READ_ONLY\nmov ds, ax\nbad: mov [0], eax', '#GP(0) at bad'],
    ['mov ax, READ_ONLY\nmov ds, ax\nbad: add dword [0], 1', '#GP(0) at bad'],
    ['mov ax, EXPAND_DOWN\nmov ds, ax\nmov eax, [0x1000]', 'HLT'],
    ['mov ax, EXPAND_DOWN\nmov ds, ax\nbad: mov al, [0xfff]', '#GP(0) at bad'],
    ['mov ax, EXPAND_DOWN\nmov ds, ax\nbad: mov eax, [0xffe]', '#GP(0) at bad'],
    ['mov ax, STACK16\nmov ds, ax\nmov ax, [0xfffe]', 'HLT'],
    ['mov ax, STACK16\nmov ds, ax\nbad: mov ax, [0xffff]', '#GP(0) at bad'],
    ['mov ax, STACK16\nmov ds, ax\nbad: mov eax, [0xfffffffd]', '#GP(0) at bad'],
    ['mov ax, STACK16\nmov ss, ax\nbad: mov eax, [ss:0xfffe]', '#SS(0) at bad'],
    ['bad: mov [cs:0], eax', '#GP(0) at bad'],
    ['jmp EXECUTE_ONLY:next\nnext:\nbad: mov eax, [cs:0]', '#GP(0) at bad'],
    ['xor ax, ax\nmov fs, ax\nbad: mov eax, [fs:0]', '#GP(0) at bad'],
    ['xor ax, ax\nmov fs, ax\nlea eax, [fs:0]', 'HLT'],
  ])('%s: %s', (text, expected) => {
    expect(end(text)).toBe(expected)
  })

  it('ends an expand-down segment at 64 KB where B is clear, at 4 GB where it is set', () => {
    const world = new World()
    world.descriptor(FREE, { limit: 0xfff, attr: 0x0096 })
    expect(end('mov ax, FREE\nmov ds, ax\nmov al, [0xffff]\nbad: mov al, [0x10000]', world)).toBe('#GP(0) at bad')
    expect(end('mov ax, EXPAND_DOWN\nmov ds, ax\nmov al, [0x20000]')).toBe('HLT')
  })

  it('faults on code that reaches beyond the limit, jumps and calls before they do anything', () => {
    const world = new World()
    world.descriptor(FREE, { base: CODE, limit: 0x20, attr: 0x409a })
    const finish = world.code('jmp FREE:0x1e\ntimes 0x1e - ($ - $$) nop\nmov eax, 1').run()
    expect([name(finish), finish.eip]).toEqual(['#GP(0)', 0x1e])
    for (const jump of ['jmp 0x40', 'call 0x40', 'jz 0x40', 'loop 0x40', 'jecxz 0x40']) {
      const other = new World()
      other.descriptor(FREE, { base: 0, limit: CODE + 0x40, attr: 0x409a })
      other.r[reg.ECX] = jump.startsWith('loop') ? 5 : 0
      const at = other.code(`jmp FREE:go\ngo: cmp eax, eax\nbad: ${jump.replace('0x40', '$+0x80')}`).run()
      expect([jump, name(at), at.eip, at.esp, other.r[reg.ECX]]).toEqual([jump, '#GP(0)', other.at('bad'), 0x7000, jump.startsWith('loop') ? 5 : 0])
    }
  })
})

describe('loading segment registers', () => {
  it.each([
    ['mov ax, 0\nbad: mov ss, ax', '#GP(0) at bad'],
    ['mov ax, 3\nmov ds, ax', 'HLT'],
    ['mov ax, CODE0\nmov ds, ax', 'HLT'],
    ['mov ax, EXECUTE_ONLY\nbad: mov ds, ax', '#GP(68) at bad'],
    ['mov ax, CODE0\nbad: mov ss, ax', '#GP(8) at bad'],
    ['mov ax, READ_ONLY\nbad: mov ss, ax', '#GP(50) at bad'],
    ['mov ax, DATA0 | 3\nbad: mov ss, ax', '#GP(10) at bad'],
    ['mov ax, DATA3\nbad: mov ss, ax', '#GP(20) at bad'],
    ['mov ax, DATA3\nmov ds, ax', 'HLT'],
    ['mov ax, DATA0 | 3\nbad: mov ds, ax', '#GP(10) at bad'],
    ['mov ax, ABSENT\nbad: mov ds, ax', '#NP(60) at bad'],
    ['mov ax, ABSENT\nbad: mov ss, ax', '#SS(60) at bad'],
    ['mov ax, TASK\nbad: mov ds, ax', '#GP(28) at bad'],
    ['mov ax, 0x200\nbad: mov es, ax', '#GP(200) at bad'],
    ['mov ax, 0x44\nbad: mov es, ax', '#GP(44) at bad'],
    ['bad: mov cs, ax', '#UD at bad'],
    ['push dword ABSENT\nbad: pop es', '#NP(60) at bad'],
    ['mov dword [0x4000], 0x1234\nmov word [0x4004], ABSENT\nbad: lds ebx, [0x4000]', '#NP(60) at bad'],
    ['mov dword [0x4000], 0x1234\nmov word [0x4004], DATA0\nlss esp, [0x4000]', 'HLT'],
  ])('%s: %s', (text, expected) => {
    expect(end(text.replace('mov cs, ax', 'db 0x8e, 0xc8'))).toBe(expected)
  })

  it('a fault leaves the register, the stack pointer and the pointer register as they were', () => {
    const world = new World()
    world.code('push dword ABSENT\nbad: pop es').run()
    expect([world.r[reg.SELECTOR + reg.ES], world.r[reg.ESP]]).toEqual([DATA0, 0x7000 - 4 - 16])
    const other = new World()
    other.r[reg.EBX] = 77
    other.code('mov dword [0x4000], 0x1234\nmov word [0x4004], ABSENT\nlds ebx, [0x4000]').run()
    expect(other.r[reg.EBX]).toBe(77)
  })

  it('ring 3 may not load ring 0 data, but conforming code and null', () => {
    const user = (text: string) => end(text + '\nint 0x80', new World().user())
    expect(user('mov ax, DATA0\nbad: mov ds, ax')).toBe('#GP(10) at bad')
    expect(user('mov ax, CONFORMING\nmov ds, ax')).toBe('INT 80')
    expect(user('mov ax, DATA1\nbad: mov es, ax')).toBe('#GP(78) at bad')
    expect(user('xor ax, ax\nmov gs, ax')).toBe('INT 80')
  })

  it('sets the accessed bit in the table, and only there where it is clear', () => {
    const world = new World()
    world.code('mov ax, READ_ONLY\nmov ds, ax\nhlt').run()
    expect(world.machine.bus.bytes[GDT + 0x50 + 5]).toBe(0x91)
    expect(world.r[reg.SEG_ATTR + reg.DS]).toBe(0xc091)
  })

  it('reads the LDT, and faults where there is none', () => {
    const world = new World()
    world.descriptor(4, { base: 0x4000, limit: 0xf, attr: 0x4092 })
    expect(end('mov ax, 4\nmov ds, ax\nmov eax, [12]\nbad: mov eax, [13]', world)).toBe('#GP(0) at bad')
    expect(world.machine.bus.bytes[LDT + 5]).toBe(0x93)
    expect(end('xor ax, ax\nlldt ax\nmov ax, 4\nbad: mov ds, ax')).toBe('#GP(4) at bad')
  })

  it('stores 32-bit pushes of a segment register as a word', () => {
    const world = new World()
    world.write32(0x6ffc, 0xdeadbeef)
    world.code('push ds\nhlt').run()
    expect([world.read32(0x6ffc) >>> 0, world.r[reg.ESP]]).toEqual([0xdead0010, 0x6ffc])
  })
})

describe('LLDT, LTR, SLDT, STR', () => {
  it.each([
    ['mov ax, LDT_SELECTOR\nlldt ax\nsldt eax', 'HLT'],
    ['mov ax, 4\nbad: lldt ax', '#GP(4) at bad'],
    ['mov ax, DATA0\nbad: lldt ax', '#GP(10) at bad'],
    ['mov ax, TASK\nbad: ltr ax', '#GP(28) at bad'],
    ['mov ax, 0\nbad: ltr ax', '#GP(0) at bad'],
    ['mov ax, 0x1f8\nbad: ltr ax', '#GP(1f8) at bad'],
  ])('%s: %s', (text, expected) => {
    expect(end(text)).toBe(expected)
  })
  it('LTR marks the task busy; absent ones fault', () => {
    const world = new World()
    world.descriptor(FREE, { base: TSS, limit: 0x67, attr: 0x89 })
    expect(end('mov ax, FREE\nltr ax\nstr ebx', world)).toBe('HLT')
    expect([world.machine.bus.bytes[GDT + FREE + 5], world.r[reg.SEG_ATTR + reg.TR], world.r[reg.EBX]]).toEqual([0x8b, 0x8b, FREE])
    const absent = (attr: number) => {
      const world = new World()
      world.descriptor(FREE, { base: TSS, limit: 0x67, attr })
      return world
    }
    expect(end('mov ax, FREE\nbad: ltr ax', absent(0x09))).toBe('#NP(80) at bad')
    expect(end('mov ax, FREE\nbad: lldt ax', absent(0x02))).toBe('#NP(80) at bad')
  })
  it('are privileged, and SLDT is not', () => {
    for (const text of ['lldt ax', 'ltr ax']) expect(end(`bad: ${text}`, new World().user())).toBe('#GP(0) at bad')
    expect(end('sldt ax\nstr bx\nint 0x80', new World().user())).toBe('INT 80')
  })
  it('do not exist outside protected mode', () => {
    for (const text of ['lldt ax', 'ltr ax', 'sldt ax', 'str ax', 'lar ax, bx', 'lsl ax, bx', 'verr ax', 'verw ax', 'arpl ax, bx'])
      expect([text, name(new World().virtual8086(3).code(`bits 16\n${text}`).run())]).toEqual([text, '#UD'])
  })
})

describe('LAR, LSL, VERR, VERW, ARPL', () => {
  const zf = (world: World) => (world.r[reg.EFLAGS] & reg.ZF) !== 0
  const ask = (instruction: string, selector: number, world = new World()) => {
    world.r[reg.EAX] = 0x11111111
    world.code(`mov ecx, ${selector}\n${instruction}\n${world.r[reg.SELECTOR + reg.CS] & 3 ? 'mov ebx, eax\nsete al\nmov [0x4000], ebx\nmov [0x4004], al\nint 0x80' : 'hlt'}`)
    const finish = world.run()
    if (finish.vector === 0x80) return world.machine.bus.bytes[0x4004] !== 0 ? world.read32(0x4000) >>> 0 : null
    expect(name(finish)).toBe('HLT')
    return zf(world) ? world.r[reg.EAX] >>> 0 : null
  }

  it('LAR gives the rights of what the level may see', () => {
    // Bits 16-19 are undefined.
    const rights = (...question: Parameters<typeof ask>) => {
      const answer = ask(...question)
      return answer === null ? null : (answer & ~0xf0000) >>> 0
    }
    expect(rights('lar eax, cx', DATA0)).toBe(0x00c09200)
    expect(rights('lar eax, cx', ABSENT)).toBe(0x00c01200)
    expect(ask('lar ax, cx', DATA0)).toBe(0x11119200)
    expect(rights('lar eax, cx', 0x28)).toBe(0x00008b00)
    expect(rights('lar eax, cx', 0)).toBe(null)
    expect(rights('lar eax, cx', 0x200)).toBe(null)
    expect(rights('lar eax, cx', DATA0, new World().user())).toBe(null)
    expect(rights('lar eax, cx', DATA3, new World().user())).toBe(0x00c0f200)
    expect(rights('lar eax, cx', 0x48, new World().user())).toBe(0x00c09e00)
    expect(rights('lar eax, cx', DATA0 | 1)).toBe(null)
  })
  it('LAR and LSL know the system types', () => {
    const lar: number[] = []
    const lsl: number[] = []
    for (let type = 0; type < 16; type++) {
      const world = () => {
        const made = new World()
        made.descriptor(FREE, { limit: 0x123, attr: 0x80 | type })
        return made
      }
      if (ask('lar eax, cx', FREE, world()) !== null) lar.push(type)
      if (ask('lsl eax, cx', FREE, world()) === 0x123) lsl.push(type)
    }
    expect(lar).toEqual([1, 2, 3, 4, 5, 9, 11, 12])
    expect(lsl).toEqual([1, 2, 3, 9, 11])
  })
  it('LSL gives the limit in bytes', () => {
    expect(ask('lsl eax, cx', DATA0)).toBe(0xffffffff)
    expect(ask('lsl eax, cx', 0x58)).toBe(0xfff)
    expect(ask('lsl ax, cx', DATA0)).toBe(0x1111ffff)
  })
  it('VERR and VERW', () => {
    const verr = (selector: number, world?: World) => ask('verr cx', selector, world) !== null
    const verw = (selector: number, world?: World) => ask('verw cx', selector, world) !== null
    expect([0, DATA0, 0x08, 0x68, 0x50, 0x28, 0x48].map((s) => verr(s))).toEqual([false, true, true, false, true, false, true])
    expect([0, DATA0, 0x08, 0x50, 0x28].map((s) => verw(s))).toEqual([false, true, false, false, false])
    expect([DATA0, DATA3, 0x48, 0x08].map((s) => verr(s, new World().user()))).toEqual([false, true, true, false])
  })
  it('ARPL raises the RPL, and writes only then', () => {
    const world = new World()
    world.code('mov ax, 0x40\nmov bx, 2\narpl ax, bx\nhlt').run()
    expect([world.r[reg.EAX] & 0xffff, zf(world)]).toEqual([0x42, true])
    const other = new World()
    other.code('mov cx, READ_ONLY\nmov ds, cx\nmov word [es:0x4000], 3\nmov bx, 2\narpl [0x4000], bx\nhlt')
    expect([name(other.run()), zf(other)]).toEqual(['HLT', false])
  })
})
