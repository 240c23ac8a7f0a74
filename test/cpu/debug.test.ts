// Single-stepping, breakpoints, RF, and the shadows of STI and MOV SS (SDM vol. 3B chapter 19, vol. 3A 7.8.3).
import { describe, expect, it } from 'vitest'
import * as reg from '../../src/cpu/registers.ts'
import { CODE, DATA0, name, STUBS, World } from './protectedMode.ts'

const dr7 = (n: number, rw: number, bytes: number) => (2 << (n * 2)) | (rw << (16 + n * 4)) | ({ 1: 0, 2: 1, 4: 3 }[bytes]! << (18 + n * 4))
const EXECUTE = 0
const WRITE = 1
const IO = 2
const ACCESS = 3

/** How it ended, the label of the saved EIP, DR6 without its fixed bits. */
function run(text: string, prepare: (world: World) => void = () => {}): [string, string, string] {
  const world = new World()
  world.code(text + '\nhlt')
  prepare(world)
  const end = world.run()
  const label = [...world.labels].find(([, address]) => address === end.eip)?.[0] ?? end.eip.toString(16)
  return [name(end), end.vector < 0 ? '' : label, (world.r[reg.DR6] & 0xe00f).toString(16)]
}
const trapFlag = (world: World) => { world.r[reg.EFLAGS] |= reg.TF }

describe('single-stepping', () => {
  it('traps after one instruction, with TF clear in the handler and set in its frame', () => {
    const world = new World()
    trapFlag(world)
    const end = world.code('nop\nafter: nop').run()
    expect([name(end), end.eip, end.eflags & reg.TF, world.r[reg.EFLAGS] & reg.TF, world.r[reg.DR6] & 0x4000]).toEqual(['#DB', world.at('after'), reg.TF, 0, 0x4000])
  })
  it('begins after the instruction that follows POPF, ends with the POPF that clears it', () => {
    expect(run('push dword 0x102\npopf\nnop\nafter: nop')).toEqual(['#DB', 'after', '4000'])
    expect(run('push dword 2\npopf\nafter: nop', (w) => { w.r[reg.ESP] -= 4; w.write32(w.r[reg.ESP], 2); trapFlag(w); w.r[reg.EIP] = w.at('after') - 1 })).toEqual(['#DB', 'after', '4000'])
  })
  it('takes every iteration of a string instruction, with RF in the frame between them', () => {
    const world = new World()
    trapFlag(world)
    world.r[reg.ECX] = 3
    world.r[reg.EDI] = 0x9000
    const end = world.code('bad: rep stosb\nafter: nop').run()
    expect([name(end), end.eip, world.r[reg.ECX], end.eflags & reg.RF]).toEqual(['#DB', world.at('bad'), 2, reg.RF])
  })
  it('skips the instruction after MOV SS; INT n and faults are not stepped', () => {
    expect(run('mov ss, ax\nnop\nafter: nop', (w) => { trapFlag(w); w.r[reg.EAX] = DATA0 })).toEqual(['#DB', 'after', '4000'])
    expect(run('int 0x41\nafter: nop', trapFlag)).toEqual(['INT 41', 'after', '0'])
    expect(run('after: ud2', trapFlag)).toEqual(['#UD', 'after', '0'])
  })
})

describe('breakpoints', () => {
  it('on execution are faults before the instruction; RF passes one', () => {
    const arm = (world: World) => {
      world.r[reg.DR0] = world.at('here')
      world.r[reg.DR7] = 0x400 | dr7(0, EXECUTE, 1)
    }
    expect(run('inc eax\nhere: inc eax', arm)).toEqual(['#DB', 'here', '1'])
    const world = new World()
    world.code('here: inc eax\nhlt')
    arm(world)
    world.r[reg.EFLAGS] |= reg.RF
    expect([name(world.run()), world.r[reg.EAX], world.r[reg.EFLAGS] & reg.RF]).toEqual(['HLT', 1, 0])
    // The frame of the fault itself has RF clear: the handler sets it.
    const fault = new World()
    fault.code('here: inc eax\nhlt')
    arm(fault)
    expect(fault.run().eflags & reg.RF).toBe(0)
  })
  it('on data are traps after the access; sizes and kinds', () => {
    const at = (n: number, rw: number, bytes: number, address: number) => (world: World) => {
      world.r[reg.DR0 + n] = address
      world.r[reg.DR7] = 0x400 | dr7(n, rw, bytes)
    }
    expect(run('mov [0x9002], al\nafter: nop', at(1, WRITE, 4, 0x9000))).toEqual(['#DB', 'after', '2'])
    expect(run('mov al, [0x9002]\nafter: nop', at(1, WRITE, 4, 0x9000))[0]).toBe('HLT')
    expect(run('mov al, [0x9002]\nafter: nop', at(2, ACCESS, 4, 0x9000))).toEqual(['#DB', 'after', '4'])
    expect(run('mov [0x9004], al\nafter: nop', at(2, ACCESS, 4, 0x9000))[0]).toBe('HLT')
    expect(run('mov [0x8ffe], eax\nafter: nop', at(3, ACCESS, 1, 0x9001))).toEqual(['#DB', 'after', '8'])
    expect(run('inc dword [0x9000]\nafter: nop', at(0, WRITE, 2, 0x9002))).toEqual(['#DB', 'after', '1'])
    expect(run('push eax\nafter: nop', at(0, WRITE, 4, 0x6ffc))).toEqual(['#DB', 'after', '1'])
  })
  it('on ports with CR4.DE', () => {
    const at = (cr4: number) => (world: World) => {
      world.r[reg.CR4] = cr4
      world.r[reg.DR0] = 0x64
      world.r[reg.DR7] = 0x400 | dr7(0, IO, 1)
    }
    expect(run('in al, 0x64\nafter: nop', at(reg.CR4_DE))).toEqual(['#DB', 'after', '1'])
    expect(run('in al, 0x64\nafter: nop', at(0))[0]).toBe('HLT')
  })
  it('MOV SS puts its own hits off by one instruction', () => {
    const arm = (world: World) => {
      world.r[reg.DR0] = 0x9000
      world.r[reg.DR7] = 0x400 | dr7(0, ACCESS, 2)
      world.write32(0x9000, DATA0)
    }
    expect(run('mov ss, [0x9000]\nnop\nafter: nop', arm)).toEqual(['#DB', 'after', '1'])
    // Into a handler first; the trap is at its first instruction. INT1 is the trap.
    const inStub = (vector: number) => ['#DB', (STUBS + vector).toString(16), '1']
    expect([run('mov ss, [0x9000]\nint 0x80\nafter: nop', arm), run('mov ss, [0x9000]\nint3\nafter: nop', arm)]).toEqual([inStub(0x80), inStub(3)])
    expect(run('mov ss, [0x9000]\ndb 0xf1\nafter: nop', arm).slice(0, 2)).toEqual(['#DB', 'after'])
  })
  it('do not trigger on an instruction after MOV SS', () => {
    expect(run('mov ss, ax\nhere: nop\nafter: nop', (world) => {
      world.r[reg.EAX] = DATA0
      world.r[reg.DR0] = world.at('here')
      world.r[reg.DR7] = 0x400 | dr7(0, EXECUTE, 1)
    })[0]).toBe('HLT')
  })
})

describe('debug registers', () => {
  it('have fixed bits, DR4 and DR5 are DR6 and DR7 without CR4.DE', () => {
    const world = new World()
    world.code('xor eax, eax\nmov dr6, eax\nmov ecx, dr6\nmov eax, 0xffffd4ff & 0xffff00ff\nmov dr7, eax\nmov edx, dr7\nmov eax, 0\nmov dr7, eax\nmov ebx, dr5\nmov esi, dr4\nhlt').run()
    const r = world.r
    expect([r[reg.ECX] >>> 0, r[reg.EDX] >>> 0, r[reg.EBX], r[reg.ESI] >>> 0]).toEqual([0xffff0ff0, 0xffff04ff, 0x400, 0xffff0ff0])
    const extensions = new World()
    extensions.r[reg.CR4] = reg.CR4_DE
    expect(name(extensions.code('mov eax, dr4').run())).toBe('#UD')
    expect(name(new World().user().code('mov eax, dr0').run())).toBe('#GP(0)')
  })
  it('GD guards them, until the handler runs', () => {
    const world = new World()
    world.r[reg.DR7] = 0x2400
    const end = world.code('here: mov eax, dr0').run()
    expect([name(end), end.eip, world.r[reg.DR6] & 0xe00f, world.r[reg.DR7]]).toEqual(['#DB', CODE, 0x2000, 0x400])
  })
})

describe('interruptibility', () => {
  const after = (text: string, steps: number, flags = 0x202) => {
    const world = new World()
    world.r[reg.EFLAGS] = flags
    world.r[reg.EAX] = DATA0
    world.code(text)
    for (let n = 0; n < steps; n++) world.machine.step()
    return [world.machine.cpu.canTakeInterrupt(), world.machine.cpu.canTakeNmi()]
  }
  it('STI holds interrupts off for one instruction, if IF was clear', () => {
    expect(after('sti\nnop\nnop', 1, 2)).toEqual([false, true])
    expect(after('sti\nnop\nnop', 2, 2)).toEqual([true, true])
    expect(after('sti\nnop', 1)).toEqual([true, true])
    expect(after('sti\nsti\nnop', 2, 2)).toEqual([true, true])
  })
  it('MOV SS and POP SS hold both off; LSS does not; a second one does not add', () => {
    expect(after('mov ss, ax\nnop', 1)).toEqual([false, false])
    expect(after('mov ss, ax\nnop', 2)).toEqual([true, true])
    expect(after('push ss\npop ss\nnop', 2)).toEqual([false, false])
    expect(after('mov ss, ax\nmov ss, ax\nnop', 2)).toEqual([true, true])
    expect(after('mov ds, ax\nnop', 1)).toEqual([true, true])
  })
  it('an NMI blocks NMIs until IRET, even one that faults', () => {
    const world = new World()
    world.code('nop\niret')
    world.r[reg.EVENT] = reg.EVENT_VALID | reg.EVENT_NMI | 2
    world.machine.step()
    expect(world.machine.cpu.canTakeNmi()).toBe(false)
    world.r[reg.EIP] = CODE + 1
    world.machine.step()
    expect(world.machine.cpu.canTakeNmi()).toBe(true)
    const faulting = new World()
    faulting.r[reg.SHADOW] = reg.SHADOW_NMI
    faulting.code('push dword 0\npush dword 0\niret')
    for (let n = 0; n < 3; n++) faulting.machine.step()
    expect([(faulting.r[reg.EVENT] & 0xff), faulting.machine.cpu.canTakeNmi()]).toEqual([13, true])
  })
})
