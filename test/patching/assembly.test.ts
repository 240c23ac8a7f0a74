// The blocks of src/patching/blocks.ts as programs of the assembler: what holds with each, and what does not where a part is different.
import { describe, expect, it } from 'vitest'
import { checkImage, type Engine } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import {
  ALL_STEPS, detour, emulateCall, emulateJump, formBytes, formCall, formDirect, formIndirect, formJump, lazyStub, nmiLatched, NOPS, patchingData, pokeHandler,
  selfLoopGuard, siteTable, STATIC_RET, staticBranch, storeOffset, textPoke, trampoline, type Site,
} from '../../src/patching/blocks.ts'
import {
  breakpoints, nmiLatch, PROBE_PLAIN, probeCode, probeData, probeSteps, staticKey, STEPS, syncDeclarations, syncGroup, taskDeclarations,
} from '../../src/patching/library.ts'
import { makeModel } from '../../src/smp/model.ts'

function judge(source: string, fetch = 'byte', engine: Engine = 'graph'): string {
  const result = checkImage(assembleImage(source, { title: 'blocks' }), makeModel({ fetch }), { engine, liveness: 'off', limits: { events: 60_000 } })
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

describe('the library', () => {
  const all = `, ${STEPS.all}`
  it('lets a vCPU that was away come online, in what was patched meanwhile', () => {
    // Who comes online has serialised; who does not say so is not waited for, and may run what is half written.
    const source = (online: string) => `.vcpu patcher
.vcpu newcomer
.init prepare
${syncDeclarations()}
prepare:
${syncGroup(2, [1])}
  ret
patcher: mov byte [site + 1], 2
  invoke xm_sync_all
  mov dword [told], 1
  ret
newcomer:
${online}
  sti
  mov ebx, [told]
  call site
  cmp ebx, 0
  je early
  cmp eax, 0x04030202
  mov eax, 0
  sete al
  assert eax, "what was said to be there"
early: invoke xm_offline
  ret
site: mov eax, 0x04030201
  ret
.forms site, 5, before, after
section .rodata
${formBytes('before', [0xb8, 1, 2, 3, 4])}
${formBytes('after', [0xb8, 2, 2, 3, 4])}
section .data
told: dd 0`
    expect(judge(source('  invoke xm_online'), 'single', 'dpor')).toBe('none')
    expect(judge(source(''), 'single', 'dpor')).toBe('assertion')
  })

  const branch: Site = { label: 'branch', sizeBytes: 5, before: 'branch_nop', after: 'branch_jmp' }
  const key = (patch: string) => `.vcpu patcher
.irq 0, 0x40, interrupt, 1
.forms branch, 5, branch_nop, branch_jmp, int3
${breakpoints([{ known: 'xm_key_bp', argument: 'key' }])}
patcher: sti
  nop
${patch}
  cli
  ret
interrupt: push eax
  call look
  pop eax
  iret
look:
${staticBranch('branch')}
  ret
section .data
${staticKey('key', [branch])}
section .rodata
${formBytes('branch_nop', NOPS.p6[4])}
${formJump('branch_jmp', 'branch', 'branch_on')}`
  it('counts who wants a static key', () => {
    const enabled = (want: 0 | 1) => `  cli\n  call look\n  cmp eax, ${want}\n  mov eax, 0\n  sete al\n  assert eax, "enabled or not"`
    const [inc, dec] = ['inc', 'dec'].map((name) => `  invoke xm_static_key_${name}, key${all}`)
    expect(judge(key([inc, inc, dec, enabled(1)].join('\n')), 'single')).toBe('none')
    expect(judge(key([inc, dec, enabled(1)].join('\n')), 'single')).toBe('assertion')
  })

  const three = site(3)
  const probed = (steps: string) => `.vcpu patcher
.init prepare
.irq 0, 0x40, interrupt, 1
.forms site, 3, before, int3
${steps}
${breakpoints([{ known: 'xm_probe_bp', argument: 'probe' }])}
prepare: invoke xm_probe_prepare, probe, ${PROBE_PLAIN}
  ret
patcher: sti
  nop
  invoke xm_probe_arm, probe${all}
  cli
  call code
  sti
  invoke xm_probe_disarm, probe${all}
  cli
  ret
interrupt: pushad
  call code
  popad
  iret
code: mov eax, 40
site: add eax, 2
  cmp eax, 42
  mov eax, 0
  sete al
  assert eax, "carried out once"
  ret
hit: ret
${probeCode('probe', 'hit')}
section .data
${probeData('probe', three, 'hit')}
section .rodata
${formBytes('before', [0x83, 0xc0, 2])}`
  it('steps over what a plain probe replaces', () => {
    expect(judge(probed(probeSteps()))).toBe('none')
    expect(judge(probed(''))).toBe('unhandled-exception') // nobody brings it back from the copy
  })

  it('keeps a body of NMIs apart', () => {
    const source = (declaration: string, code: string) => `.vcpu task\n.nmi 0, nmi_entry, 2\n.handler 3, trap\n${declaration}
task: nop\n  nop\n  ret\ntrap: iret
nmi_entry: pushad\n  call nmi\n  popad\n  iret
${code}
body: mov eax, 1\n  cmp dword [inside], 0\n  je fine\n  mov eax, 0\nfine: assert eax, "does not nest"\n  mov dword [inside], 1\n  int3\n  mov dword [inside], 0\n  ret
section .data\nalign 4\ninside: dd 0`
    expect(judge(source('', nmiLatch('nmi', 'body')))).toBe('none')
    expect(judge(source('', 'nmi: jmp body'))).toBe('assertion')
  })

  it('parks a task in code that is freed too early', () => {
    const source = (wait: string) => `${taskDeclarations(1)}.vcpu patcher
patcher: invoke xm_task, task
  mov ebx, eax
  sti
  invoke xm_yield
${wait}
  cli
  free code, 3
  sti
  invoke xm_wait_for, ebx
  cli
  ret
task: call code
  ret
code: nop
  nop
  ret`
    expect(judge(source(''))).toBe('use-after-free')
  })
})
