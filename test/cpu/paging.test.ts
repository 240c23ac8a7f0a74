// Page walks, rights, accessed and dirty bits, error codes (SDM vol. 3A chapter 5).
import { describe, expect, it } from 'vitest'
import * as reg from '../../src/cpu/registers.ts'
import { name, World } from './protectedMode.ts'

const end = (world: World, text: string) => {
  const finish = world.code(`${text}\n${(world.r[reg.SELECTOR + reg.CS] & 3) !== 0 ? 'int 0x80' : 'hlt'}`).run()
  return finish.vector === 14 ? `${name(finish)} at ${(world.r[reg.CR2] >>> 0).toString(16)}${finish.eip === world.labels.get('bad') ? '' : ', elsewhere'}` : name(finish)
}

describe('rights and error codes', () => {
  const cases: [string, boolean, number, number, string][] = [
    // text, user, low bits of the PTE of page 9000, CR0 bits, result
    ['bad: mov eax, [0x9123]', false, 6, 0, '#PF(0) at 9123'],
    ['bad: mov [0x9123], eax', false, 6, 0, '#PF(2) at 9123'],
    ['bad: mov eax, [0x9123]', true, 6, 0, '#PF(4) at 9123'],
    ['bad: mov [0x9123], eax', true, 6, 0, '#PF(6) at 9123'],
    ['bad: mov eax, [0x9123]', true, 3, 0, '#PF(5) at 9123'],
    ['bad: mov [0x9123], eax', true, 5, 0, '#PF(7) at 9123'],
    ['bad: mov [0x9123], eax', true, 3, 0, '#PF(7) at 9123'],
    ['mov eax, [0x9123]', true, 5, 0, 'INT 80'],
    ['mov [0x9123], eax', false, 5, 0, 'HLT'],
    ['bad: mov [0x9123], eax', false, 5, reg.CR0_WP, '#PF(3) at 9123'],
    ['mov eax, [0x9123]', false, 1, reg.CR0_WP, 'HLT'],
    ['bad: inc dword [0x9123]', true, 5, 0, '#PF(7) at 9123'],
    ['bad: xchg [0x9123], eax', false, 6, 0, '#PF(2) at 9123'],
    ['bad: mov eax, [0x8ffe]', false, 6, 0, '#PF(0) at 9000'],
    ['bad: mov [0x8ffe], eax', false, 6, 0, '#PF(2) at 9000'],
    ['bad: add [0x8ffe], eax', false, 6, 0, '#PF(2) at 9000'],
    ['bad: jmp dword [0x9000]', false, 6, 0, '#PF(0) at 9000'],
    ['bad: push dword [0x9000]', true, 3, 0, '#PF(5) at 9000'],
  ]
  it.each(cases)('%s (user %s, PTE %s, CR0 %s): %s', (text, user, pte, cr0, expected) => {
    const world = new World().paging().page(0x9000, pte)
    if (user) world.user()
    world.r[reg.CR0] |= cr0
    expect(end(world, text)).toBe(expected)
  })
  it('both levels must allow it', () => {
    // With a second directory entry, so that code and tables stay reachable.
    const through = (pde: number) => {
      const world = new World().user().paging()
      world.write32(0xe004, pde)
      return end(world, 'bad: mov [0x409000], eax')
    }
    expect([0xf007, 0xf005, 0xf003, 0xf006].map(through)).toEqual(['INT 80', '#PF(7) at 409000', '#PF(7) at 409000', '#PF(6) at 409000'])
    // A directory that is not there cannot deliver either.
    const world = new World().paging()
    world.write32(0xe000, 0)
    expect(name(world.code('nop').run())).toBe('shutdown')
  })
  it('a faulting instruction has written nothing', () => {
    const world = new World().paging().page(0x9000, 6)
    end(world, 'mov dword [0x8ffe], 0x11112222\n')
    expect(world.read16(0x8ffe)).toBe(0)
    const pushes = new World().paging().page(0x9000, 6)
    pushes.r[reg.ESP] = 0xa004
    pushes.gate(14, { selector: 0x28, type: 0x85 })
    expect(name(pushes.code('push eax\nbad: push eax').run())).toBe('shutdown')
    expect([pushes.r[reg.ESP], pushes.r[reg.CR2]]).toEqual([0xa000, 0x9ffc])
  })
  it('descriptor tables are read as the supervisor', () => {
    const world = new World().user().paging().page(0x1000, 3).page(0x2000, 3).page(0x3000, 3).page(0x6000, 3)
    expect(end(world, 'mov ax, DATA3\nmov ds, ax')).toBe('INT 80')
  })
  it('a fetch across pages faults in the second', () => {
    const world = new World().paging().page(0x11000, 6)
    const finish = world.code('jmp bad\ntimes 0xffe - ($ - $$) nop\nbad: mov eax, 0x12345678').run()
    expect([name(finish), world.r[reg.CR2], finish.eip]).toEqual(['#PF(0)', 0x11000, 0x10ffe])
  })
})

describe('accessed and dirty', () => {
  it('reads set A in both levels, writes D in the last', () => {
    const world = new World().paging()
    end(world, 'mov eax, [0x9000]\nmov [0xa000], eax')
    expect([world.pte(0x9000) & 0x60, world.pte(0xa000) & 0x60, world.pte(0xb000) & 0x60, world.read32(0xe000) & 0x60]).toEqual([0x20, 0x60, 0, 0x20])
  })
  it('a fault sets neither', () => {
    const world = new World().user().paging().page(0x9000, 5)
    end(world, 'mov [0x9000], eax')
    expect(world.pte(0x9000) & 0x60).toBe(0)
  })
})

describe('4 MB pages', () => {
  const large = (bits: number, cr4 = reg.CR4_PSE) => {
    const world = new World().paging()
    world.write32(0xe000 + 4, bits)
    world.r[reg.CR4] = cr4
    return world
  }
  it('map, with accessed and dirty in the directory', () => {
    const world = large(0x83)
    world.write32(0x9000, 77)
    expect(end(world, 'mov eax, [0x409000]\nmov [0x409004], eax')).toBe('HLT')
    expect([world.r[reg.EAX], world.read32(0x9004), world.read32(0xe004)]).toEqual([77, 77, 0xe3])
  })
  it('bits 21-13 are reserved; without PSE bit 7 is nothing', () => {
    expect(end(large(0x83 | (1 << 13)), 'bad: mov eax, [0x409000]')).toBe('#PF(9) at 409000')
    expect(end(large(0x83 | (1 << 21)), 'bad: mov [0x409000], eax')).toBe('#PF(b) at 409000')
    const world = large(0xf083, 0)
    expect(end(world, 'mov eax, [0x409000]')).toBe('HLT')
  })
})

describe('PAE', () => {
  /** PDPT at d000, directory at e000, table at f000 (first 2 MB), then 2 MB pages. */
  const pae = (prepare: (world: World) => void = () => {}) => {
    const world = new World()
    world.write32(0xd000, 0xe001)
    world.write32(0xe000, 0xf007)
    for (let page = 0; page < 512; page++) world.write32(0xf000 + page * 8, (page << 12) | 7)
    world.write32(0xe008, 0x87)
    world.r[reg.CR4] = reg.CR4_PAE
    prepare(world)
    return world
  }
  const on = 'mov eax, 0xd000\nmov cr3, eax\nmov eax, 0x80000011\nmov cr0, eax\n'
  it('walks three levels, 4 KB and 2 MB', () => {
    const world = pae()
    world.write32(0x9000, 5)
    expect(end(world, on + 'mov eax, [0x9000]\nmov ebx, [0x209000]\nmov [0x20a000], ebx')).toBe('HLT')
    expect([world.r[reg.EAX], world.r[reg.EBX], world.read32(0xa000), world.read32(0xe008)]).toEqual([5, 5, 5, 0xe7])
    expect([world.read32(0xf000 + 9 * 8) & 0x60, world.read32(0xe000) & 0x60]).toEqual([0x20, 0x20])
  })
  it('PDPTEs are registers: read with CR3, checked then', () => {
    const world = pae()
    expect(end(world, on + 'mov dword [0xd000], 0\nmov eax, [0x9000]')).toBe('HLT')
    expect(end(pae((w) => w.write32(0xd000, 0xe003)), on.replace(/mov cr0/, 'bad: mov cr0'))).toBe('#GP(0)')
    expect(end(pae(), on + 'mov dword [0xd008], 0x101\nmov eax, 0xd000\nmov cr3, eax')).toBe('#GP(0)')
    expect(end(pae(), on + 'bad: mov eax, [0x40000000]')).toBe('#PF(0) at 40000000')
  })
  it('reserved bits', () => {
    expect(end(pae((w) => w.write32(0xf000 + 9 * 8 + 4, 1)), on + 'bad: mov eax, [0x9000]')).toBe('#PF(9) at 9000')
    expect(end(pae((w) => w.write32(0xe008, 0x2087)), on + 'bad: mov eax, [0x209000]')).toBe('#PF(9) at 209000')
    expect(end(pae((w) => w.write32(0xf000 + 9 * 8 + 4, 0x80000000)), on + 'bad: mov eax, [0x9000]')).toBe('#PF(9) at 9000')
  })
  it('NX: fetches fault with bit 4 of the error code, data does not', () => {
    const nx = (text: string) =>
      pae((w) => {
        w.r[reg.MSR_EFER] = reg.EFER_NXE
        w.write32(0xf000 + 9 * 8 + 4, 0x80000000)
        w.code(text)
      })
    const finish = nx('').code(`${on}mov eax, [0x9000]\nmov eax, 0x9000\njmp eax`).run()
    expect([name(finish), finish.eip]).toEqual(['#PF(11)', 0x9000])
    const absent = pae((w) => {
      w.r[reg.MSR_EFER] = reg.EFER_NXE
      w.write32(0xf000 + 9 * 8, 0)
    })
    expect(name(absent.code(`${on}mov eax, 0x9000\njmp eax`).run())).toBe('#PF(10)')
  })
})
