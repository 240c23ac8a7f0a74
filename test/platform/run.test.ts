// Booted images: our own SMP kernel, ROMs, flat code, and what cannot be booted.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { classOf } from '../../src/cpu/classes.ts'
import { assembleBytes } from '../../src/guest/asm/index.ts'
import { InputError } from '../../src/guest/inputError.ts'
import { Run, rerun } from '../../src/platform/run.ts'
import { decodeRunTrace, encodeRunTrace, recordedSlicesMax } from '../../src/platform/runTrace.ts'
import { makeScheduler, type Schedule } from '../../src/platform/scheduler.ts'
import type { SystemOptions } from '../../src/platform/system.ts'
import { decodeTrace } from '../../src/replay/trace.ts'
import { Log, optionsFor, rom, run } from './boot.ts'

const kernel = new Uint8Array(readFileSync(new URL('kernel/kernel.elf', import.meta.url)))

describe('the SMP kernel', () => {
  it.each<[Schedule, number, number]>([['round-robin', 1, 1], ['round-robin', 1, 4], ['random', 7, 3], ['pct', 5, 4]])('%s, seed %i, %i vCPUs: starts, counts, interrupts, exits', (schedule, seed, vcpus) => {
    const options = optionsFor(kernel, { vcpus, commandLine: 'a=b', modules: [{ name: 'm', bytes: Uint8Array.of(90, 91) }] })
    const { log, outcome, running } = run(options, schedule, seed)
    expect(log.output).toContain(`command line: image a=b\nmodules=1\nmodule bytes=2\nZ\n`)
    for (const line of [`vcpus=${vcpus}`, `counter=${100 * vcpus}`, `ipis=${vcpus - 1}`, `nmis=${vcpus - 1}`, 'timer=3', 'pic=2', 'done']) expect(log.output).toContain(`${line}\n`)
    expect(log.posts).toEqual([0x10, 0x20, 0x30, 0x40, 0xff])
    expect(outcome.exit).toMatchObject({ kind: 'debug-exit', status: 1 })
    expect(run(options, schedule, seed).outcome.hash).toBe(outcome.hash)

    const trace = decodeRunTrace(encodeRunTrace(options, running.recording, outcome))
    const again = rerun(trace.options, new Log(), trace.recording)
    expect(again.divergence).toBeNull()
    expect(again.system.hash()).toBe(trace.outcome.hash)
    expect(() => decodeTrace(encodeRunTrace(options, running.recording, outcome))).toThrow(/booted image/)
  })

  it('says where a replay leaves its recording', () => {
    const { running, outcome } = run(optionsFor(kernel))
    const trace = decodeRunTrace(encodeRunTrace(optionsFor(kernel), running.recording, outcome))
    trace.recording.checks[0] ^= 1
    expect(rerun(trace.options, new Log(), trace.recording).divergence).toMatchObject({ slice: 0 })
  })
})

describe('ROMs', () => {
  it.each([64, 128])('of %i KB start at the reset vector, aliased below 1 MB', (kilobytes) => {
    const { log, outcome } = run(optionsFor(rom(kilobytes, 'mov al, 0x42\nout 0x80, al\nmov al, "k"\nout 0xe9, al\ncli\nhlt'), { rom: true }))
    expect([log.posts, log.output, outcome.exit.kind]).toEqual([[0x42], 'k', 'halted'])
  })

  it('may end in a jump to themselves, or a triple fault', () => {
    expect(run(optionsFor(rom(64, 'cli\nx: jmp x'), { rom: true })).outcome.exit.kind).toBe('stuck')
    expect(run(optionsFor(rom(64, 'lidt [cs:x]\nint3\nx: dw 0\ndd 0'), { rom: true })).outcome.exit).toMatchObject({ kind: 'triple-fault' })
  })

  it('that fault or stop in the middle of a slice replay to the same end', () => {
    // Also: the timer's interrupt cannot be delivered, between two instructions and in HLT.
    const timer = 'lidt [cs:x]\nmov al, 0x11\nout 0x20, al\nmov al, 8\nout 0x21, al\nmov al, 4\nout 0x21, al\nmov al, 1\nout 0x21, al\nmov al, 0\nout 0x21, al\nmov al, 0x34\nout 0x43, al\nmov al, 9\nout 0x40, al\nmov al, 0\nout 0x40, al\nsti\n'
    for (const [kind, code] of [['triple-fault', 'lidt [cs:x]\nint3\nx: dw 0\ndd 0'], ['triple-fault', `${timer}y: inc ax\njmp y\nx: dw 0\ndd 0`], ['triple-fault', `${timer}hlt\nx: dw 0\ndd 0`], ['stuck', 'cli\nx: jmp x'], ['halted', 'cli\nhlt']]) {
      const options = optionsFor(rom(64, code), { rom: true })
      const { running, outcome } = run(options)
      const { divergence, system } = rerun(options, new Log(), running.recording)
      expect([code, divergence, system.exit, system.hash()]).toEqual([code, null, outcome.exit, outcome.hash])
      expect(outcome.exit.kind).toBe(kind)
    }
  })

  it('see their own writes to code in RAM at once', () => {
    const code = 'xor ax, ax\nmov ds, ax\nmov word [0x600], 0x01b0\nmov word [0x602], 0x80e6\nmov byte [0x604], 0xcb\ncall far [cs:there]\nmov byte [0x601], 2\ncall far [cs:there]\ncli\nhlt\nthere: dw 0x600, 0'
    expect(run(optionsFor(rom(64, code), { rom: true })).log.posts).toEqual([1, 2])
  })
})

describe('what cannot be booted', () => {
  it.each<[string, Uint8Array, Partial<SystemOptions>]>([
    ['a ROM of another size', new Uint8Array(1000), { rom: true }], ['nothing', new Uint8Array(0), {}], ['an object file', new Uint8Array(readFileSync(new URL('../../examples/sb.o', import.meta.url))), {}],
    ['a flat image that is too large', new Uint8Array(700 << 10), {}], ['a kernel without room', kernel, { memoryBytes: 1 << 20 }], ['a flat image with modules', Uint8Array.of(0x90), { commandLine: 'x' }],
  ])('%s is refused by name', (_, bytes, more) => {
    expect(() => run(optionsFor(bytes, more))).toThrow(InputError)
  })

  it('an endless boot ends at the limit', () => {
    const { outcome } = run(optionsFor(rom(64, 'x: inc ax\njmp x'), { rom: true }), 'round-robin', 1, 5000)
    expect(outcome).toMatchObject({ exit: { kind: 'limit' }, instructions: 5000 })
  })

  it('a mutilated kernel is refused, or runs to some end', () => {
    for (let k = 0; k < 60; k++) {
      const bytes = Uint8Array.from(kernel)
      bytes[(k * 37) % 512] ^= 1 << k % 8
      try {
        run(optionsFor(bytes), 'round-robin', 1, 20_000)
      } catch (error) {
        if (!(error instanceof InputError)) throw error
      }
    }
  })
})

describe('how a run ends', () => {
  const end = (code: string, more: Partial<SystemOptions> = {}) => run(optionsFor(rom(64, code), { rom: true, ...more }))

  it('a triple fault says what led to it, and shows the state of the vCPU', () => {
    // No IDT: neither the #UD can be delivered nor the #GP that it gives; the second #GP makes a double fault.
    const { outcome, running } = end('lidt [cs:x]\nud2\nx: dw 0\ndd 0')
    expect(outcome.exit.message).toBe('triple fault on vCPU 0: #UD(0000), then #GP(0000), then #GP(0000), then #GP(0000)')
    const text = running.system.describe().join('\n')
    for (const part of ['vCPU 0 shut down at f000:', 'idt=00000000+0000', 'cs=f000', 'cr0=60000010', 'cr2=', 'cr3=', 'cr4=']) expect(text).toContain(part)
  })
  it('a page fault in it has its address', () => {
    const paging = 'mov dword [0x1000], 0\nmov eax, 0x1000\nmov cr3, eax\nmov eax, cr0\nor eax, 0x80000001\nmov cr0, eax\nnop'
    expect(end(paging).outcome.exit.message).toMatch(/^triple fault on vCPU 0: #PF\(0000\) at 000f00[0-9a-f]{2}, then #PF/)
  })
  it('notes tell of instructions that are not modelled, or not of the class', () => {
    const notes = (code: string, cpu: string) => end(`xor ax, ax\nmov ds, ax\nmov ss, ax\nmov sp, 0x7000\nmov word [0x18], ud\nmov [0x1a], cs\n${code}\nud: cli\nhlt`, { cpu: classOf(cpu) }).running.system.notes
    expect([notes('db 0xd9, 0xe8', 'p4'), notes('cmovz eax, ebx', 'pentium'), notes('ud2', 'p4'), notes('db 0x0f, 0xc3, 0x07', 'p4')]).toEqual([
      [expect.stringMatching(/^#UD at f000:000000[0-9a-f]{2}: xmcheck does not implement x87 arithmetic$/)], [expect.stringContaining('the pentium has no cmov')], [],
      [expect.stringMatching(/^#UD at f000:000000[0-9a-f]{2}: these bytes are no instruction that xmcheck knows$/)],
    ])
    // Kernels try these to see.
    expect(notes('mov word [0x34], ud\nmov [0x36], cs\nmov ecx, 0x12345\nrdmsr', 'p4')).toEqual([])
  })
  it('timers that are masked wake nobody, however often they fire', () => {
    const pit = 'mov al, 0x34\nout 0x43, al\nmov al, 2\nout 0x40, al\nmov al, 0\nout 0x40, al\n'
    const { outcome, running } = end(`${pit}sti\nx: hlt\njmp x`)
    expect([outcome.exit.kind, running.recording.slices.length]).toEqual(['halted', 4])
    expect(rerun(optionsFor(rom(64, `${pit}sti\nx: hlt\njmp x`), { rom: true }), new Log(), running.recording).system.hash()).toBe(outcome.hash)
  })
  it('a clock alarm an hour ahead does', () => {
    const pic = [[0x20, 0x11], [0x21, 8], [0x21, 4], [0x21, 1], [0xa0, 0x11], [0xa1, 0x70], [0xa1, 2], [0xa1, 1], [0x21, 0xfb], [0xa1, 0xfe], [0x70, 1], [0x71, 0], [0x70, 3], [0x71, 0], [0x70, 5], [0x71, 1], [0x70, 0xb], [0x71, 0x22]]
    const setUp = pic.map(([port, value]) => `mov al, ${value}\nout ${port}, al\n`).join('')
    expect(end(`xor ax, ax\nmov ds, ax\nmov ss, ax\nmov sp, 0x7000\nmov word [0x1c0], irq\nmov [0x1c2], cs\n${setUp}sti\nhlt\nirq: mov al, 4\nout 0x70, al\nin al, 0x71\nout 0x80, al\ncli\nhlt`).log.posts).toEqual([1])
  })
  it.each([
    ['that polls memory', 'xor ax, ax\nmov ds, ax\nx: cmp byte [0x500], 1\njne x'], ['that counts round', 'x: inc al\nand al, 7\njmp x'], ['of a conditional jump to itself', 'xor ax, ax\nx: jz x'], ['of PAUSE', 'x: pause\njmp x'],
  ])('a loop %s', (_, code) => {
    const { outcome, running } = end(`cli\n${code}`)
    expect(outcome.exit).toMatchObject({ kind: 'stuck', message: expect.stringContaining('vCPU 0 goes round in a loop for ever') })
    expect(rerun(optionsFor(rom(64, `cli\n${code}`), { rom: true }), new Log(), running.recording).system.hash()).toBe(outcome.hash)
  })
  it('no loop that reads a clock or a port, or stores', () => {
    for (const code of ['x: rdtsc\nmov eax, 0\nmov edx, 0\njmp x', 'x: in al, 0x40\nmov al, 0\njmp x', 'xor ax, ax\nmov ds, ax\nx: mov [0x500], al\njmp x']) expect(run(optionsFor(rom(64, `cli\n${code}`), { rom: true }), 'round-robin', 1, 60_000).outcome.exit.kind).toBe('limit')
  })
  // The second vCPU starts at the same address (SIPI 0xf0) and takes the other branch.
  const two = (first: string, second: string) => {
    const send = (low: number) => `mov ecx, 0x830\nmov eax, ${low}\nmov edx, 1\nwrmsr\n`
    const code = `cli\nxor ax, ax\nmov ds, ax\nmov ecx, 0x1b\nrdmsr\ntest ah, 1\njz second\nor eax, 0x400\nwrmsr\n${send(0x4500)}${send(0x46f0)}${first}\nsecond:\n${second}`
    return end(code, { vcpus: 2 })
  }
  it('one vCPU halts, the other one goes round', () => {
    expect(two('hlt', 'x: pause\njmp x').outcome.exit).toMatchObject({ kind: 'stuck', message: expect.stringContaining('vCPU 1') })
  })
  it('no loop that another vCPU ends later on', () => {
    expect(two('mov ecx, 60000\ny: dec ecx\njnz y\nmov byte [0x500], 1\nhlt', 'x: cmp byte [0x500], 1\njne x\nmov al, 7\nout 0x80, al\nhlt').log.posts).toEqual([7])
  })
  it('no loop that an interrupt ends', () => {
    const timer = 'mov ecx, 0x1b\nrdmsr\nor eax, 0x400\nwrmsr\nmov ecx, 0x80f\nmov eax, 0x1ff\nxor edx, edx\nwrmsr\nmov ecx, 0x832\nmov eax, 0x40\nwrmsr\nmov ecx, 0x838\nmov eax, 50000\nwrmsr\n'
    const code = `xor ax, ax\nmov ds, ax\nmov ss, ax\nmov sp, 0x7000\nmov word [0x100], irq\nmov [0x102], cs\n${timer}sti\nx: cmp byte [0x500], 1\njne x\nmov al, 9\nout 0x80, al\ncli\nhlt\nirq: mov byte [0x500], 1\niret`
    expect(end(code).log.posts).toEqual([9])
  })
  it('a recording that is full', () => {
    const options = optionsFor(rom(64, 'x: inc ax\njmp x'), { rom: true })
    const running = new Run(options, new Log(), makeScheduler('random', 3), 1e6, 5)
    while (running.advance());
    expect(running.outcome().exit).toMatchObject({ kind: 'limit', message: expect.stringContaining('the recording is full') })
    expect(running.recording.checks.length).toBe(5)
    expect(rerun(options, new Log(), running.recording).divergence).toBeNull()
  })
  it('a recording that is not wanted is not kept', () => {
    const running = new Run(optionsFor(rom(64, 'cli\nhlt'), { rom: true }), new Log(), makeScheduler('round-robin', 1), 1e6, null)
    while (running.advance());
    expect([running.recording.checks.length, running.outcome().exit.kind]).toEqual([0, 'halted'])
  })
  it('images that no trace can hold are refused when it is to be recorded', () => {
    const options = optionsFor(kernel)
    expect(recordedSlicesMax(options)).toBe(4_000_000)
    expect(() => recordedSlicesMax({ ...options, modules: [{ name: 'm', bytes: new Uint8Array(64 << 20) }] })).toThrow(InputError)
  })
})

describe('the page that is executed from', () => {
  // Linear 0x400000 is physical 0x11000, then 0x12000: the same code with another byte to post. It changes its own translation.
  const paged = (change: string) => `
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7000
    mov di, 0x2000
    mov eax, 7
    fill: mov [di], eax
    add eax, 0x1000
    add di, 4
    cmp di, 0x2400
    jb fill
    mov dword [0x1000], 0x2007
    mov dword [0x1004], 0x3007
    mov dword [0x3000], 0x11007
    mov dword [0x600], 0x00cf9b00
    mov dword [0x608], 0x0000ffff
    mov dword [0x60c], 0x00cf9b00
    mov dword [0x610], 0x0000ffff
    mov dword [0x614], 0x00cf9300
    mov word [0x700], 0x17
    mov dword [0x702], 0x600
    o32 lgdt [0x700]
    mov eax, 0x1000
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80000001
    mov cr0, eax
    jmp dword 8:0xf0000+entry
    bits 32
    entry: mov ax, 0x10
    mov es, ax
    mov ds, ax
    mov ss, ax
    mov esp, 0x7000
    mov esi, 0xf0000+code
    mov edi, 0x11000
    mov ecx, 64
    rep movsb
    mov esi, 0xf0000+code
    mov edi, 0x12000
    mov ecx, 64
    rep movsb
    mov byte [0x12001+value-code], 2
    mov edx, 0x3000
    mov ebx, 0x12007
    mov eax, 0x400000
    call eax
    cli
    hlt
    code: ${change}
    value: mov al, 1
    out 0x80, al
    ret`
  const remap = 'mov [edx], ebx\n'
  it.each([['INVLPG', 'invlpg [0x400000]'], ['CR3', 'mov ecx, cr3\nmov cr3, ecx'], ['CR4.PGE', 'mov ecx, cr4\nxor ecx, 0x80\nmov cr4, ecx']])('is looked up again after %s', (_, drop) => {
    expect(run(optionsFor(rom(64, paged(`${remap}${drop}`)), { rom: true })).log.posts).toEqual([2])
  })
  it('is the old one until translations are dropped', () => {
    expect(run(optionsFor(rom(64, paged(remap)), { rom: true })).log.posts).toEqual([1])
  })
  it('is decoded again when another linear address writes it', () => {
    expect(run(optionsFor(rom(64, paged('mov byte [0x11001+value-code], 9')), { rom: true })).log.posts).toEqual([9])
  })
})

describe('more code than is kept decoded', () => {
  it('is decoded anew, stores to it included', () => {
    // A RET at the start of each of 1100 pages from 1 MB on (unreal mode), called in turn; then the first is changed and called again.
    const code = `cli
      lgdt [cs:0x7c00+pointer]
      mov eax, cr0
      or al, 1
      mov cr0, eax
      jmp dword 8:0x7c00+flat
      pointer: dw 23
      dd 0x7c00+table
      align 8
      table: dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
      bits 32
      flat: mov ax, 16
      mov ds, ax
      mov ss, ax
      mov esp, 0x7000
      mov ecx, 1100
      mov ebx, 0x100000
      fill: mov byte [ebx], 0xc3
      add ebx, 0x1000
      dec ecx
      jnz fill
      mov ecx, 1100
      mov ebx, 0x100000
      calls: call ebx
      add ebx, 0x1000
      dec ecx
      jnz calls
      mov dword [0x100000], 0x80e604b0
      mov byte [0x100004], 0xc3
      mov ebx, 0x100000
      call ebx
      mov byte [0x100001], 6
      call ebx
      cli
      hlt`
    expect(run(optionsFor(assembleBytes(`bits 16\n${code}`))).log.posts).toEqual([4, 6])
  })
})

describe('random bytes', () => {
  it('run to some end, and again to the same', () => {
    let seed = 12345
    const next = () => (seed = (Math.imul(seed, 1664525) + 1013904223) | 0) >>> 24
    for (let n = 0; n < 12; n++) {
      const options = optionsFor(Uint8Array.from({ length: n % 2 === 0 ? 0x10000 : 4096 }, next), { rom: n % 2 === 0, vcpus: 1 + (n % 3), memoryBytes: 1 << 20, cpu: classOf(['386', '486', 'pentium', 'p6', 'p4'][n % 5]) })
      const { running, outcome } = run(options, 'random', n, 5000)
      const { divergence, system } = rerun(options, new Log(), running.recording)
      expect([n, divergence, system.hash()]).toEqual([n, null, outcome.hash])
    }
  })
})

describe('code beside data', () => {
  // The stack lies in the page that executes; stores reach an instruction from before, within and behind it.
  const flat = (code: string) => run(optionsFor(assembleBytes(`bits 16\n${code}\ncli\nhlt`))).log.posts
  it('is decoded again where a store reaches it, and only there', () => {
    expect(flat('mov sp, 0x7c00\nmov cx, 300\nx: push cx\ncall y\npop dx\nloop x\nmov al, 3\nout 0x80, al\njmp done\ny: ret\ndone:')).toEqual([3])
    const patch = (store: string) => flat(`mov cx, 2\nagain: ${store}\nvalue: mov ax, 0x0101\nout 0x80, al\nmov si, 1\ndec cx\njnz again`)
    // Executed once as it is, then changed by its last byte, its first byte and a store that ends in it.
    expect(patch('mov [0x7c00+value+1], cl')).toEqual([2, 1])
    expect(patch('mov word [0x7c00+value-1+1], 0x0701\nmov byte [0x7c00+value], 0xb8')).toEqual([7, 7])
    expect(flat('mov cx, 2\nagain: cmp cx, 1\njne value\nmov dword [0x7c00+before], 0x09b09090\nbefore: nop\nnop\nvalue: mov al, 5\nout 0x80, al\ndec cx\njnz again')).toEqual([5, 9])
  })
})
