// What firmware and kernels ask of the board: registers that read back, what is reserved.
import { describe, expect, it } from 'vitest'
import { classOf } from '../../src/cpu/classes.ts'
import { optionsFor, rom, run } from './boot.ts'

/** Real-mode code at the reset vector: #GP posts 0xd0; `post` posts AL. */
const guarded = (code: string) =>
  rom(64, `xor ax, ax\nmov ds, ax\nmov ss, ax\nmov sp, 0x7000\nmov word [52], gp\nmov [54], cs\n${code}\nend: cli\nhlt\ngp: mov al, 0xd0\nout 0x80, al\njmp end`)
const rdmsr = (msr: number) => `mov ecx, ${msr}\nrdmsr\n`
const wrmsr = (msr: number, low: number, high = 0) => `mov ecx, ${msr}\nmov eax, ${low}\nmov edx, ${high}\nwrmsr\n`
const post = 'out 0x80, al\n'
const posts = (code: string, cpu = 'p4') => run(optionsFor(guarded(code), { rom: true, cpu: classOf(cpu) })).log.posts

describe('memory type range registers', () => {
  const mtrrBit = 'mov eax, 1\ncpuid\nmov eax, edx\nshr eax, 12\nand al, 1\nout 0x80, al\n'
  it('read back what is written', () => {
    const code = `${wrmsr(0x200, 0x80000006)}${wrmsr(0x201, 0xf8000800, 0xf)}${wrmsr(0x250, 0x06060606, 0x01040506)}${wrmsr(0x2ff, 0xc06)}`
    expect(posts(`${code}${rdmsr(0x200)}${post}${rdmsr(0x201)}mov al, dl\n${post}${rdmsr(0x250)}mov eax, edx\n${post}${rdmsr(0x2ff)}mov al, ah\n${post}${rdmsr(0xfe)}${post}`)).toEqual([6, 0xf, 6, 0xc, 8])
  })
  it.each([['a type that does not exist', wrmsr(0x2ff, 2)], ['the capabilities', wrmsr(0xfe, 0)], ['a ninth range', rdmsr(0x210)], ['a reserved bit of a mask', wrmsr(0x201, 0x400)], ['one bad byte of eight', wrmsr(0x26f, 0, 0x00070000)]])('%s is refused', (_, code) => {
    expect(posts(code)).toEqual([0xd0])
  })
  it('are there by class, and CPUID says so', () => {
    expect([posts(mtrrBit, 'p6'), posts(mtrrBit, 'pentium'), posts(rdmsr(0x2ff), 'pentium')]).toEqual([[1], [0], [0xd0]])
  })
})
