// Real mode, virtual-8086 mode, VME and PVI (SDM vol. 3B chapter 22).
import { describe, expect, it } from 'vitest'
import { assembleBytes } from '../../src/guest/asm/index.ts'
import * as reg from '../../src/cpu/registers.ts'
import { FlatMachine } from './flatMachine.ts'
import { CODE, CODE0, DATA0, name, TSS, World } from './protectedMode.ts'

const at = (world: World) => {
  const end = world.run()
  return `${name(end)}${world.labels.has('bad') && end.vector >= 0 ? (end.eip === world.at('bad') - CODE ? ' at bad' : ` at ${end.eip.toString(16)}`) : ''}`
}
const v86 = (text: string, iopl = 0, prepare: (world: World) => void = () => {}) => {
  const world = new World().virtual8086(iopl)
  world.gate(3, { selector: CODE0, offset: 0x8003, type: 0xee })
  prepare(world)
  world.code(`bits 16\n${text}`)
  return at(world)
}

describe('virtual-8086 mode', () => {
  it.each([['cli'], ['sti'], ['pushf'], ['popf'], ['iret'], ['int 0x80'], ['hlt'], ['lgdt [0]'], ['mov eax, cr0'], ['mov dr0, eax'], ['clts'], ['lmsw ax'], ['invd']])(
    '%s faults with IOPL 0', (text) => {
      expect(v86(`bad: ${text}`)).toBe('#GP(0) at bad')
    })
  it('has the IOPL-sensitive ones with IOPL 3', () => {
    expect(v86('sti\npushf\npop ax\ntest ax, 0x200\njz bad\ncli\npushf\npopf\nint 0x80\nbad:', 3)).toBe('INT 80 at bad')
    expect(v86('bad: hlt', 3)).toBe('#GP(0) at bad')
  })
  it('INT3 goes to the monitor at any IOPL, by the DPL of its gate', () => {
    expect(v86('int3')).toBe('#BP')
    expect(v86('bad: int3', 0, (world) => world.gate(3, { selector: CODE0, offset: 0x8003, type: 0x8e }))).toBe('#GP(1a) at bad')
  })
  it('gates must lead to ring 0, not through conforming code', () => {
    expect(v86('bad: int 0x90', 3, (world) => world.gate(0x90, { selector: 0x48, offset: 0x8090, type: 0xee }))).toBe('#GP(48) at bad')
    expect(v86('bad: int 0x90', 3, (world) => world.gate(0x90, { selector: 0x18, offset: 0x8090, type: 0xee }))).toBe('#GP(18) at bad')
  })
  it('the monitor gets the segment registers on its stack, and null in them', () => {
    const world = new World().virtual8086()
    for (const [seg, value] of [[reg.DS, 0x1111], [reg.ES, 0x2222], [reg.FS, 0x3333], [reg.GS, 0x4444]]) world.r[reg.SELECTOR + seg] = value
    world.gate(0, { selector: CODE0, offset: 0x8000, type: 0x8e })
    const end = world.code('bits 16\nxor cx, cx\ndiv cx').run()
    expect([name(end), end.cs, end.ss, end.esp, end.eflags & reg.VM]).toEqual(['#DE', CODE >> 4, 0xc00, 0x1000, reg.VM])
    expect([16, 12, 8, 4].map((below) => world.read32(0x7000 - below))).toEqual([0x2222, 0x1111, 0x3333, 0x4444])
    expect([reg.DS, reg.ES, reg.FS, reg.GS].map((seg) => [world.r[reg.SELECTOR + seg], world.r[reg.SEG_ATTR + seg]])).toEqual([[0, 0], [0, 0], [0, 0], [0, 0]])
    expect(world.r[reg.ESP]).toBe(0x7000 - 36)
  })
  it('IRET enters it with nine dwords, and all segments are 64 KB', () => {
    const world = new World()
    const text = 'push dword 0x40\npush dword 0x30\npush dword 0x20\npush dword 0x10\npush dword 0xc00\npush dword 0x1000\npush dword 0x20202\npush dword 0x1001\npush dword 0\niret\nalign 16\nbits 16\nmov ax, gs\nmov bx, ss\nmov ecx, [fs:0]\nbad: mov al, [0x10000]'
    world.descriptor(CODE0, { attr: 0xc09a })
    world.code(text.replace('push dword 0x1001', 'push dword 0x1002'))
    expect(world.at('bad')).toBeGreaterThan(CODE + 0x20)
    const end = world.run()
    expect([name(end), end.cs, end.esp, end.ss]).toEqual(['#GP(0)', 0x1002, 0x1000, 0xc00])
    expect([world.r[reg.EAX], world.r[reg.EBX]]).toEqual([0x40, 0xc00])
  })
  it('far transfers and segment loads are as in real mode', () => {
    expect(v86('call 0x1000:(sub - $$)\nmov ax, 0x1234\nmov es, ax\nmov bx, es\nint3\nsub: retf')).toBe('#BP')
    const world = new World().virtual8086()
    world.code('bits 16\nmov ax, 0x1234\nmov es, ax\nint3')
    world.run()
    expect(world.r[reg.SEG_BASE + reg.ES]).toBe(0x12340)
  })
  it('IN and OUT ask the bitmap whatever the IOPL is', () => {
    const bitmap = (world: World) => {
      world.r[reg.SEG_LIMIT + reg.TR] = 0x68 + 0x20
      world.machine.bus.bytes[TSS + 0x68 + 8] = 0x02
    }
    expect(v86('in al, 0x40\nbad: in al, 0x41', 3, bitmap)).toBe('#GP(0) at bad')
    expect(v86('bad: in ax, 0x40', 3, bitmap)).toBe('#GP(0) at bad')
    expect(v86('in al, 0x42\nint3', 0, bitmap)).toBe('#BP')
  })
})

describe('VME and PVI', () => {
  const vme = (world: World) => {
    world.r[reg.CR4] = reg.CR4_VME | reg.CR4_PVI
    world.write16(TSS + 102, 0x68 + 0x20)
    world.r[reg.SEG_LIMIT + reg.TR] = 0x68 + 0x20 + 0x10
  }
  it('CLI, STI, PUSHF, POPF and IRET work on VIF', () => {
    const world = new World().virtual8086()
    vme(world)
    world.code('bits 16\nsti\npushf\npop ax\ncli\npushf\npop bx\npush word 0x0202\npopf\npush word 0x3202\npush cs\npush word there - $$\niret\nthere: bad: ud2'.replace('there: bad:', 'there:\nbad:'))
    expect(at(world)).toBe('#UD at bad')
    const r = world.r
    expect([r[reg.EAX] & 0x3200, r[reg.EBX] & 0x3200]).toEqual([0x3200, 0x3000])
    const eflags = world.read32(0x7000 - 28)
    expect([eflags & reg.VIF, eflags & reg.IF, eflags & reg.IOPL]).toEqual([reg.VIF, 0, 0])
  })
  it('fault when an interrupt is pending (VIP) or for 32 bits', () => {
    const pending = (world: World) => {
      vme(world)
      world.r[reg.EFLAGS] |= reg.VIP
    }
    expect(v86('cli\nbad: sti', 0, pending)).toBe('#GP(0) at bad')
    expect(v86('push word 0x202\nbad: popf', 0, pending)).toBe('#GP(0) at bad')
    expect(v86('bad: pushfd', 0, vme)).toBe('#GP(0) at bad')
    expect(v86('push word 0x102\nbad: popf', 0, vme)).toBe('#GP(0) at bad')
  })
  it('INT n goes to the program where the redirection bit is clear, to the monitor where it is set', () => {
    const world = new World().virtual8086()
    vme(world)
    world.r[reg.EFLAGS] |= reg.VIF
    world.write32(0x90 * 4, 0x10000040)
    world.code('bits 16\nint 0x90\nafter: nop\ntimes 0x40 - ($ - $$) nop\npop ax\npop bx\npop cx\nbad: ud2')
    expect(at(world)).toBe('#UD at bad')
    const r = world.r
    expect([r[reg.EAX], r[reg.EBX], r[reg.ECX] & 0x3200]).toEqual([world.at('after') - CODE, 0x1000, 0x3200])
    expect(world.read32(0x7000 - 28) & reg.VIF).toBe(0)
    const set = (w: World) => {
      vme(w)
      w.machine.bus.bytes[TSS + 0x68 + (0x90 >> 3)] = 1
    }
    expect(v86('bad: int 0x90', 0, set)).toBe('#GP(0) at bad')
    expect(v86('int 0x90\nbad:', 3, set)).toBe('INT 90 at bad')
  })
  it('PVI: CLI and STI of ring 3 work on VIF', () => {
    const world = new World().user()
    vme(world)
    const end = world.code('sti\npushfd\npop eax\ncli\npushfd\npop ebx\nint 0x80').run()
    expect([name(end), world.r[reg.EAX] & reg.VIF, world.r[reg.EBX] & reg.VIF]).toEqual(['INT 80', reg.VIF, 0])
    const without = new World().user()
    expect(name(without.code('sti').run())).toBe('#GP(0)')
  })
})

describe('real mode', () => {
  /** Assembled at f000:0100, run from there; interrupt vectors n lead to f000:n, one HLT each. */
  function real(text: string, prepare: (machine: FlatMachine) => void = () => {}, className = 'p4'): FlatMachine {
    const machine = new FlatMachine(className)
    const { bytes, view } = machine.bus
    for (let vector = 0; vector < 256; vector++) {
      view.setUint32(vector * 4, 0xf0000000 | vector, true)
      bytes[0xf0000 + vector] = 0xf4
    }
    bytes.set(assembleBytes(`bits 16\norg 0x100\n${text}`), 0xf0100)
    bytes.set([0xea, 0x00, 0x01, 0x00, 0xf0], 0xffff0)
    machine.r[reg.ESP] = 0x1000
    machine.r[reg.SELECTOR + reg.SS] = 0x2000
    machine.r[reg.SEG_BASE + reg.SS] = 0x20000
    prepare(machine)
    machine.run(1000)
    return machine
  }
  const vector = (machine: FlatMachine) => (machine.r[reg.ACTIVITY] === reg.SHUTDOWN ? 'shutdown' : machine.r[reg.EIP] - 1 < 0x100 ? machine.r[reg.EIP] - 1 : 'end')
  const stack = (machine: FlatMachine, words: number) => Array.from({ length: words }, (_, n) => machine.bus.read16(0x20000 + ((machine.r[reg.ESP] + n * 2) & 0xffff)))

  it('starts at f000:fff0 under the top of memory', () => {
    const machine = real('mov ax, cs\nhlt')
    expect([machine.r[reg.EAX] & 0xffff, machine.r[reg.SEG_BASE + reg.CS]]).toEqual([0xf000, 0xf0000])
  })
  it('interrupts push FLAGS, CS, IP and clear IF and TF; IRET comes back', () => {
    const machine = real('sti\nint 0x41', () => {})
    expect([vector(machine), stack(machine, 3), machine.r[reg.EFLAGS] & 0x300]).toEqual([0x41, [0x103, 0xf000, 0x202], 0])
    const back = real('sti\nint 0x41\nhlt', ({ bus }) => bus.bytes.set([0xcf], 0xf0041))
    expect([vector(back), back.r[reg.ESP], back.r[reg.EFLAGS] & 0x200]).toEqual(['end', 0x1000, 0x200])
  })
  it('exceptions have no error code; offsets may not pass ffff', () => {
    const cases: [string, number | string, number][] = [
      ['mov ax, [0xffff]', 13, 0x100], ['mov eax, [0xfffd]', 13, 0x100], ['mov al, [0xffff]\nhlt', 'end', 0], ['mov bp, 0xffff\nmov ax, [bp]', 12, 0x103], ['mov esi, 0x10000\nmov al, [esi]', 13, 0x106],
      ['xor cx, cx\ndiv cx', 0, 0x102], ['ud2', 6, 0x100], ['db 0xf0\nnop', 6, 0x100],
    ]
    for (const [text, expected, ip] of cases) {
      const machine = real(text)
      expect([text, vector(machine), ...(expected === 'end' ? [] : [stack(machine, 2)])]).toEqual([text, expected, ...(expected === 'end' ? [] : [[ip, 0xf000]])])
      if (expected !== 'end') expect(machine.r[reg.ESP]).toBe(0x1000 - 6)
    }
  })
  it('a short interrupt table faults twice, then shuts down', () => {
    expect(vector(real('int 0x41', ({ r }) => { r[reg.IDT_LIMIT] = 0x100 }))).toBe(13)
    expect(vector(real('int 0x41', ({ r }) => { r[reg.IDT_LIMIT] = 0x23 }))).toBe(8)
    expect(vector(real('int 0x41', ({ r }) => { r[reg.IDT_LIMIT] = 0x1f }))).toBe('shutdown')
  })
  it('PUSH with SP=1 cannot even fault', () => {
    expect(vector(real('mov sp, 1\npush ax'))).toBe('shutdown')
    expect(vector(real('xor sp, sp\npush ax\ncmp sp, 0xfffe\nje ok\nud2\nok: hlt'))).toBe('end')
  })
  it('16-bit stack: the upper half of ESP stays; ENTER, LEAVE, PUSHA, POPA', () => {
    const machine = real('mov esp, 0x12340100\nmov ebp, 0x55550080\npushad\npopad\npusha\npopa\nenter 4, 2\nmov eax, esp\nmov ebx, ebp\nleave\nmov ecx, esp\nhlt')
    expect([machine.r[reg.EAX], machine.r[reg.EBX] >>> 0, machine.r[reg.ECX]]).toEqual([0x12340100 - 6 - 4, 0x555500fe, 0x12340100])
  })
  it('limits that protected mode left stay (big real mode)', () => {
    const text = `lgdt [cs:pointer]\nmov eax, cr0\nor al, 1\nmov cr0, eax\njmp short here\nhere: mov bx, 8\nmov ds, bx\nand al, 0xfe\nmov cr0, eax\nxor bx, bx\nmov ds, bx
      mov esi, 0x50000\nmov dword [esi], 0x1234\nmov eax, [esi]\nhlt
      align 8\ntable: dq 0, 0x00cf92000000ffff\npointer: dw 15\ndd 0xf0000 + table`
    const machine = real(text)
    expect([vector(machine), machine.r[reg.EAX], machine.r[reg.SELECTOR + reg.DS]]).toEqual(['end', 0x1234, 0])
  })
  it('writes through CS, whatever type protected mode left in it', () => {
    const machine = real('mov word [cs:0x5000], 0x1234\nhlt', ({ r }) => { r[reg.SEG_ATTR + reg.CS] = 0x9b })
    expect([vector(machine), machine.bus.read16(0xf5000)]).toEqual(['end', 0x1234])
    // Between MOV CR0 and the far jump CS is still a code segment.
    const text = `lgdt [cs:pointer]\nmov eax, cr0\nor al, 1\nmov cr0, eax\no32 jmp 8:(0xf0000 + go)
      go: mov eax, cr0\nand al, 0xfe\nmov cr0, eax\nmov word [cs:0x5002], 0x5678\nhlt
      align 8\ntable: dq 0, 0x008f9a000000ffff\npointer: dw 15\ndd 0xf0000 + table`
    expect(real(text).bus.read16(0x5002)).toBe(0x5678)
  })
  it('SGDT stores all 32 bits of the base, LGDT with 16-bit operands loads 24', () => {
    const machine = real(`o32 lgdt [cs:pointer]\nxor ax, ax\nmov ds, ax\no16 sgdt [0x5000]\nmov eax, [0x5002]\no16 lgdt [cs:pointer]\no32 sgdt [0x5000]\nmov ebx, [0x5002]\nhlt\npointer: dw 0x77\ndd 0x89abcdef`)
    expect([machine.r[reg.EAX] >>> 0, machine.r[reg.EBX] >>> 0]).toEqual([0x89abcdef, 0xabcdef])
  })
  it('POPF and IRET load IOPL and NT; PUSHF shows 32-bit flags without VM and RF', () => {
    const machine = real('push word 0x7002\npopf\npushf\npop ax\npush dword 0x267fd7\npopfd\npushfd\npop ebx\nhlt')
    // TF is set by the second one, so this ends in the handler of #DB, after PUSHFD.
    expect([machine.r[reg.EAX] & 0xf000, vector(machine)]).toEqual([0x7000, 1])
  })
  it('the 386 has neither AC nor ID, the 486 both', () => {
    const flags = (className: string) => real('push dword 0x240002\npopfd\npushfd\npop eax\nhlt', () => {}, className).r[reg.EAX]
    expect([flags('386'), flags('486')]).toEqual([2, 0x240002])
  })
  it('enters protected mode with CPL 0, and DATA0 loads', () => {
    expect(DATA0).toBe(0x10)
    const text = `lgdt [cs:pointer]\nmov eax, cr0\nor al, 1\nmov cr0, eax\njmp 8:(0xf0000 + go)\nbits 32\ngo: mov ax, 0x10\nmov ss, ax\nmov ds, ax\nmov esp, 0x3000\npush dword 0x1234\npop eax\nhlt
      align 8\ntable: dq 0, 0x00cf9a000000ffff, 0x00cf92000000ffff\npointer: dw 23\ndd 0xf0000 + table`
    const machine = real(text.replace('jmp 8:(0xf0000 + go)', 'o32 jmp 8:(0xf0000 + go)'))
    expect([machine.r[reg.EAX], machine.r[reg.ESP], machine.r[reg.SELECTOR + reg.CS]]).toEqual([0x1234, 0x3000, 8])
  })
})
