// The blocks of src/patching/blocks.ts as programs of the assembler: what holds with each, and what does not where a part is different.
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import {
  ALL_STEPS, detour, emulateCall, emulateJump, formBytes, formCall, formDirect, formIndirect, formJump, lazyStub, nmiLatched, NOPS, patchingData, pokeHandler,
  selfLoopGuard, siteTable, STATIC_RET, staticBranch, storeOffset, textPoke, trampoline, type Site,
} from '../../src/patching/blocks.ts'
import { makeModel } from '../../src/smp/model.ts'

function judge(source: string, fetch = 'byte'): string {
  const result = checkImage(assembleImage(source, { title: 'blocks' }), makeModel({ fetch }), { engine: 'graph', liveness: 'off', limits: { events: 60_000 } })
  return result.violation?.kind ?? (result.strength === 'complete' ? 'none' : result.strength)
}
const site = (sizeBytes: number): Site => ({ label: 'site', sizeBytes, before: 'before', after: 'after' })
/** vCPU 0 runs `patch`; the others `run`, or an interrupt of vCPU 0 does. */
const apart = (patch: string, code: string, data: string, run = 'call code\n  call code') => `.vcpu patcher
.vcpu executor
patcher:
${patch}
  ret
executor: ${run}
  ret
${code}
section .rodata
${data}
${patchingData(2)}`
const same = (patch: string, code: string, data: string, check = '') => `.vcpu patcher
.irq 0, 0x40, handler, 1
patcher: sti
  nop
${patch}
  cli
  ret
handler: pushad
  call code
${check}
  popad
  iret
${code}
section .rodata
${data}
${patchingData(1)}`
const place = (offset: number, text: string) => `section .text\nalign 64\ntimes ${offset} nop\n${text}`

describe('storeOffset, selfLoopGuard', () => {
  /** On both sides of the site: displacements differ in every byte. */
  const between = (code: string) => `new: ret\n${code}\nold: ret`
  const calls = `${formCall('before', 'site', 'old')}\n${formCall('after', 'site', 'new')}`
  const relink = (offset: number) => apart(storeOffset(site(5)), between(`${place(offset, 'code:\nsite: call old\n ret')}\n.forms site, 5, before, after`), calls)
  it('relink a call by one store, where the offset is in one chunk', () => {
    expect(judge(relink(59), 'independent:4')).toBe('none')
    expect(judge(relink(59), 'byte')).toBe('torn-instruction')
    expect(judge(relink(62), 'coherent')).toBe('torn-instruction')
  })
  const guarded = (offset: number, patch = selfLoopGuard(site(5))) =>
    apart(patch, between(`${place(offset, 'code:\nsite: call old\n ret')}\n.forms site, 5, before, guard, after`), `${calls}\n${formBytes('guard', [0xeb, 0xfe, 0xeb, 0xfe, 0x90])}`)
  it('guard the head by a jump to itself, where it is in one line', () => {
    expect(judge(guarded(0), 'single')).toBe('none')
    expect(judge(guarded(62), 'single')).toBe('torn-instruction')
    // The tail before the guard is there.
    const [guard, ...rest] = selfLoopGuard(site(5)).split('\n')
    expect(judge(guarded(0, [...rest.slice(0, 2), guard, ...rest.slice(2)].join('\n')), 'single')).toBe('torn-instruction')
  })
})

describe('lazyStub', () => {
  const source = (offset: number) => `.vcpu caller
.vcpu caller
caller: call code
  call code
  ret
${place(offset, 'code:\nsite: call stub\n ret')}
.site site, 5, stub, first
${lazyStub('stub', 'slot')}
times 601 nop
first: ret
section .data
align 4
slot: dd first`
  it('links the sites that call it, where their offset is aligned', () => {
    expect(judge(source(59), 'independent:4')).toBe('none')
    expect(judge(source(62), 'independent:4')).toBe('illegal-target')
  })
})

describe('siteTable', () => {
  it('lists what a patcher goes over', () => {
    const two: Site[] = [site(5), { label: 'other', sizeBytes: 3, before: 'before', after: 'after' }]
    const source = (table: string) => `.vcpu patcher
patcher: mov ecx, table
next: mov edx, [ecx]
  cmp edx, 0
  je done
  mov eax, [ecx + 4]
fill: mov byte [edx + eax - 1], 0x90
  dec eax
  jnz fill
  add ecx, 8
  jmp next
done: call code
  ret
code:
site: db 0xb8, 1, 2, 3, 4
other: db 0x83, 0xc0, 1
  ret
.forms site, 5, nops
.forms other, 3, nops
section .rodata
${table}
${formBytes('nops', [0x90, 0x90, 0x90, 0x90, 0x90])}`
    expect(judge(source(siteTable('table', two)))).toBe('none')
    expect(judge(source(siteTable('table', two.slice(0, 1))))).toBe('torn-instruction')
  })
})

describe('static calls, static keys, pv_ops', () => {
  const poke = (name = 'poke') => textPoke(name, [site(5)], 1, ALL_STEPS)
  const count = 'section .data\nalign 4\ncalls: dd 0'
  const once = '  mov eax, 0\n  cmp dword [calls], 1\n  sete al\n  assert eax, "one call"'
  it('a trampoline leads to the old or the new function, or to none', () => {
    const functions = 'old: inc dword [calls]\n ret\ntimes 600 nop\nnew: inc dword [calls]\n ret\ncode: call site\n ret'
    const forms = '.forms site, 5, before, after, int3'
    const code = `${trampoline('site', 'old')}\n${functions}\n${forms}`
    const to = (emulate: string) => same(poke(), `${code}\n${pokeHandler([site(5)], () => emulate)}`, `${formJump('before', 'site', 'old')}\n${formJump('after', 'site', 'new')}\n${count}`, once)
    expect(judge(to(emulateJump('new')))).toBe('none')
    expect(judge(to(emulateJump('code + 5')))).not.toBe('none')
    const none = same(poke(), `${code}\n${pokeHandler([site(5)], () => '  pop eax\n  add esp, 12\n  ret')}`, `${formJump('before', 'site', 'old')}\n${formBytes('after', STATIC_RET)}\n${count}`)
    expect(judge(none)).toBe('none')
  })
  it('a branch is a NOP or a jump', () => {
    const source = (steps: string) => same(steps, `code:\n${staticBranch('site')}\n ret\n.forms site, 5, before, after, int3\n${pokeHandler([site(5)], () => emulateJump('site_on'))}`,
      `${formBytes('before', NOPS.p6[4])}\n${formJump('after', 'site', 'site_on')}`)
    expect(judge(source(poke()))).toBe('none')
    expect(judge(source(poke().split('\n').slice(2).join('\n')))).toBe('torn-instruction')
  })
  it('an indirect call becomes a direct one', () => {
    const six = site(6)
    const source = (emulate: string) => same(textPoke('poke', [six], 1, ALL_STEPS), `code:\nsite: call dword [op]\n ret\nnative: inc dword [calls]\n ret\n.forms site, 6, before, after, int3\n${pokeHandler([six], () => emulate)}`,
      `${formIndirect('before', 'op')}\n${formDirect('after', 'site', 'native')}\nsection .data\nalign 4\nop: dd native\ncalls: dd 0`, once)
    expect(judge(source(emulateCall(six, 'native')))).toBe('none')
    expect(judge(source(''))).toBe('assertion') // trapped and skipped: the call is lost
  })
})

describe('probes', () => {
  it('lead to a copy of what they replace, and back', () => {
    const three = site(3)
    const source = (back: Site) => same('  mov byte [site], 0xcc\n  call code\n  mov byte [site], 0x83', `code: mov eax, 40\nsite: add eax, 2\n cmp eax, 42\n mov eax, 0\n sete al\n assert eax, "carried out once"\n ret
hit: ret
${detour('slot', back, '  add eax, 2', 'hit')}
.forms site, 3, before, int3
${pokeHandler([three], () => emulateJump('slot'))}`, formBytes('before', [0x83, 0xc0, 2]))
    expect(judge(source(three))).toBe('none')
    expect(judge(source(site(0)))).not.toBe('none') // back to the breakpoint
  })
})

describe('nmiLatched', () => {
  const source = (handler: string) => `.vcpu task
.nmi 0, nmi, 2
.handler 3, trap
task: nop
  nop
  ret
trap: iret
${handler}
section .data
align 4
inside: dd 0`
  const body = '  mov eax, 1\n  cmp dword [inside], 0\n  je fine\n  mov eax, 0\nfine: assert eax, "does not nest"\n  mov dword [inside], 1\n  int3\n  mov dword [inside], 0'
  it('keeps a body apart from NMIs that a breakpoint in it lets in', () => {
    expect(judge(source(nmiLatched('nmi', body)))).toBe('none')
    expect(judge(source(`nmi: pushad\n${body}\n  popad\n  iret`))).toBe('assertion')
  })
})
