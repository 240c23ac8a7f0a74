// What a program says of its memory at file scope: modes, memory of one vCPU, beliefs about registers.
import { describe, expect, it } from 'vitest'
import { checkImage, type CheckOptions } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { makeModel } from '../../src/smp/model.ts'

const data = '\nsection .data\nalign 64\nmode: dd 0\nkept: dd 0\nflag: dd 0\nqueue: times 4 dd 0\nother: dd 0\n'
const check = (code: string, options: Partial<CheckOptions> = {}) => checkImage(assembleImage(code + data, { title: 'claims' }), makeModel(), options)
/** The violation's kind, or the verdict with its strength. */
const outcome = (code: string, options: Partial<CheckOptions> = {}) => {
  const { violation, verdict, strength } = check(code, options)
  return violation?.kind ?? `${verdict} ${strength}`
}
const one = (body: string, claims = '', rest = '') => `${claims}\n.vcpu go\ngo:\n${body}\nret\n${rest}`
const HOLDS = 'holds complete'
const ENGINES = [{ engine: 'graph' }, { engine: 'dpor' }] as const

describe('modes', () => {
  it.each([
    ['entered twice', 'modeon mode, 1\nmodeon mode, 1', 'mode-entered-twice'],
    ['one inside another', 'modeon mode, 1\nmodeon mode, 2', 'mode-entered-twice'],
    ['left, not entered', 'modeoff mode, 1', 'mode-unpaired'],
    ['the other one left', 'modeon mode, 1\nmodeoff mode, 2', 'mode-unpaired'],
    ['never left', 'modeon mode, 1', 'mode-unpaired'],
    ['paired, twice', 'modeon mode, 1\nmodeoff mode, 1\nmodeon mode, 2\nmodeoff mode, 2', HOLDS],
    ['of two names', 'modeon mode, 1\nmodeon kept, 1\nmodeoff mode, 1\nmodeoff kept, 1', HOLDS],
  ])('%s', (_, body, expected) => expect(outcome(one(body))).toBe(expected))

  it.each(ENGINES)('belong to a vCPU ($engine)', (options) => {
    const two = (second: string) => `.vcpu go\n.vcpu second\ngo:\nmodeon mode, 1\nmodeoff mode, 1\nret\nsecond:\n${second}\nret`
    expect(outcome(two('modeon mode, 1\nmodeoff mode, 1'), options)).toBe(HOLDS)
    expect(check(two('modeoff mode, 1'), options).violation).toMatchObject({ kind: 'mode-unpaired', vcpu: 1 })
    // Who is in it is said; also where others are in other modes.
    const busy = `.vcpu go\n.vcpu second\ngo:\nmodeon kept, 1\nmodeon mode, 2\nmodeon other, 1\nmov dword [flag], 1\nwait: mov ecx, [flag]\ntest ecx, ecx\njnz wait\nmodeoff other, 1\nmodeoff mode, 2\nmodeoff kept, 1\nret\nsecond: mov ecx, [flag]\ntest ecx, ecx\njz second\nmodeoff mode, `
    expect(check(`${busy}2\nret`, options).violation!.message).toBe('leaves mode 2 of mode, which vCPU 0 is in')
    expect(check(`${busy}1\nret`, options).violation!.message).toBe('leaves mode 1 of mode, and is in none')
  })

  it('that XM_INIT enters is left by the vCPU that began with it', () => {
    const body = (leaves: string) => outcome(`.init start\n.vcpu go\nstart:\nmodeon mode, 1\nret\ngo:\n${leaves}\nret`)
    expect(body('modeoff mode, 1')).toBe(HOLDS)
    expect(body('nop')).toBe('mode-unpaired')
  })

  it('is judged at the end of a vCPU that was the same but for its mode before', () => {
    // The last steps of both ways are the same to whoever remembers them.
    expect(outcome(one('choose 2\ntest eax, eax\njz .off\nmodeon mode, 1\n.off:\nmov eax, 0\nmov edx, 0\nmov ecx, [flag]\nmov ecx, 0\ncmp eax, 0', '', '.vcpu writer\nwriter:\nmov dword [flag], 1\nret'))).toBe('mode-unpaired')
  })

  describe('forbid functions', () => {
    const claims = '.forbids mode, handler'
    const handler = 'handler:\nret'
    it.each([
      ['in it', 'modeon mode, 1\ncall handler\nmodeoff mode, 1', 'forbidden-call'],
      ['before and after', 'call handler\nmodeon mode, 1\nmodeoff mode, 1\ncall handler', HOLDS],
      ['in a mode of another name', 'modeon kept, 1\ncall handler\nmodeoff kept, 1\nmodeon mode, 1\nmodeoff mode, 1', HOLDS],
      ['never called', 'modeon mode, 1\nmodeoff mode, 1', 'unknown complete'],
      ['never entered', 'call handler', 'unknown complete'],
    ])('%s', (_, body, expected) => expect(outcome(one(body, claims, handler))).toBe(expected))

    it('each its own', () => {
      const both = (first: string, second: string) => outcome(one(`modeon mode, 1\n${first}\nmodeoff mode, 1\nmodeon kept, 1\n${second}\nmodeoff kept, 1`, `${claims}\n.forbids kept, other_handler`, `${handler}\nother_handler:\nret`))
      expect(both('call other_handler', 'call handler')).toBe(HOLDS)
      expect(both('call other_handler', 'call other_handler\ncall handler')).toBe('forbidden-call')
    })

    it('which interrupts execute', () => {
      const code = (open: string, shut: string) => one(`${open}\nmodeon mode, 1\nmov dword [kept], 1\nmodeoff mode, 1\n${shut}`, `${claims}\n.irq 0, 0x40, handler`, 'handler:\niret')
      expect(outcome(code('sti\nnop', 'cli'))).toBe('forbidden-call')
      expect(outcome(code('', 'sti\nnop\ncli'))).toBe(HOLDS)
    })
  })
})

describe('memory of one vCPU', () => {
  const two = (first: string, second: string) => `.own 0, queue, 16\n.vcpu go\n.vcpu second\ngo:\n${first}\nret\nsecond:\n${second}\nret`
  it.each([
    ['written by it', 'mov dword [queue + 12], 1\nmov eax, [queue]', 'mov dword [other], 1', HOLDS],
    ['read by another', 'mov dword [queue], 1', 'mov eax, [queue]', 'foreign-access'],
    ['written in part by another', 'mov dword [queue], 1', 'mov byte [queue + 15], 1', 'foreign-access'],
    ['updated by another', 'mov dword [queue], 1', 'lock inc dword [queue + 4]', 'foreign-access'],
    ['accessed by nobody', 'nop', 'nop', 'unknown complete'],
  ])('%s', (_, first, second, expected) => ENGINES.forEach((options) => expect(outcome(two(first, second), options)).toBe(expected)))
})

describe('beliefs', () => {
  const ts = '.belief 0, kept, ts'
  it.each([
    ['right', 'clts\nmov eax, [kept]', HOLDS],
    ['wrong', 'mov dword [kept], 1\nclts\nmov eax, [kept]', 'belief'],
    ['wrong for a while, and not consulted', 'mov dword [kept], 1\nmov eax, cr0\nor eax, 8\nmov cr0, eax\nmov eax, [kept]', HOLDS],
    ['wrong, and loaded in part only where nothing is believed', 'mov dword [kept], 0x100\nmov al, [kept]', 'belief'],
    ['updated by a LOCKed instruction', 'mov dword [kept], 1\nlock dec dword [kept]\nmov eax, [kept]', HOLDS],
    ['never consulted', 'mov dword [kept], 1', 'unknown complete'],
  ])('TS, %s', (name, body, expected) => expect(outcome(one(body, name.includes('in part') ? '.belief 0, kept, ts, 0x101' : ts))).toBe(name.includes('in part') ? HOLDS : expected))

  it('is not consulted by who loads other bits of the word', () => expect(outcome(one('mov dword [kept], 2\nmov al, [kept + 1]', '.belief 0, kept, ts, 1'))).toBe('unknown complete'))

  it.each([
    ['if', 'sti\nmov dword [kept], 1\nmov eax, [kept]\ncli\nmov dword [kept], 0\nmov eax, [kept]', 'sti\nmov eax, [kept]'],
    ['iopl', 'push 0x3002\npopf\nmov dword [kept], 3\nmov eax, [kept]', 'push 0x3002\npopf\nmov eax, [kept]'],
    ['cr3', 'mov eax, 0x5000\nmov [kept], eax\nmov cr3, eax\nmov ecx, [kept]', 'mov eax, 0x5000\nmov cr3, eax\nmov ecx, [kept]'],
    ['cr0', 'mov eax, cr0\nxor eax, 8\nmov cr0, eax\nmov [kept], eax\nmov ecx, [kept]', 'mov eax, cr0\nmov [kept], eax\nxor eax, 8\nmov cr0, eax\nmov ecx, [kept]'],
    ['cr4', 'mov eax, 4\nmov cr4, eax\nmov [kept], eax\nmov ecx, [kept]', 'mov eax, 4\nmov [kept], eax\nmov ecx, [kept]'],
    ['gs', 'mov eax, gs\nmov [kept], eax\nmov ecx, [kept]', 'mov eax, gs\nmov [kept], eax\npush 0\npop gs\nmov ecx, [kept]'],
    ['fsBase', 'mov eax, gs\nmov fs, eax\nmov eax, [gs:4]\nmov [kept], eax\nmov ecx, [kept]', 'mov eax, [gs:4]\nmov [kept], eax\nmov ecx, [kept]'],
    ['dr7', 'mov eax, 0x401\nmov dr7, eax\nmov [kept], eax\nmov ecx, [kept]', 'mov eax, 0x401\nmov dr7, eax\nmov ecx, [kept]'],
    ['fs', 'mov ecx, 0x10\nmov fs, ecx\nmov [kept], ecx\nmov eax, [kept]', 'mov ecx, 0\nmov fs, ecx\nmov dword [kept], 0x10\nmov eax, [kept]'],
  ])('%s', (what, right, wrong) => {
    expect(outcome(one(right, `.belief 0, kept, ${what}`))).toBe(HOLDS)
    expect(outcome(one(wrong, `.belief 0, kept, ${what}`))).toBe('belief')
  })

  it('of the base of a segment that is loaded, whatever its descriptor says by now', () => {
    const body = (reload: string) => `sgdt [queue]\nmov eax, [queue + 2]\nmov ecx, gs\nadd eax, ecx\nmov edx, [gs:4]\nmov [kept], edx\nmov edx, [kept]\nadd dword [eax + 2], 16\nadd dword [kept], 16\n${reload}\nmov edx, [kept]`
    const claim = '.belief 0, kept, gsBase, 0xffff'
    // The addition itself consults the kept while it is right.
    expect(outcome(one(body('mov ecx, gs\nmov gs, ecx'), claim))).toBe(HOLDS)
    expect(outcome(one(body('nop'), claim))).toBe('belief')
  })

  it.each([
    ['set, and so it is', '.belief 0, kept, ts, 2, 0', 'clts\nmov dword [kept], 2\nmov eax, [kept]', HOLDS],
    ['set, and it is not', '.belief 0, kept, ts, 2, 1', 'clts\nmov dword [kept], 2\nmov eax, [kept]', 'belief'],
    ['clear, and it is so', '.belief 0, kept, ts, 2, 0', 'clts\nmov dword [kept], 1\nmov eax, [kept]', 'belief'],
    ['set, and may be', '.belief 0, kept, ts, 2, 1, may', 'clts\nmov dword [kept], 2\nmov eax, [kept]', HOLDS],
    ['clear, and it is so all the same', '.belief 0, kept, ts, 2, 0, may', 'clts\nmov dword [kept], 1\nmov eax, [kept]', 'belief'],
  ])('by bits: %s', (_, claim, body, expected) => expect(outcome(one(body, claim))).toBe(expected))

  it('is told with what the word says', () => {
    const said = (claim: string, body: string) => check(one(body, `.belief 0, kept, ${claim}`)).violation!.message
    expect(said('iopl', 'mov dword [kept], 3\nmov eax, [kept]')).toBe('consults kept, and takes IOPL of vCPU 0 for 0x3: it is 0x0')
    expect(said('ts, 2, 1', 'clts\nmov dword [kept], 2\nmov eax, [kept]')).toBe('consults kept with bits 0x2, and takes CR0.TS of vCPU 0 for 0x1: it is 0x0')
    expect(said('ts, 2, 0', 'clts\nmov dword [kept], 1\nmov eax, [kept]')).toBe('consults kept without bits 0x2, and takes CR0.TS of vCPU 0 for anything but 0x0: it is 0x0')
  })

  it('is consulted by an interrupt between the register and the kept', () => {
    const body = (shut: string, open: string) => one(`${open}\n${shut}\nmov dword [kept], 1\nmov eax, cr0\nor eax, 8\nmov cr0, eax\nsti\nnop\ncli`, `${ts}\n.irq 0, 0x40, handler`, 'handler:\npush eax\nmov eax, [kept]\npop eax\niret')
    expect(outcome(body('', 'sti'))).toBe('belief')
    expect(outcome(body('cli', 'sti'))).toBe(HOLDS)
  })

  // Whom to tell of a flush: a bit of the mask is clear only where the tables are not loaded (Linux, switch_mm).
  describe.each(ENGINES)('of another vCPU ($engine)', (options) => {
    const mask = (leave: string) => `
.belief 1, kept, cr3, 2, 0x5000, may
.init start
.vcpu shooter
.vcpu user
start: mov dword [kept], 2
  ret
shooter: mov eax, [kept]
  ret
user: mov eax, 0x5000
  mov cr3, eax
  ${leave}
  ret`
    it.each([
      ['cleared, then the tables changed', 'lock btr dword [kept], 1\nmov eax, 0\nmov cr3, eax', 'belief'],
      ['the tables changed, then cleared', 'mov eax, 0\nmov cr3, eax\nlock btr dword [kept], 1', HOLDS],
      ['never cleared', 'mov eax, 0\nmov cr3, eax', HOLDS],
      ['cleared in the store buffer', 'mov dword [kept], 0\nmov eax, 0\nmov cr3, eax', 'belief'],
      ['set again, then the tables', 'mov eax, 0\nmov cr3, eax\nlock btr dword [kept], 1\nlock bts dword [kept], 1\nmov eax, 0x5000\nmov cr3, eax', HOLDS],
      ['the tables, then set again', 'mov eax, 0\nmov cr3, eax\nlock btr dword [kept], 1\nmov eax, 0x5000\nmov cr3, eax\nlock bts dword [kept], 1', 'belief'],
    ])('%s', (_, leave, expected) => expect(outcome(mask(leave), options)).toBe(expected))

    it('is wrong from the delivery of an exception to the first access of its handler', () => {
      const code = (early: string, late: string) => `.belief 1, kept, if, 2, 0, may\n.init start\n.vcpu reader\n.vcpu user\n.handler 6, handler\nstart: mov dword [kept], 2\nret
reader: mov eax, [kept]\nret\nuser: sti\nlock btr dword [kept], 1\n${early}ud2\ncli\nret\nhandler: ${late}add dword [esp], 2\niret`
      expect(outcome(code('lock bts dword [kept], 1\n', ''), options)).toBe(HOLDS)
      expect(outcome(code('', 'lock bts dword [kept], 1\n'), options)).toBe('belief')
    })

    it('that changes between two private instructions', () => {
      // Nobody writes the kept: only the register says when it is wrong.
      const code = '.belief 1, kept, ts\n.vcpu reader\n.vcpu setter\nreader: mov eax, [kept]\nret\nsetter: mov eax, cr0\nmov ecx, eax\nor ecx, 8\nmov cr0, ecx\nmov cr0, eax\nret'
      expect(outcome(code, options)).toBe('belief')
    })

    it('whose own store is still in its buffer', () => {
      const code = (value: number) => `.belief 0, kept, ts\n.vcpu go\n.vcpu reader\ngo: mov eax, cr0\nor eax, 8\nmov cr0, eax\nmov dword [kept], ${value}\nmov ecx, [kept]\nret\nreader: mov eax, [kept + 4]\nret`
      expect(outcome(code(1), options)).toBe(HOLDS)
      expect(outcome(code(0), options)).toBe('belief')
    })
    it('whose instruction, jumped back to, waits for an interrupt to come, then for an own store', () => {
      const code = (value: string) => `.belief 0, kept, cr3\n.irq 0, 0x41, tick, 1\n.vcpu go\n.vcpu reader\ngo: mov eax, 0x5000\nsti\njmp sets\nback: mov cr3, eax\njmp on\nsets: mov dword [kept], 0x5000\njmp back\non: cli\n${value}mov ecx, [kept]\nret\ntick: iret\nreader: mov eax, [kept + 4]\nret`
      expect(outcome(code(''), options)).toBe(HOLDS)
      expect(outcome(code('mov dword [kept], 0\n'), options)).toBe('belief')
    })

    // Nobody writes the word, and in the end the register is what it was: only who looks in between sees it wrong.
    const reading = (claim: string, kept: number, body: string) =>
      outcome(`.belief 1, kept, ${claim}\n.init start\n.vcpu reader\n.vcpu setter\nstart: mov dword [kept], ${kept}\nret\nreader: mov eax, [kept]\nret\nsetter: ${body}\nret${handler}${tables}`, options)
    const handler = '\n.handler 0x41, handler\n.handler 0, handler\nhandler: iret\n'
    // LDTs at 0 and at 64 KB.
    const tables = '\nsection .data\nalign 8\ngdt: dd 0, 0, 0xffff, 0x00cf9b00, 0xffff, 0x00cf9300, 0xffff, 0x00008200, 0xffff, 0x00008201\ngdtr: dw 39\ndd gdt'
    // By the first instruction of all, too.
    const iret = (flags: number) => `push ${flags}\npush cs\npush .next\niret\n.next:`
    it.each([
      ['if', 0, 'by STI and CLI', 'sti\ncli', 'cli\ncli'],
      ['if', 0, 'by POPF', 'push 0x202\npopf\ncli', 'push 2\npopf'],
      ['if', 0, 'by IRET', `${iret(0x202)}\ncli`, iret(2)],
      ['iopl', 0, 'by POPF', 'push 0x3002\npopf\npush 2\npopf', 'push 0x8d7\npopf'],
      ['iopl', 0, 'by IRET', `${iret(0x1002)}\npush 2\npopf`, iret(2)],
      ['dr7', 0x400, 'by MOV', 'mov eax, 0x401\nmov dr7, eax\nmov eax, 0x400\nmov dr7, eax', 'mov eax, 0x400\nmov dr7, eax'],
      ['fs', 0x10, 'by MOV', 'mov ecx, 0\nmov fs, ecx\nmov ecx, 0x10\nmov fs, ecx', 'mov ecx, 0x10\nmov fs, ecx\nmov gs, ecx'],
      ['fs', 0x10, 'by LFS', 'push 0\npush 0\nlfs eax, [esp]\npush 0x10\npop fs\nadd esp, 8', 'push 0x10\npush 0\nlfs eax, [esp]\nadd esp, 8'],
      ['gs, 1, 0', 0, 'by POP', 'mov ecx, gs\npush 0\npop gs\nmov gs, ecx', 'mov ecx, gs\npush 0x10\npop gs\nmov gs, ecx'],
      ['gsBase, 1, 0', 0, 'by POP', 'mov ecx, gs\npush 0x10\npop gs\nmov gs, ecx', 'mov ecx, gs\nmov gs, ecx'],
      ['ldt', 0, 'by LLDT', 'lgdt [gdtr]\nmov eax, 0x18\nlldt ax\nmov eax, 0\nlldt ax', 'lgdt [gdtr]\nmov eax, 0\nlldt ax'],
      ['ldtBase, 1, 0x10000', 0, 'by LLDT', 'lgdt [gdtr]\nmov eax, 0x20\nlldt ax\nmov eax, 0x18\nlldt ax', 'lgdt [gdtr]\nmov eax, 0x18\nlldt ax'],
    ])('%s (%i), changed for a while %s', (claim, kept, how, wrong, right) => {
      void how
      expect(reading(claim, kept, right), right).toBe(HOLDS)
      expect(reading(claim, kept, wrong), wrong).toBe('belief')
    })

    it.each([
      ['INT n', 'int 0x41'],
      ['a fault', 'mov ecx, 0\ndiv ecx'],
      ['an NMI', '.nmi 1, handler'],
    ])('that changes while a handler runs: by %s', (_, how) => {
      const [claim, body] = how.startsWith('.') ? [how, 'nop'] : ['', how]
      // Who opened the flag says so.
      const code = (end: string) => `.belief 1, kept, if\n${claim}\n.vcpu reader\n.vcpu setter
reader: mov ecx, [other]\ntest ecx, ecx\njz .no\nmov eax, [kept]\n.no: ret
setter: sti\nmov dword [kept], 1\nlock inc dword [other]\n${end}\nret
.handler 0x41, handler\n.handler 0, handler\nhandler: mov ecx, 1\nmov eax, 0\nmov edx, 0\niret`
      expect(outcome(code(body), options)).toBe('belief')
      expect(outcome(code('nop').replace(claim, ''), options)).toBe(HOLDS)
    })

    it('that is as it should be only from the first instruction, or the delivery, on', () => {
      expect(reading('if', 1, 'sti')).toBe('belief')
      const closed = (open: string) => `.belief 1, kept, if\n.handler 0x41, handler\n.vcpu reader\n.vcpu setter
reader: mov ecx, [other]\ntest ecx, ecx\njz .no\nmov eax, [kept]\n.no: ret
setter: ${open}\nlock inc dword [other]\nint 0x41\nret
handler: and dword [esp + 8], 0xfffffdff\niret`
      expect(outcome(closed('sti'), options)).toBe('belief')
      expect(outcome(closed('cli'), options)).toBe(HOLDS)
    })
  })
})
