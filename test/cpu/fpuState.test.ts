// x87 control and state, #NM and #MF (SDM vol. 1 chapter 8).
import { expect, it, describe } from 'vitest'
import * as reg from '../../src/cpu/registers.ts'
import { name, World } from './protectedMode.ts'

// The ISA table has the x87 by opcode byte, so the assembler knows no names for it.
const FNINIT = 'db 0xdb, 0xe3'
const FNCLEX = 'db 0xdb, 0xe2'
const FNSTSW_AX = 'db 0xdf, 0xe0'
const FWAIT = 'db 0x9b'
/** Memory forms on the absolute address `at`. */
const absolute = (opcode: number, reg_: number, at: number) => `db 0x${opcode.toString(16)}, ${(reg_ << 3) | 5}\ndd ${at}`
const FLDCW = (at: number) => absolute(0xd9, 5, at)
const FNSTCW = (at: number) => absolute(0xd9, 7, at)
const FNSTENV = (at: number) => absolute(0xd9, 6, at)
const FLDENV = (at: number) => absolute(0xd9, 4, at)
const FNSAVE = (at: number) => absolute(0xdd, 6, at)
const FRSTOR = (at: number) => absolute(0xdd, 4, at)
const FNSTSW = (at: number) => absolute(0xdd, 7, at)

function run(text: string, prepare: (world: World) => void = () => {}, className = 'p4') {
  const world = new World(className)
  world.r[reg.CR0] |= reg.CR0_NE
  prepare(world)
  const end = world.code(text + '\nhlt').run()
  return { end: name(end), world, r: world.r, eip: end.eip }
}

describe('control and status', () => {
  it('FNINIT, FNSTCW, FLDCW, FNSTSW, FNCLEX', () => {
    const { world, r } = run([FNINIT, FNSTCW(0x9000), FNSTSW(0x9002), 'mov word [0x9004], 0x1f7f', FLDCW(0x9004), FNSTCW(0x9006), 'mov eax, -1', FNSTSW_AX].join('\n'))
    expect([world.read16(0x9000), world.read16(0x9002), world.read16(0x9006), r[reg.EAX] >>> 0, r[reg.FPU_TW]]).toEqual([0x37f, 0, 0x1f7f, 0xffff0000, 0xffff])
    const clear = run(FNCLEX, (w) => { w.r[reg.FPU_SW] = 0xb8ff })
    expect(clear.r[reg.FPU_SW]).toBe(0x3800)
  })
  it('FINCSTP, FDECSTP, FFREE, FNOP', () => {
    const { r } = run(`${FNINIT}\ndb 0xd9, 0xf6\ndb 0xd9, 0xf6\ndb 0xd9, 0xf7\ndb 0xd9, 0xd0`, () => {})
    expect(r[reg.FPU_SW]).toBe(7 << 11)
    const free = run('db 0xdd, 0xc1', (w) => { w.r[reg.FPU_TW] = 0; w.r[reg.FPU_SW] = 7 << 11 })
    expect(free.r[reg.FPU_TW]).toBe(3)
  })
  it('arithmetic is refused by name', () => {
    const { end, world } = run('db 0xd8, 0xc1')
    expect([end, world.machine.cpu.remark]).toEqual(['#UD', null])
    const fresh = new World()
    fresh.code('db 0xd9, 0xe8')
    fresh.machine.step()
    expect(fresh.machine.cpu.remark).toBe('xmcheck does not implement x87 arithmetic')
  })
})

describe('#NM and #MF', () => {
  it('EM or TS on any escape, MP and TS on FWAIT', () => {
    const with0 = (bits: number, text: string) => run(text, (w) => { w.r[reg.CR0] |= bits }).end
    expect([with0(reg.CR0_TS, FNINIT), with0(reg.CR0_EM, FNINIT), with0(reg.CR0_TS, FWAIT), with0(reg.CR0_MP, FWAIT), with0(reg.CR0_MP | reg.CR0_TS, FWAIT), with0(0, FNINIT)]).toEqual([
      '#NM', '#NM', 'HLT', 'HLT', '#NM', 'HLT'])
    expect(with0(reg.CR0_TS, 'db 0xd8, 0xc1')).toBe('#NM')
  })
  it('a pending exception is reported by waiting instructions, at them', () => {
    const unmasked = 'mov word [0x9000], 0x37e\nmov dword [0x9010], 0\n'
    const pending = (w: World) => { w.r[reg.FPU_SW] = 1; w.r[reg.FPU_CW] = 0x37f; w.r[reg.FPU_TW] = 0xffff }
    expect(run(`${unmasked}${FLDCW(0x9000)}\n${FWAIT}`, pending).end).toBe('#MF')
    expect(run(`${unmasked}${FLDCW(0x9000)}\n${FNSTSW_AX}\n${FNCLEX}\n${FWAIT}`, pending).end).toBe('HLT')
    expect(run(`${unmasked}${FLDCW(0x9000)}\n${FLDCW(0x9000)}`, pending).end).toBe('#MF')
    expect(run(`${unmasked}${FLDCW(0x9000)}\n${FNSTSW_AX}`, pending).r[reg.EAX] & 0x8081).toBe(0x8081)
  })
})

describe('environments', () => {
  const state = (w: World) => {
    const r = w.r
    Object.assign(r, { [reg.FPU_CW]: 0x37f, [reg.FPU_SW]: 0x3841, [reg.FPU_TW]: 0x1234, [reg.FPU_IP]: 0x12345678, [reg.FPU_CS]: 8, [reg.FPU_OP]: 0x5a5, [reg.FPU_DP]: 0x87654321 | 0, [reg.FPU_DS]: 0x10 })
    for (let n = 0; n < 24; n++) r[reg.FPU_ST + n] = n % 3 === 2 ? 0x3fff + n : 0x10000 + n
  }
  const dwords = (world: World, at: number, count: number) => Array.from({ length: count }, (_, n) => world.read32(at + n * 4) >>> 0)
  it('protected mode, 32 and 16 bits', () => {
    const { world } = run(FNSTENV(0x9000), state)
    expect(dwords(world, 0x9000, 7)).toEqual([0xffff037f, 0xffff3841, 0xffff1234, 0x12345678, 0x05a50008, 0x87654321, 0xffff0010])
    const small = run(`o16 ${FNSTENV(0x9000)}`.replace('o16 db', 'db 0x66\ndb'), state)
    expect(Array.from({ length: 7 }, (_, n) => small.world.read16(0x9000 + n * 2))).toEqual([0x37f, 0x3841, 0x1234, 0x5678, 8, 0x4321, 0x10])
  })
  it('FLDENV takes it back', () => {
    const { r } = run(`${FNSTENV(0x9000)}\n${FNINIT}\n${FLDENV(0x9000)}`, state)
    expect([reg.FPU_CW, reg.FPU_SW, reg.FPU_TW, reg.FPU_IP, reg.FPU_CS, reg.FPU_OP, reg.FPU_DP, reg.FPU_DS].map((n) => r[n])).toEqual([0x37f, 0x3841, 0x1234, 0x12345678, 8, 0x5a5, 0x87654321 | 0, 0x10])
  })
  it('FNSAVE stores ST(0) first and initialises; FRSTOR restores all', () => {
    const { world, r } = run(`${FNSAVE(0x9000)}\nmov eax, [0x901c]\nmov bx, [0x9024]\n${FNSTCW(0x9100)}\n${FRSTOR(0x9000)}`, state)
    // TOP is 7: ST(0) is R7.
    expect([r[reg.EAX], r[reg.EBX] & 0xffff, world.read16(0x9100)]).toEqual([0x10000 + 21, 0x3fff + 23, 0x37f])
    const expected = new World()
    state(expected)
    expect(Array.from(r.subarray(reg.FPU_CW, reg.MXCSR))).toEqual(Array.from(expected.r.subarray(reg.FPU_CW, reg.MXCSR)))
  })
  it('FXSAVE and FXRSTOR', () => {
    const fx = (w: World) => {
      state(w)
      w.r[reg.MXCSR] = 0x1f80
      // R1 zero, R2 special, R3 valid, the others empty: tags as FXRSTOR works them out again.
      w.r[reg.FPU_TW] = 0xff3f & ~0xfc | (1 << 2) | (2 << 4)
      w.r.set([0, 0, 0, 1, 0, 0x7fff, 0, 0x80000000 | 0, 0x3fff], reg.FPU_ST + 3)
    }
    const { r, world } = run(`fxsave [0x9000]\n${FNINIT}\nfxrstor [0x9000]`, fx)
    const expected = new World()
    fx(expected)
    expect(Array.from(r.subarray(reg.FPU_CW, reg.MXCSR + 1))).toEqual(Array.from(expected.r.subarray(reg.FPU_CW, reg.MXCSR + 1)))
    expect(dwords(world, 0x9000, 8)).toEqual([0x3841037f, 0x05a5000e, 0x12345678, 8, 0x87654321, 0x10, 0x1f80, 0xffff])
    expect(run('fxsave [0x9008]').end).toBe('#GP(0)')
    expect(run('fxsave [0x9000]', (w) => { w.r[reg.CR0] |= reg.CR0_TS }).end).toBe('#NM')
    expect(run('mov dword [0x9018], 0x10000\nfxrstor [0x9000]').end).toBe('#GP(0)')
  })
})
