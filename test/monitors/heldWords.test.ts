// Words with a queued update: whoever touches one is caught, on any vCPU, until it is settled.
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { makeModel } from '../../src/smp/model.ts'
import { pagingOn } from '../paging.ts'

const check = (code: string, engine: 'graph' | 'dpor' = 'graph') => checkImage(assembleImage(`${code}\nsection .data\nalign 64\nentry: dd 1, 2, 3\nflag: dd 0`, { title: 'pending' }), makeModel(), { engine })
const kindOf = (body: string) => check(`.vcpu go\ngo:\n${body}\nret`).violation?.kind ?? null

describe('pending-write', () => {
  it.each([
    ['read', 'pending entry, 4\nmov eax, [entry]'],
    ['written', 'pending entry, 4\nmov dword [entry], 5'],
    ['read in part', 'pending entry, 8\nmov al, [entry + 7]'],
    ['queued twice, settled elsewhere', 'pending entry, 4\npending entry, 4\nsettled entry + 4, 4\nmov eax, [entry]'],
  ])('%s', (_, body) => expect(kindOf(body)).toBe('pending-write'))

  it.each([
    ['beside', 'pending entry + 4, 4\nmov eax, [entry]\nmov dword [entry + 8], 1'],
    ['before and after', 'mov eax, [entry]\npending entry, 4\nsettled entry, 4\nmov dword [entry], 5'],
    ['queued twice, settled once', 'pending entry, 4\npending entry, 8\nsettled entry, 8\nmov eax, [entry + 4]'],
  ])('not %s', (_, body) => expect(kindOf(body)).toBeNull())

  it.each(['graph', 'dpor'] as const)('is seen by another vCPU in some execution only (%s)', (engine) => {
    const other = (wait: string) => `.vcpu go\n.vcpu other\ngo:\npending entry, 4\nsettled entry, 4\nmov dword [entry], 5\nmov dword [flag], 1\nret\nother:\n${wait}\nmov eax, [entry]\nret`
    expect(check(other('nop'), engine).violation).toMatchObject({ kind: 'pending-write', vcpu: 1 })
    expect(check(other('again:\nmov ecx, [flag]\ntest ecx, ecx\njz again'), engine)).toMatchObject({ verdict: 'holds', strength: 'complete' })
  })

  it('is told of memory only', () => expect(kindOf('pending 0xf0000000, 4')).toBe('bad-call'))
})

describe('argument-changed', () => {
  it.each([
    ['written', 'lent entry, 8\nmov dword [entry + 4], 5'],
    ['freed', 'lent entry, 8\nfree entry, 64'],
    ['written, and marked as something else too', 'lent entry, 4\nunfilled entry, 4\nmov dword [entry], 1'],
    ['on a stack that was left', 'push 5\nlent esp, 4\nmov edx, esp\npop eax\nsettled edx, 4'],
    ['on a stack, by the function that returns', 'call fn\nsettled ecx, 4\nret\nfn:\npush 5\nmov ecx, esp\nlent esp, 4\npop eax'],
    ['on a stack, never settled', 'push 5\nlent esp, 4\npop eax'],
    ['on a stack that was left and used again', 'push 5\nlent esp, 4\npop eax\ncall fn\nret\nfn:'],
  ])('%s', (_, body) => expect(kindOf(body)).toBe('argument-changed'))

  it.each([
    ['read', 'lent entry, 4\nmov eax, [entry]\nsettled entry, 4\nmov dword [entry], 1'],
    ['on the stack of who called', 'push 5\nlent esp, 4\ncall fn\npop eax\nret\nfn:\nlea edx, [esp + 4]\nsettled edx, 4'],
    ['on the stack', 'push 5\nlent esp, 4\nmov edx, esp\nmov eax, [edx]\nsettled edx, 4\npop eax'],
    ['stored before', 'mov dword [entry], 5\nlent entry, 4\nsettled entry, 4'],
  ])('not %s', (_, body) => expect(kindOf(body)).toBeNull())

  it.each(['graph', 'dpor'] as const)('not by an own store from before that drains behind the mark (%s)', (engine) => {
    const code = '.vcpu go\n.vcpu other\ngo:\nmov dword [entry], 5\nlent entry, 4\nsettled entry, 4\nret\nother:\nmov eax, [entry]\nret'
    expect(check(code, engine)).toMatchObject({ verdict: 'holds', strength: 'complete' })
  })

  it.each(['graph', 'dpor'] as const)('by a store of another vCPU that was made before (%s)', (engine) => {
    const code = '.vcpu go\n.vcpu other\ngo:\nmov ecx, [flag]\ntest ecx, ecx\njz go\nlent entry, 4\nsettled entry, 4\nret\nother:\nmov dword [entry + 4], 1\nmov dword [flag], 1\nmov dword [entry], 5\nret'
    expect(check(code, engine).violation?.kind).toBe('argument-changed')
  })
})

describe.each(['graph', 'dpor'] as const)('an argument on the stack that another vCPU carries out (%s)', (engine) => {
  // Between lending and returning it does something else that others see.
  const code = (wait: string) => `.vcpu go\n.vcpu other
go:\npush 5\nlent esp, 4\nmov [flag], esp\nlock inc dword [entry]\n${wait}\npop eax\nret
other:\nmov esi, [flag]\ntest esi, esi\njz other\nsettled esi, 4\nmov eax, [esi]\nmov dword [entry + 4], 0\nret`
  it('be it that it mostly is', () => {
    // Whoever is asked first carries it out in time, and nothing else that they do concerns the other.
    const late = `.vcpu other\n.vcpu go\ngo:\npush 5\nlent esp, 4\nmov [flag], esp\nlock inc dword [entry]\nlock inc dword [entry]\nadd esp, 4\nret\nother:\nmov esi, [flag]\ntest esi, esi\njz .no\nsettled esi, 4\nret\n.no: lock inc dword [entry + 8]\nret`
    expect(check(late, engine).violation).toMatchObject({ kind: 'argument-changed', vcpu: 1 })
    expect(check(late.replace('add esp, 4\nret', 'wait: mov ecx, [flag]\ntest ecx, ecx\njnz wait\nadd esp, 4\nret').replace('settled esi, 4', 'settled esi, 4\nmov dword [flag], 0').replace('.no: lock inc dword [entry + 8]\nret', '.no: jmp other'), engine)).toMatchObject({ verdict: 'holds', strength: 'complete' })
  })
  it('has to be there until it is', () => {
    expect(check(code('wait:\nmov ecx, [entry + 4]\ntest ecx, ecx\njnz wait'), engine)).toMatchObject({ verdict: 'holds', strength: 'complete' })
    expect(check(code('nop'), engine).violation).toMatchObject({ kind: 'argument-changed', vcpu: 0 })
  })
})

describe('unfilled-slot', () => {
  it.each([
    ['read', 'unfilled entry, 8\nmov dword [entry], 5\nmov eax, [entry + 4]'],
    ['updated', 'unfilled entry, 8\ninc dword [entry]'],
  ])('%s', (_, body) => expect(kindOf(body)).toBe('unfilled-slot'))
  it.each([
    ['filled', 'unfilled entry, 8\nmov dword [entry], 5\nsettled entry, 8\nmov eax, [entry]'],
    ['freed', 'unfilled entry, 8\nfree entry, 8'],
  ])('not %s', (_, body) => expect(kindOf(body)).toBeNull())

  it('by a handler between filling and saying so', () => {
    const code = (order: string) => `.vcpu go\n.irq 0, 0x40, handler\n.init unfill\nunfill:\nret\ngo:\nunfilled entry, 4\nsti\n${order}\ncli\nret\nhandler:\npush eax\nmov eax, [flag]\ntest eax, eax\njz .none\nmov eax, [entry]\n.none:\npop eax\niret`
    expect(check(code('mov dword [flag], 1\nmov dword [entry], 5\nsettled entry, 4')).violation?.kind).toBe('unfilled-slot')
    expect(check(code('mov dword [entry], 5\nsettled entry, 4\nmov dword [flag], 1')).verdict).toBe('holds')
  })
})

describe.each(['graph', 'dpor'] as const)('code that is executed (%s)', (engine) => {
  const code = (mark: string, wait: string) => `.vcpu go\n.vcpu other\ngo:\n${mark} routine, 1\nsettled routine, 1\nmov dword [flag], 1\nret\nother:\n${wait}\ncall routine\nret\nalign 16\nroutine: nop\nret\nalign 16`
  const settled = 'again:\nmov ecx, [flag]\ntest ecx, ecx\njz again'
  it.each([
    ['pending', 'pending-write'],
    ['unfilled', 'unfilled-slot'],
    ['lent', undefined],
  ])('%s', (mark, kind) => {
    expect(check(code(mark, 'nop'), engine).violation?.kind).toBe(kind)
    expect(check(code(mark, settled), engine)).toMatchObject({ verdict: 'holds', strength: 'complete' })
  })
})

describe('an entry of a page table that is walked', () => {
  const walk = (mark: string) => kindOf(`mov dword [dir], 0xe3
mov eax, table + 0x63
mov [dir + 4], eax
mov eax, page + 0x63
mov [table], eax
${pagingOn()}${mark} table, 4
mov eax, [0x400000]
settled table, 4
ret
section .data
align 4096
dir: times 1024 dd 0
table: times 1024 dd 0
page: times 1024 dd 0
section .text
`)
  it.each([
    ['pending', 'pending-write'],
    ['unfilled', 'unfilled-slot'],
    // Who carries the call out may read what it refers to, and so may others.
    ['lent', null],
  ])('%s: %s', (mark, kind) => expect(walk(mark)).toBe(kind))
})
