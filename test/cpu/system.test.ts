// Control registers, MSRs, CPUID, privilege of system instructions, port I/O, alignment checks, what each class has.
import { describe, expect, it } from 'vitest'
import { CPU_CLASSES } from '../../src/cpu/classes.ts'
import * as reg from '../../src/cpu/registers.ts'
import { CODE, DATA0, name, TSS, World } from './protectedMode.ts'

const ring0 = (text: string, className = 'p4', prepare: (world: World) => void = () => {}) => {
  const world = new World(className)
  prepare(world)
  const end = world.code(text + '\nhlt').run()
  return { world, r: world.r, end: `${name(end)}${end.vector >= 0 && end.eip !== world.labels.get('bad') ? ` at ${end.eip.toString(16)}` : ''}` }
}
const ring3 = (text: string, className = 'p4', prepare: (world: World) => void = () => {}) => {
  const world = new World(className).user()
  prepare(world)
  const end = world.code(text + '\nint 0x80').run()
  return name(end)
}

describe('privileged instructions', () => {
  it.each([
    ['hlt'], ['cli'], ['sti'], ['clts'], ['invd'], ['wbinvd'], ['invlpg [0]'], ['lgdt [0]'], ['lidt [0]'], ['lmsw ax'], ['mov eax, cr0'], ['mov cr3, eax'], ['mov dr7, eax'],
    ['rdmsr'], ['wrmsr'], ['in al, 0x40'], ['out dx, al'], ['insb'], ['outsb'],
  ])('%s faults in ring 3', (text) => {
    expect(ring3(`bad: ${text}`)).toBe('#GP(0)')
  })
  it.each([['smsw eax'], ['sgdt [0x4000]'], ['sidt [0x4000]'], ['cpuid'], ['rdtsc'], ['pushfd\npopfd']])('%s does not', (text) => {
    expect(ring3(text)).toBe('INT 80')
  })
  it.each([['invd'], ['wbinvd'], ['clts'], ['invlpg [0]']])('%s runs in ring 0, and changes no register', (text) => {
    const { r, end } = ring0(`mov eax, 1\n${text}`)
    expect([end.split(' ')[0], r[reg.EAX]]).toEqual(['HLT', 1])
  })
  it('CLI, STI and ports are free to IOPL', () => {
    expect(ring3('cli\nsti\nin al, 0x40\nout 0x40, al', 'p4', (world) => { world.r[reg.EFLAGS] |= reg.IOPL })).toBe('INT 80')
  })
  it('POPF of ring 3 changes neither IF nor IOPL, without a fault', () => {
    const world = new World().user()
    world.r[reg.EFLAGS] |= reg.IF
    const end = world.code('push dword 0x3cd7\npopfd\nint 0x80').run()
    expect(end.eflags).toBe(0xcd7 | reg.IF)
  })
})

describe('CR0', () => {
  it.each([
    ['mov eax, 0x80000010\nbad: mov cr0, eax', '#GP(0)'],
    ['mov eax, 0x20000011\nbad: mov cr0, eax', '#GP(0)'],
    ['mov eax, 0x60000011\nmov cr0, eax', 'HLT'],
    ['mov eax, 0x0fffffc1 & 0x0000001b\nmov cr0, eax', 'HLT'],
  ])('%s: %s', (text, expected) => {
    expect(ring0(text).end).toBe(expected)
  })
  it('keeps ET, drops what the class has not', () => {
    expect(ring0('mov eax, 0x0005002b\nmov cr0, eax\nmov ebx, cr0').r[reg.EBX]).toBe(0x0005003b)
    expect(ring0('mov eax, 0x0005002b\nmov cr0, eax\nmov ebx, cr0', '386').r[reg.EBX]).toBe(0x1b)
  })
  it('LMSW sets PE and cannot clear it; SMSW stores a word in memory, 32 bits in a register', () => {
    const { r, world } = ring0('mov eax, 0xfffffffe\nlmsw ax\nsmsw ebx\nmov dword [0x4000], -1\nsmsw [0x4000]\nxor eax, eax\nlmsw ax\nsmsw ecx')
    expect([r[reg.EBX], world.read32(0x4000) >>> 0, r[reg.ECX]]).toEqual([0x1f, 0xffff001f, 0x11])
  })
  it('CLTS clears TS', () => {
    expect(ring0('mov eax, 0x19\nmov cr0, eax\nclts\nmov ebx, cr0').r[reg.EBX]).toBe(0x11)
  })
  it('register numbers that are none are #UD', () => {
    for (const bytes of ['0x0f, 0x20, 0xc8', '0x0f, 0x22, 0xe8', '0x0f, 0x20, 0xf8']) expect(ring0(`bad: db ${bytes}`).end).toBe('#UD')
  })
})

describe('CR4 and MSRs', () => {
  it('reserved bits are #GP(0), by class', () => {
    expect(ring0('mov eax, 0x3bf\nmov cr4, eax').end).toBe('HLT')
    expect(ring0('mov eax, 0x80000000\nbad: mov cr4, eax').end).toBe('#GP(0)')
    expect(ring0('mov eax, 0x20\nbad: mov cr4, eax', 'pentium').end).toBe('#GP(0)')
    expect(ring0('bad: mov eax, cr4', '486').end).toBe('#UD')
  })
  it('hold what is written', () => {
    for (const [msr, low, high] of [[0x174, 8, 0], [0x175, 0x1234, 0], [0x176, 0x5678, 0], [0x277, 0x00070406, 0x00060105], [0xc0000080, 0x800, 0], [0x1b, 0xfee00c00, 0]]) {
      const { r, end } = ring0(`mov ecx, ${msr}\nmov eax, ${low}\nmov edx, ${high}\nwrmsr\nxor eax, eax\nmov edx, -1\nrdmsr`)
      expect([msr, end, r[reg.EAX] >>> 0, r[reg.EDX]]).toEqual([msr, 'HLT', low, high])
    }
  })
  it('refuse what is not valid', () => {
    for (const [msr, low, high] of [[0x277, 2, 0], [0x277, 0, 0x08000000], [0xc0000080, 0x100, 0], [0x1b, 0xfee00400, 0], [0x1b, 0xfee00800, 1], [0x12345, 0, 0]])
      expect([msr, ring0(`mov ecx, ${msr}\nmov eax, ${low}\nmov edx, ${high}\nbad: wrmsr`).end]).toEqual([msr, '#GP(0)'])
    expect(ring0('mov ecx, 0x12345\nbad: rdmsr').end).toBe('#GP(0)')
    expect(ring0('mov ecx, 0xc0000080\nbad: rdmsr', 'p6').end).toBe('#GP(0)')
    expect(ring0('mov ecx, 0x174\nbad: rdmsr', 'pentium').end).toBe('#GP(0)')
  })
  it('others are the bus\'s', () => {
    const { r } = ring0('mov ecx, 0x200\nmov eax, 5\nmov edx, 6\nwrmsr\nrdmsr', 'p6', (world) => world.machine.bus.msrs.set(0x200, [1, 2]))
    expect([r[reg.EAX], r[reg.EDX]]).toEqual([5, 6])
  })
  it('CR4.TSD and PCE guard the counters', () => {
    expect(ring3('bad: rdtsc', 'p4', (world) => { world.r[reg.CR4] = reg.CR4_TSD })).toBe('#GP(0)')
    expect(ring3('xor ecx, ecx\nbad: rdpmc')).toBe('#GP(0)')
    expect(ring3('xor ecx, ecx\nrdpmc', 'p4', (world) => { world.r[reg.CR4] = reg.CR4_PCE })).toBe('INT 80')
    expect(ring0('mov ecx, 2\nbad: rdpmc').end).toBe('#GP(0)')
  })
})

describe('classes', () => {
  it('have the instructions they have', () => {
    const texts = ['bswap eax', 'cmpxchg ebx, ecx', 'xadd ebx, ecx', 'invlpg [0]', 'wbinvd', 'cpuid', 'rdtsc', 'cmpxchg8b [0x4000]', 'cmovz eax, ebx', 'mfence', 'fxsave [0x4000]', 'nop dword [eax]']
    const missing = Object.fromEntries(Object.keys(CPU_CLASSES).map((className) => [className, texts.filter((text) => ring0(`bad: ${text}`, className).end === '#UD')]))
    expect(missing).toEqual({ '386': texts, '486': texts.slice(6), pentium: texts.slice(8), p6: [], p4: [] })
  })
  it('CPUID says what there is', () => {
    const leaf = (number: number, className: string) => {
      const { r } = ring0(`mov eax, ${number}\ncpuid`, className)
      return [reg.EAX, reg.EBX, reg.ECX, reg.EDX].map((n) => r[n] >>> 0)
    }
    const vendor = leaf(0, '486')
    expect([vendor[0], Buffer.from(Uint32Array.from([vendor[1], vendor[3], vendor[2]]).buffer).toString()]).toEqual([1, 'GenuineIntel'])
    expect(leaf(1, '486')).toEqual([0x480, 0, 0, 1])
    expect(leaf(1, 'pentium')[3]).toBe(0x33f & ~0xc0)
    for (const [className, cls] of Object.entries(CPU_CLASSES).filter(([, { features }]) => features.has('cpuid'))) {
      const edx = leaf(1, className)[3]
      const bit = (n: number) => ((edx >>> n) & 1) !== 0
      expect([className, bit(3), bit(5), bit(6), bit(8), bit(11), bit(13), bit(15), bit(24)]).toEqual([
        className, ...(['pse', 'msr', 'pae', 'cx8', 'sep', 'pge', 'cmov', 'fxsr'] as const).map((feature) => cls.features.has(feature))])
    }
    expect(leaf(0x80000001, 'p4')[3]).toBe(1 << 20)
    expect(leaf(0x80000008, 'p4')[0]).toBe(0x2020)
  })
  it('MMX and SSE are not there, and not claimed', () => {
    expect(ring0('bad: db 0x0f, 0x6f, 0xc0').end).toBe('#UD')
    const { r } = ring0('mov eax, 1\ncpuid')
    expect(r[reg.EDX] & ((1 << 23) | (1 << 25) | (1 << 26))).toBe(0)
  })
})

describe('INVLPG', () => {
  it('gives the bus the linear address', () => {
    const { world } = ring0('mov ax, FREE\nmov ds, ax\ninvlpg [0x123]', 'p4', (w) => w.descriptor(0x80, { base: 0x7000, attr: 0xc092 }))
    expect(world.machine.bus.invalidated).toEqual([0x7123])
    expect(ring0('bad: db 0x0f, 0x01, 0xf8').end).toBe('#UD')
  })
})

describe('port I/O', () => {
  const bitmap = (world: World) => {
    world.r[reg.SEG_LIMIT + reg.TR] = 0x68 + 0x10
    world.machine.bus.bytes[TSS + 0x68] = 0b0001_0000
    world.machine.bus.bytes[TSS + 0x68 + 0x10] = 0xff
  }
  it.each([
    ['in al, 3', 'INT 80'], ['in al, 4', '#GP(0)'], ['in ax, 3', '#GP(0)'], ['in ax, 2', 'INT 80'], ['in eax, 0', 'INT 80'], ['in eax, 1', '#GP(0)'],
    ['out 4, al', '#GP(0)'], ['mov dx, 0x7f\nin al, dx', 'INT 80'], ['mov dx, 0x7f\nin ax, dx', '#GP(0)'], ['mov dx, 0x80\nin al, dx', '#GP(0)'], ['mov dx, 4\noutsb', '#GP(0)'],
  ])('with a bitmap: %s: %s', (text, expected) => {
    expect(ring3(text, 'p4', bitmap)).toBe(expected)
  })
  it('a 16-bit TSS has no bitmap', () => {
    expect(ring3('in al, 3', 'p4', (world) => { bitmap(world); world.r[reg.SEG_ATTR + reg.TR] = 0x83; world.write32(TSS + 2, (DATA0 << 16) | 0x7000) })).toBe('#GP(0)')
  })
  it('moves values of each size', () => {
    const { r, world } = ring0('mov eax, 0x11223344\nmov edx, 0x1234\nout dx, al\nout dx, ax\nout 0x80, eax\nin al, 0x99\nmov ebx, eax\nin eax, dx', 'p4', (w) => { w.machine.bus.input = (port) => port })
    expect(world.machine.bus.out_).toEqual([{ port: 0x1234, sizeBytes: 1, value: 0x44 }, { port: 0x1234, sizeBytes: 2, value: 0x3344 }, { port: 0x80, sizeBytes: 4, value: 0x11223344 }])
    expect([r[reg.EBX], r[reg.EAX]]).toEqual([0x11223399, 0x1234])
  })
  it('INS and OUTS repeat, in either direction; INS checks its destination before it reads', () => {
    let count = 0
    const { r, world } = ring0('mov edi, 0x9000\nmov ecx, 3\nmov dx, 5\nrep insw\nmov esi, 0x9004\nmov ecx, 2\nstd\nrep outsw', 'p4', (w) => { w.machine.bus.input = () => ++count })
    expect([r[reg.EDI], r[reg.ECX], r[reg.ESI], world.read32(0x9000)]).toEqual([0x9006, 0, 0x9000, 0x20001])
    expect(world.machine.bus.out_.map(({ value }) => value)).toEqual([3, 2])
    const faulting = ring0('mov edi, 0x9000\nmov dx, 5\nbad: insb', 'p4', (w) => { w.paging().page(0x9000, 6); w.machine.bus.input = () => ++count })
    expect([faulting.end, count]).toEqual(['#PF(2)', 3])
  })
  it('INS and OUTS move bytes and dwords too', () => {
    let count = 0x11223344
    const { r, world } = ring0('mov edi, 0x9000\nmov ecx, 2\nmov dx, 5\nrep insb\ninsd\nmov esi, 0x9000\noutsb\nmov ecx, 1\nrep outsd', 'p4', (w) => { w.machine.bus.input = () => ++count })
    expect([r[reg.EDI], r[reg.ECX], r[reg.ESI], world.read32(0x9000) & 0xffff, world.read32(0x9002)]).toEqual([0x9006, 0, 0x9005, 0x4645, 0x11223347])
    expect(world.machine.bus.out_).toEqual([{ port: 5, sizeBytes: 1, value: 0x45 }, { port: 5, sizeBytes: 4, value: 0x22334746 }])
  })
})

describe('alignment checks', () => {
  const on = (world: World) => {
    world.r[reg.CR0] |= reg.CR0_AM
    world.r[reg.EFLAGS] |= reg.AC
  }
  it.each([
    ['mov eax, [0x9001]', '#AC(0)'], ['mov ax, [0x9001]', '#AC(0)'], ['mov al, [0x9001]', 'INT 80'], ['mov eax, [0x9004]', 'INT 80'], ['mov [0x9002], eax', '#AC(0)'],
    ['mov esp, 0xc002\npush eax', '#AC(0)'], ['mov esp, 0xc002\ncall CODE3:0x10000', '#AC(0)'], ['push dword CODE3\npush dword 0\nadd esp, 2\nretf', '#AC(0)'], ['lock cmpxchg8b [0x9004]', '#AC(0)'],
  ])('%s: %s', (text, expected) => {
    expect(ring3(text, 'p4', on)).toBe(expected)
  })
  it('only at ring 3, with AM and AC', () => {
    expect(ring0('mov eax, [0x9001]', 'p4', on).end).toBe('HLT')
    expect(ring3('mov eax, [0x9001]', 'p4', (world) => { world.r[reg.EFLAGS] |= reg.AC })).toBe('INT 80')
    expect(ring3('mov eax, [0x9001]', 'p4', (world) => { world.r[reg.CR0] |= reg.CR0_AM })).toBe('INT 80')
  })
  it('comes before the page fault, after the limit', () => {
    expect(ring3('mov eax, [0x9001]', 'p4', (world) => { on(world); world.paging().page(0x9000, 6) })).toBe('#AC(0)')
    expect(ring3('mov eax, [cs:0xfffffffd]', 'p4', on)).toBe('#GP(0)')
  })
})

it('code starts where the world says', () => {
  expect(CODE).toBe(0x10000)
})
