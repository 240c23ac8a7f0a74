// Monitors that concern code: saved EIPs inside a site that is rewritten or code that is freed, calls counted per pass, code
// that is executed while it is being built. Each on every engine that can decide it.
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { decodeTrace, encodeTrace } from '../../src/replay/trace.ts'
import { recordTrace } from '../../src/replay/record.ts'
import { makeModel } from '../../src/smp/model.ts'

function judge(source: string, knobs = {}, engines: readonly ('graph' | 'dpor')[] = ['graph', 'dpor']): string {
  const verdicts = engines.map((engine) => {
    const result = checkImage(assembleImage(source, { title: 'code' }), makeModel({ fetch: 'coherent', ...knobs }), { engine })
    return result.violation?.kind ?? `${result.verdict} ${result.strength} ${result.reasons.join(' ')}`.trim()
  })
  expect(new Set(verdicts).size, verdicts.join(', ')).toBe(1)
  return verdicts[0]
}
const HOLDS = 'holds complete'

describe('saved EIPs', () => {
  /** A two-part NOP on vCPU 1, which an interrupt may park between its halves; vCPU 0 writes. */
  const parked = (patch: string, handler = 'iret', site = 'nop\nnop', rest = '') => `
    .vcpu patcher
    .vcpu executor
    .irq 1, 0x20, timer, 1
    patcher: ${patch}
      ret
    executor: sti
      nop
    again: ${site}
      cli
      ret
    timer: ${handler}
    ${rest}`
  const forms = '.forms again, 2, nops, nop_clc\nnops: db 0x90, 0x90\nnop_clc: db 0x90, 0xf8'

  it('may not stand inside a site that is rewritten', () => {
    expect(judge(parked('mov byte [again + 1], 0xf8', 'iret', 'nop\nnop', forms))).toBe('saved-eip')
    expect(judge(parked('mov byte [again + 1], 0x90', 'iret', 'nop\nnop', '.forms again, 2, nops\nnops: db 0x90, 0x90'))).toBe(HOLDS)
  })

  /** A task that yields inside the site, by an INT whose handler does `says`; vCPU 0 does `patch`. */
  const yielding = (patch: string, says = 'mov dword [went], 1') => `
    .vcpu patcher
    .vcpu executor
    .handler 0x30, yielded
    .forms again, 3, int_nop, int_clc
    patcher: ${patch}
      ret
    executor: nop
    again: int 0x30
      nop
      ret
    yielded: ${says}
      iret
    int_nop: db 0xcd, 0x30, 0x90
    int_clc: db 0xcd, 0x30, 0xf8
    section .data
    align 4
    went: dd 0`

  it('may be those of INT n, as where a task yields inside the site', () => {
    expect(judge(yielding('mov byte [again + 2], 0xf8'))).toBe('saved-eip')
    // In front of where it goes on.
    expect(judge(yielding('mov byte [again], 0xcd'))).toMatch(/^(holds|unknown) complete/)
  })

  it.each(['mov dword [went], 1', 'mov eax, 1\nxchg [went], eax'])('stand there until the return is done, which waits for stores: %s', (says) => {
    // The patcher is let go on by the last thing that the handler does.
    expect(judge(yielding('cmp dword [went], 0\nje patcher\nmov byte [again + 2], 0xf8', says))).toBe('saved-eip')
  })

  it('where the interrupt cannot come between, there is none', () => {
    expect(judge(parked('mov byte [again + 1], 0xf8', 'iret', 'nop\nnop', forms).replace('sti\n      nop', 'cli\n nop').replace('.irq 1, 0x20, timer, 1', '.handler 0x20, timer'))).toBe(HOLDS)
  })

  it('count as what stands in the frame when the site is written', () => {
    // The handler leads whoever is inside back to the beginning, before the patcher is let go on.
    const back = 'cmp dword [esp], again + 1\njne .out\nmov dword [esp], again\n.out: mov dword [went], 1\niret'
    const wait = (store: string) => `cmp dword [went], 0\n je patcher\n${store}`
    const went = 'section .data\nalign 4\nwent: dd 0'
    const source = (handler: string) => parked(wait('mov byte [again + 1], 0xf8'), handler, 'nop\nnop', `${forms}\n${went}`)
    const ended = (text: string) => text.replace('      cli\n', '      mov dword [went], 1\n      cli\n')
    expect(judge(ended(source(back)), {}, ['graph'])).toBe(HOLDS)
    expect(judge(ended(source(back.replace('mov dword [esp], again\n', ''))), {}, ['graph'])).toBe('saved-eip')
  })

  it('what stands in front of them is as if it were not there', () => {
    expect(judge(parked('mov byte [again], 0xf8', 'iret', 'nop\nnop', '.forms again, 2, nops, clc_nop\nnops: db 0x90, 0x90\nclc_nop: db 0xf8, 0x90'))).toBe(HOLDS)
    const int3 = `.handler 3, trap\ntrap: mov dword [esp], again + 2\niret\n.forms again, 2, nops, int3\nnops: db 0x90, 0x90`
    expect(judge(parked('mov byte [again], 0xcc\nmov byte [again], 0x90', 'iret', 'nop\nnop', int3))).toBe(HOLDS)
    expect(judge(parked('mov byte [again], 0xcc\nmov byte [again + 1], 0xf8\nmov byte [again], 0x90', 'iret', 'nop\nnop', `${int3}\nnop_clc: db 0x90, 0xf8`.replace('nops, int3', 'nops, nop_clc, int3')))).toBe('saved-eip')
  })

  it('are return addresses of calls from inside the site too', () => {
    const source = (size: number) => `
      .vcpu go
      .forms site, 6, call_nop, call_nop2
      go: call around
        ret
      around:
      site: call callee
        db 0x90
        ret
      callee: mov byte [site + ${size}], 0xf8
        ret
      call_nop: db 0xe8
        dd callee - site - 5
        db 0x90
      call_nop2: db 0xe8
        dd callee - site - 5
        db 0xf8`
    expect(judge(source(5))).toBe('saved-eip')
    // Behind the site: nobody returns into it.
    expect(judge(source(5).replace('db 0x90\n        ret\n      callee', 'ret\n db 0x90\n      callee').replace(/site, 6/, 'site, 5').replaceAll('db 0xf8', '').replace('site + 5', 'other').replace('.forms site, 5, call_nop, call_nop2', '.forms site, 5, call_nop') + '\nsection .data\nother: dd 0')).toBe(HOLDS)
  })

  it('stand in code that must not be freed', () => {
    const source = (where: string) => `
      .vcpu patcher
      .vcpu executor
      .irq 1, 0x20, timer, 1
      .site site, 5, slot
      patcher: ${where}
        ret
      executor: sti
        nop
      site: call slot
        mov dword [done], 1
        cli
        ret
      slot: nop
        nop
        ret
      timer: iret
      section .data
      align 4
      done: dd 0`
    // Freed under whoever may come: executing it would be the violation; a saved EIP that never goes on is one already.
    expect(['saved-eip', 'use-after-free']).toContain(judge(source('free slot, 3'), {}, ['graph']))
    expect(judge(source('cmp dword [done], 0\nje patcher\nfree slot, 3'), {}, ['graph'])).toBe(HOLDS)
    // It never returns from the handler.
    const stuck = source('cmp dword [done], 1\njne patcher\nfree slot, 3').replace('timer: iret', 'timer: mov dword [done], 1\n cli\n exit').replace('mov dword [done], 1\n        cli', 'mov dword [done], 2\n        cli').replace('cmp dword [done], 1\njne', 'cmp dword [done], 0\nje')
    expect(judge(stuck, {}, ['graph'])).toBe('saved-eip')
  })
})

describe('calls of a pass', () => {
  const source = (handler: string, patcher = 'mov byte [site], 0xcc', body = 'site: call old') => `
    .vcpu patcher
    .vcpu executor
    .handler 3, trap
    .forms site, 5, call_old, call_new, int3
    .calls site, old, new
    patcher: ${patcher}
      ret
    executor:
      ${body}
      nop
      ret
    old: ret
    new: ret
    trap: ${handler}
    section .data
    call_old: db 0xe8
      dd old - site - 5
    call_new: db 0xe8
      dd new - site - 5`
  const withoutVacuity = (text: string) => (text.startsWith('unknown') ? 'unknown' : text)
  it('are one, be it skipped', () => {
    expect(judge(source('add dword [esp], 4\niret'))).toBe('lost-call')
  })

  it('where the handler tries again it is one pass', () => {
    expect(withoutVacuity(judge(source('dec dword [esp]\niret', 'mov byte [site], 0xcc\nmov byte [site], 0xe8'), {}, ['graph']))).toBe('unknown')
  })

  it('are not two', () => {
    const twice = source('iret', 'nop', 'site: call old').replace('old: ret', 'old: cmp dword [esp], site + 5\njne .out\nsub dword [esp], 5\ninc dword [turns]\ncmp dword [turns], 2\njb .out\nadd dword [esp], 5\n.out: ret') + '\nturns: dd 0'
    expect(judge(twice)).toBe('double-call')
  })

  it('may be jumps, which end the pass', () => {
    const tail = (go: string) => `.vcpu go
    .forms site, 5, jump_old, jump_new
    .calls site, old, new
    go: call code
      mov eax, [jump_new + 1]
      mov [site + 1], eax
      call code
      ret
    code:
    site: db 0xe9
      dd old - site - 5
      nop
    old: nop
      ${go}
    new: ret
    section .data
    jump_old: db 0xe9
      dd old - site - 5
    jump_new: db 0xe9
      dd new - site - 5`
    expect(judge(tail('ret'))).toBe(HOLDS)
    // What the function calls itself is no call of the site.
    expect(judge(tail('call new\nret'))).toBe(HOLDS)
  })

  const moved = 'pop edx\nmov [.to], edx\npop edx\npop ecx\npush dword site + 5\npush ecx\npush edx\npush dword new\niret\nsection .bss\n.to: resd 1\nsection .text'
  it('is emulated', () => {
    expect(withoutVacuity(judge(source(moved)))).toBe('unknown')
  })

  describe('by the handler itself', () => {
    const skip = 'add dword [esp], 4\niret'
    const handler = (calls: string, more = '') => withoutVacuity(judge(source(`${calls}\n${skip}${more}`)))
    it('count, from whatever depth', () => {
      expect(handler('call new')).toBe('unknown')
      expect(handler('call helper', '\nhelper: push eax\ncall new\npop eax\nret')).toBe('unknown')
      expect(handler('call helper', '\nhelper: ret')).toBe('lost-call')
      expect(handler('call helper\ncall new', '\nhelper: ret')).toBe('unknown')
    })
    it('are not two, nor one beside an emulated one', () => {
      expect(handler('call new\ncall old')).toBe('double-call')
      expect(handler('call helper\ncall helper', '\nhelper: call new\nret')).toBe('double-call')
      expect(handler(`call old\n${moved}`)).toBe('double-call')
    })
    it('are not those of a function that was called, nor of an interrupt', () => {
      expect(withoutVacuity(judge(source(`call new\n${skip}`).replace('new: ret', 'new: call old\nret')))).toBe('unknown')
      const interrupted = (calls: string) => withoutVacuity(judge(source(`sti\nnop\ncli\n${calls}\n${skip}\n.irq 1, 0x20, timer, 1\ntimer: call old\niret`), {}, ['graph']))
      expect(interrupted('')).toBe('lost-call')
      expect(interrupted('call new')).toBe('unknown')
    })
    it('end with its return', () => {
      // It goes on at the site, which is whole again, and calls; or behind it, where a call is no call of the site.
      expect(withoutVacuity(judge(source('dec dword [esp]\niret', 'mov byte [site], 0xcc\nmov byte [site], 0xe8'), {}, ['graph']))).toBe('unknown')
      const behind = source('mov dword [esp], behind\niret').replace('site: call old', 'site: call old\n nop\n ret\nbehind: push eax\n push eax\n push eax\n call new\n pop eax\n pop eax\n pop eax\n jmp site + 5')
      expect(judge(behind)).toBe('lost-call')
    })
  })

  it('need a site', () => {
    expect(() => assembleImage('.vcpu go\n.calls go, go\ngo: ret')).toThrow(/There is no site go/)
  })
})

describe('code under construction', () => {
  const judged = (text: string) => judge(text, {}, ['graph'])
  const source = (build: string, run = 'call slot') => `
    .vcpu builder
    .vcpu runner
    builder: ${build}
      ret
    runner: ${run}
      ret
    align 8
    slot: nop
      ret
    section .data
    ready: dd 0`

  it('is not executed', () => {
    expect(judged(source('building slot, 2\nmov byte [slot], 0xf8\nbuilt slot, 2'))).toBe('under-construction')
    expect(judged(source('building slot + 1, 1\nbuilt slot + 1, 1'))).toBe('under-construction')
    expect(judged(source('building slot + 2, 8\nbuilt slot + 2, 8'))).toBe(HOLDS)
  })

  it('is, once it is complete', () => {
    const wait = 'cmp dword [ready], 0\nje runner\ncall slot'
    expect(judged(source('building slot, 2\nmov byte [slot], 0xf8\nbuilt slot, 2\nmov dword [ready], 1', wait))).toBe(HOLDS)
    expect(judged(source('building slot, 2\nmov byte [slot], 0xf8\nmov dword [ready], 1\nbuilt slot, 2', wait))).toBe('under-construction')
  })

  it('may be entered by its INT3', () => {
    const trap = (at: string) => `${source(`building ${at}, 2\nmov byte [slot + 1], 0x90`, 'call slot')}\nsection .text\n.handler 3, trap\ntrap: mov dword [esp], out\niret\nout: ret`.replace('slot: nop', 'slot: int3')
    expect(judged(trap('slot'))).toBe(HOLDS)
    expect(judged(trap('slot - 1'))).toBe('under-construction')
  })
})

it('a trace carries what is declared', () => {
  const image = assembleImage('.vcpu go\n.site site, 5, old\n.calls site, new\ngo:\nsite: call old\nret\nold: ret\nnew: ret', { title: 'calls' })
  const { schedule, sharing, violation } = checkImage(image, makeModel())
  expect(violation?.kind).toBe('lost-call')
  const trace = decodeTrace(encodeTrace(recordTrace(image, makeModel(), sharing, schedule!)))
  expect(trace.image.sites).toEqual(image.sites)
})
