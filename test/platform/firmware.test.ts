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

describe('model-specific registers', () => {
  it('the time-stamp counter can be set; parts before the Pentium 4 clear its upper half', () => {
    const code = `${wrmsr(0x10, 0xfffffff0, 5)}rdtsc\nmov al, dl\n${post}`
    // 15 ticks later the low word has carried.
    expect([posts(code, 'p4'), posts(code, 'pentium')]).toEqual([[5], [0]])
    expect(posts(`${wrmsr(0x10, 0xfffffffe, 5)}nop\nnop\nnop\n${rdmsr(0x10)}mov al, dl\n${post}`)).toEqual([6])
    expect(posts(`${wrmsr(0x10, 0, 0)}rdtsc\n${post}`)[0]).toBeLessThan(4)
  })
  it('IA32_TSC_ADJUST moves with the counter, and moves it', () => {
    expect(posts(`${wrmsr(0x3b, 0, 7)}rdtsc\nmov al, dl\n${post}${wrmsr(0x10, 0, 0x100)}${rdmsr(0x3b)}mov eax, edx\n${post}mov al, ah\n${post}`)).toEqual([7, 0xff, 0])
    expect([posts(rdmsr(0x3b), 'p6'), posts(`mov eax, 7\nxor ecx, ecx\ncpuid\nmov al, bl\n${post}`)]).toEqual([[0xd0], [2]])
  })
  it('IA32_MISC_ENABLE keeps what may be written', () => {
    expect(posts(`${wrmsr(0x1a0, 0xc50809, 4)}${rdmsr(0x1a0)}mov al, ah\n${post}mov al, dl\n${post}`)).toEqual([0x18, 4])
    expect([posts(wrmsr(0x1a0, 0x2)), posts(rdmsr(0x1a0), 'p6')]).toEqual([[0xd0], [0xd0]])
  })
  it('there are no machine-check banks', () => {
    expect([posts(`${rdmsr(0x179)}${post}`), posts(rdmsr(0x400)), posts(wrmsr(0x179, 0))]).toEqual([[0], [0xd0], [0xd0]])
  })
  it('EFER has SCE and NXE, and nothing of long mode', () => {
    const efer = 0xc0000080
    expect([posts(`${wrmsr(efer, 0x801)}${rdmsr(efer)}${post}`), posts(wrmsr(efer, 0x100))]).toEqual([[1], [0xd0]])
  })
  it('the x2APIC id is in CPUID leaf 0xb', () => {
    expect(posts(`xor eax, eax\ncpuid\n${post}mov eax, 0xb\nxor ecx, ecx\ncpuid\nmov al, ch\n${post}mov al, dl\n${post}mov eax, 0xb\nmov ecx, 1\ncpuid\nmov al, cl\n${post}mov al, bl\n${post}`)).toEqual([0xb, 1, 0, 1, 0])
  })
})

describe('ports', () => {
  const out = (port: number, value: number, register = 'al') => `mov dx, ${port}\nmov e${register === 'al' ? 'ax' : register.slice(-2)}, ${value}\nout dx, ${register}\n`
  const into = (port: number, register = 'al') => `mov dx, ${port}\nin ${register}, dx\n`
  const read = (port: number) => `${into(port)}${post}`
  const cmos = (at: number) => `${out(0x70, at)}${read(0x71)}`

  it('the keyboard controller answers its commands', () => {
    const command = (byte: number) => `${out(0x64, byte)}${into(0x64)}and al, 1\n${post}${read(0x60)}`
    expect(posts(`${command(0xaa)}${command(0xab)}${command(0x20)}${command(0xd0)}${out(0x64, 0x60)}${out(0x60, 0x74)}${command(0x20)}${into(0x64)}and al, 1\n${post}`)).toEqual([1, 0x55, 1, 0, 1, 0x45, 1, 0xcf, 1, 0x74, 0])
  })
  it.each([['0xfe to the keyboard controller', out(0x64, 0xfe)], ['its output port', `${out(0x64, 0xd1)}${out(0x60, 0xfe)}`], ['port 0x92', out(0x92, 1)], ['port 0xcf9', out(0xcf9, 6)]])('%s resets', (_, code) => {
    expect(run(optionsFor(guarded(code), { rom: true })).outcome.exit.kind).toBe('reset')
  })
  it('opening A20 does not', () => {
    expect(posts(`${out(0x64, 0xd1)}${out(0x60, 0xdf)}${out(0x92, 2)}${out(0xcf9, 2)}${read(0x92)}`)).toEqual([2])
  })
  it.each([['PM1a', out(0x604, 0x2000, 'ax')], ['old PM1a', out(0xb004, 0x2000, 'ax')], ['Bochs', [...'Shutdown'].map((letter) => out(0x8900, letter.charCodeAt(0))).join('')]])('%s switches off', (_, code) => {
    expect(run(optionsFor(guarded(code), { rom: true })).outcome.exit).toMatchObject({ kind: 'power-off', status: 0 })
  })
  it('suspend to RAM ends with the alarm, at the waking vector; without one it is off', () => {
    const alarm = [[1, 5], [3, 0xc0], [5, 0xc0], [0xb, 0x22]].map(([at, value]) => `${out(0x70, at)}${out(0x71, value)}`).join('')
    const sleep = (start: string) => `mov ax, 0x9000\nmov es, ax\nmov dword [es:0xfd0c], 0xf0000+woken\n${start}${out(0x604, 0x2400, 'ax')}ud2\nwoken: mov ax, cs\n${post}${cmos(0)}${into(0x600, 'ax')}mov al, ah\n${post}mov eax, cr0\nand al, 1\n${post}cli\nhlt\n`
    const start = 'mov eax, cr0\nor al, 1\nmov cr0, eax\n'
    const code = (text: string) => optionsFor(guarded(text), { rom: true })
    expect(run(code(`${alarm}${sleep(start)}`)).log.posts.slice(1)).toEqual([5, 0x80, 0])
    expect(run(code(sleep(''))).outcome.exit).toMatchObject({ kind: 'power-off', message: expect.stringContaining('no alarm') })
  })
  it('another sleep type and an unfinished word do not', () => {
    expect(posts(`${out(0x604, 0x3c00, 'ax')}${out(0x8900, 83)}${out(0x8900, 104)}${out(0x8900, 83)}${into(0x604, 'ax')}${post}`)).toEqual([1])
  })
  it('nobody answers on the PCI bus', () => {
    expect(posts(`${out(0xcf8, 0x80000000, 'eax')}${into(0xcfc, 'eax')}inc eax\n${post}`)).toEqual([0])
  })
  it('the clock starts in 2000 and runs with virtual time', () => {
    expect(posts([0, 2, 4, 6, 7, 8, 9, 0x32, 0xd].map(cmos).join(''))).toEqual([0, 0, 0, 7, 1, 1, 0, 0x20, 0x80])
    // 8254 ticks: one second is 1193182 of them, skipped asleep.
    const wait = `${out(0x21, 0xfb)}${out(0xa1, 0xfe)}${out(0x70, 0xb)}${out(0x71, 0x12)}mov word [0x1c0], irq\nmov [0x1c2], cs\nsti\nhlt\ncli\n`
    const setUp = [[0x20, 0x11], [0x21, 8], [0x21, 4], [0x21, 1], [0xa0, 0x11], [0xa1, 0x70], [0xa1, 2], [0xa1, 1]].map(([port, value]) => out(port, value)).join('')
    expect(posts(`${setUp}${wait}${cmos(0)}jmp end\nirq: ${out(0x70, 0xc)}${into(0x71)}and al, 0x90
${post}iret\n`)).toEqual([0x90, 1])
  })
  it('the 8254 latches counts and status by read-back, and refresh toggles bit 4 of port 0x61', () => {
    expect(posts(`${out(0x43, 0x34)}${out(0x40, 0)}${out(0x40, 0x10)}${out(0x43, 0xc2)}${read(0x40)}${read(0x40)}${read(0x40)}`)).toEqual([0xb4, 0, 0x10])
    const edge = (wanted: number) => `w${wanted}: in al, 0x61\ntest al, 0x10\n${wanted === 0 ? 'jnz' : 'jz'} w${wanted}\n`
    expect(posts(`${edge(0)}${edge(1)}mov al, 7\n${post}`)).toEqual([7])
  })
  it('the UART interrupts when its transmitter is empty', () => {
    const pic = [[0x20, 0x11], [0x21, 8], [0x21, 4], [0x21, 1], [0x21, 0xef]].map(([port, value]) => out(port, value)).join('')
    const code = `${pic}mov word [0x30], irq\nmov [0x32], cs\n${out(0x3fc, 8)}${out(0x3f9, 2)}sti\nnop\nnop\ncli\n${read(0x3fa)}${out(0x3fc, 0)}${out(0x3f8, 0x41)}sti\nnop\nnop\ncli\njmp end\nirq: ${read(0x3fa)}mov al, 0x20\nout 0x20, al\niret\n`
    const { log } = run(optionsFor(guarded(code), { rom: true }))
    expect([log.posts, log.output]).toEqual([[2, 1], 'A'])
  })
  it('test kernels drive interrupt lines', () => {
    const pic = [[0x20, 0x11], [0x21, 8], [0x21, 4], [0x21, 1], [0x21, 0xdf]].map(([port, value]) => out(port, value)).join('')
    expect(posts(`${pic}mov word [0x34], irq\nmov [0x36], cs\nsti\n${out(0x2005, 1)}nop\n${out(0x2005, 1)}nop\n${out(0x2005, 0)}${out(0x2005, 1)}nop\ncli\njmp end\nirq: mov al, 0x77\n${post}mov al, 0x20\nout 0x20, al\niret\n`)).toEqual([0x77, 0x77])
    expect(posts(`${out(0xe0, 0x12345678, 'eax')}${read(0xe2)}`)).toEqual([0x34])
  })
})

describe('the screen', () => {
  const shown = (code: string) => {
    const { running } = run(optionsFor(guarded(code), { rom: true }))
    return running.system.screen.text(running.system.memory)
  }
  const put = (at: number, text: string) => `mov ax, 0xb800\nmov es, ax\n${[...text].map((letter, k) => `mov word [es:${at + 2 * k}], ${0x700 | letter.charCodeAt(0)}\n`).join('')}`
  it('is what text memory holds, from where it starts', () => {
    expect(shown(`${put(0, 'ab')}${put(162, 'c d')}`)).toEqual(['ab', ' c d'])
    expect(shown(`${put(160, 'low')}mov dx, 0x3d4\nmov ax, 0x500d\nout dx, ax\n`)).toEqual(['low'])
    expect([shown(''), shown('mov ax, 0xb800\nmov es, ax\nmov dword [es:0], 0x12345601\n')]).toEqual([[], []])
  })
  it('has a cursor that reads back, and a retrace', () => {
    expect(posts(`mov dx, 0x3d4\nmov al, 15\nout dx, al\ninc dx\nin al, dx\n${post}mov al, 33\nout dx, al\nin al, dx\n${post}`)).toEqual([0, 33])
    expect(posts('mov dx, 0x3da\na: in al, dx\ntest al, 8\njz a\nb: in al, dx\ntest al, 8\njnz b\nmov al, 5\nout 0x80, al\n')).toEqual([5])
  })
})
