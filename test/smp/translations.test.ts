// Cached translations (SDM vol. 3A 5.10), a rule a test: a guest that relies on what is not promised is violated, the
// corrected one holds, and the knob that takes the rule away turns the first into the second.
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { enumerate } from '../../src/explore/brute.ts'
import { monitorsFor } from '../../src/explore/monitors/index.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { minimizeTrace } from '../../src/replay/minimize.ts'
import { recordTrace, replayTrace } from '../../src/replay/record.ts'
import { timelineOf } from '../../src/replay/timeline.ts'
import { decodeTrace, encodeTrace } from '../../src/replay/trace.ts'
import { Machine } from '../../src/smp/machine.ts'
import type { MachineImage } from '../../src/smp/image.ts'
import { PageMap } from '../../src/smp/memory.ts'
import { makeModel, type KnobValue } from '../../src/smp/model.ts'
import { Sharing } from '../../src/smp/sharing.ts'
import { pagingOn as on } from '../paging.ts'

const PGE = 0x80
const PAE = 0x20

/** 0-4 MB stand for themselves in one large page; from 4 MB on the pages of `table`. */
const TABLES = `
section .data
align 4
done: dd 0
section .tables
align 4096
dir: dd 0xe3, table + 0x67
times 1022 dd 0
table: dd pageA + 0x67
times 1023 dd 0
pageA: dd 1
times 1023 dd 0
pageB: dd 2
times 1023 dd 0
`
/** Where something was seen: `eax` must be `value`. */
const expectEax = (value: number, text: string) => `    cmp eax, ${value}
    sete al
    movzx eax, al
    assert "${text}"
`

function image(source: string): MachineImage {
  return assembleImage(source, { title: 'translations' })
}
function verdict(source: string, knobs: Record<string, KnobValue> = {}) {
  const result = checkImage(image(source), makeModel(knobs))
  return result.verdict === 'violated' ? result.violation!.kind : `${result.verdict}/${result.strength}`
}

describe('a fault that the vCPU has itself to blame for', () => {
  const fault = (between: string, entry = 'table + 4') =>
    checkImage(image(`.vcpu go\n.vcpu other\ngo:\n${on()}    mov dword [${entry}], pageB + 0x67\n${between}    mov eax, [0x401000]\n    ret\nother: mov eax, [table + 4]\n    ret\n${TABLES}`), makeModel()).violation?.message
  it('is explained: the entry is still in its store buffer', () => {
    expect(fault('')).toMatch(/\(error code 0\), has no handler: its own store to the entry at table\+0x4 is still in its store buffer, where page walks do not look; put a fence, INVLPG or a load of CR3 in between$/)
    expect(fault('    mfence\n')).toBe(undefined)
    expect(fault('', 'table + 8')).toMatch(/has no handler$/)
  })
  it('or an instruction, or MSR, that is not there: CLFLUSHOPT, an MTRR', () => {
    const message = (body: string) => checkImage(image(`.vcpu go\ngo: ${body}\n    ret\n`), makeModel()).violation?.message
    expect(message('db 0x66, 0x0f, 0xae, 0x38')).toBe('exception 6 (#UD) at go has no handler (these bytes are no instruction that xmcheck knows)')
    expect(message('ud2')).toBe('exception 6 (#UD) at go has no handler')
    for (const access of ['rdmsr', 'wrmsr']) expect(message(`mov ecx, 0x200\n    ${access}`)).toMatch(/#GP\) at go\+0x5 has no handler \(xmcheck has no MSR 0x200 here\)$/)
  })
})

/** vCPU 0 changes the tables and says so, vCPU 1 accesses the page afterwards. */
const remote = (change: string, use: string, { tables = TABLES, start = on() } = {}) => `.vcpu changer
.vcpu user
changer:
${start}${change}
    mov dword [done], 1
    ret
user:
${start}    cmp dword [done], 1
    jne .out
${use}.out: ret
${tables}`

describe('one page, moved', () => {
  const move = '    mov dword [table], pageB + 0x67'
  const read = `    mov eax, [0x400000]\n${expectEax(2, 'the new page')}`
  it('is read through its old translation by a vCPU that was not told', () => {
    expect(verdict(remote(move, read))).toBe('assertion')
    expect(verdict(remote(move, read), { tlb: 'leaf' })).toBe('assertion')
    expect(verdict(remote(move, read), { tlb: 'none' })).toBe('holds/complete')
  })
  it('is read through the old one only if an access has cached it, where nothing is speculated', () => {
    const first = `    mov eax, [0x400000]\n${read}`
    expect(verdict(remote(move, read), { tlbSpeculative: 'no' })).toBe('holds/complete')
    expect(verdict(remote(move, read).replace('    cmp dword [done], 1\n', '    mov eax, [0x400000]\n    cmp dword [done], 1\n'), { tlbSpeculative: 'no' })).toBe('assertion')
    expect(verdict(remote(move, first), { tlbSpeculative: 'no' })).toBe('holds/complete')
  })
  it('is read anew after INVLPG, MOV CR3, CR4.PGE, CR0.PG; INVLPG of another page does not do', () => {
    for (const flush of ['invlpg [0x400000]', 'mov eax, cr3\n    mov cr3, eax', 'mov eax, 0x90\n    mov cr4, eax', 'mov eax, cr0\n    and eax, 0x7fffffff\n    mov cr0, eax\n    or eax, 0x80000000\n    mov cr0, eax'])
      expect(verdict(remote(move, `    ${flush}\n${read}`)), flush).toBe('holds/complete')
    expect(verdict(remote(move, `    invlpg [0x401000]\n${read}`))).toBe('assertion')
    // CPUID serialises, and drops nothing.
    expect(verdict(remote(move, `    mov eax, 0\n    cpuid\n${read}`))).toBe('assertion')
  })
  it('may be read anew and then through the old translation only where every access looks up on its own', () => {
    const twice = `    mov eax, [0x400000]\n    mov ecx, [0x400000]\n    lea eax, [eax + ecx*2]\n    cmp eax, 4\n    setne al\n    movzx eax, al\n    assert "new then old"\n`
    expect(verdict(remote(move, twice), { tlbSplit: 'each' })).toBe('assertion')
    expect(verdict(remote(move, twice))).toBe('holds/complete')
    // Old, then new: an entry may go at any time.
    expect(verdict(remote(move, twice.replace('cmp eax, 4', 'cmp eax, 5')))).toBe('assertion')
  })
  it('is not cached where its accessed bits are clear and speculation wants them set', () => {
    const fresh = TABLES.replace('pageA + 0x67', 'pageA + 0x47')
    expect(verdict(remote(move, read, { tables: fresh }))).toBe('assertion')
    expect(verdict(remote(move, read, { tables: fresh }), { tlbSpeculative: 'accessed' })).toBe('holds/complete')
    expect(verdict(remote(move, read), { tlbSpeculative: 'accessed' })).toBe('assertion')
  })
  it('weakens the verdict where there is no room for its translations', () => {
    const often = `    mov dword [table], pageB + 0x67\n    mov dword [table], pageA + 0x65\n    mov dword [table], pageB + 0x65`
    const any = `    mov eax, [0x400000]\n    cmp eax, 0\n    setne al\n    movzx eax, al\n    assert "a page"\n`
    expect(verdict(remote(often, any), { tlbEntries: 1 })).toBe('holds/bounded')
    expect(verdict(remote(often, any))).toBe('holds/complete')
  })
})

describe('entries that are not present', () => {
  it('are never cached: a page that was mapped is there', () => {
    const tables = TABLES.replace('table: dd pageA + 0x67', 'table: dd 0')
    const source = remote('    mov dword [table], pageA + 0x67', `    mov eax, [0x400000]\n${expectEax(1, 'the page')}`, { tables })
    expect(verdict(source)).toBe('holds/complete')
  })
  it('are not what an access needs: a page that was unmapped is still reached', () => {
    const source = (flush: string) => `.handler 14, fault\nfault: mov esp, ebp\n    ret\n${remote('    mov dword [table], 0', `    mov ebp, esp\n${flush}    mov eax, [0x400000]\n    assert 0, "no page"\n`)}`
    expect(verdict(source(''))).toBe('assertion')
    expect(verdict(source('    invlpg [0x400000]\n'))).toBe('unknown/complete')
    expect(verdict(source(''), { tlb: 'none' })).toBe('unknown/complete')
  })
})

describe('rights', () => {
  const readOnly = TABLES.replace('table: dd pageA + 0x67', 'table: dd pageA + 0x65')
  const allow = '    mov dword [table], pageA + 0x67'
  const store = '    mov dword [0x400000], 5\n'
  it('that were less before may still fault, once: the fault drops the entry', () => {
    expect(verdict(remote(allow, store, { tables: readOnly }))).toBe('unhandled-exception')
    expect(verdict(remote(allow, store, { tables: readOnly }), { tlb: 'none' })).toBe('holds/complete')
    // The handler counts; a second spurious fault would be one too many.
    const counting = `.handler 14, fault
fault: add esp, 4
    inc dword [faults]
    push eax
    mov eax, 2
    sub eax, [faults]
    assert eax, "one fault at most"
    pop eax
    iret
${remote(allow, store, { tables: readOnly })}
section .data
align 4
faults: dd 0
`
    expect(verdict(counting)).toBe('holds/complete')
    expect(verdict(counting.replace('mov eax, 2', 'mov eax, 1'))).toBe('assertion')
    expect(verdict(counting.replace('mov eax, 2', 'mov eax, 1'), { tlb: 'none' })).toBe('unknown/complete')
  })
  it('that were taken away are still there after an access that needs none of them', () => {
    const source = (between: string) => `.vcpu only
.handler 14, fault
fault: mov esp, ebp
    ret
only:
${on()}    mov ebp, esp
    lock and dword [table], 0xfffffffd
${between}    mov dword [0x400000], 5
    assert 0, "written"
    ret
${TABLES}`
    const read = '    mov eax, [0x400000]\n'
    for (const tlbSplit of ['split', 'unified', 'each']) expect(verdict(source(read), { tlbSplit })).toBe('assertion')
    expect(verdict(source(`${read}    invlpg [0x400000]\n`))).toBe('unknown/complete')
    // A walk that has set a bit was one, where none is made ahead through what has A clear.
    const walks = `    lock and dword [table], 0xffffffdf\n${read}    mov eax, [table]\n    shr eax, 5\n    and eax, 1\n    assume eax\n`
    expect(verdict(source(walks))).toBe('assertion')
    expect(verdict(source(walks), { tlbSpeculative: 'accessed' })).toBe('unknown/complete')
    expect(verdict(source(walks), { tlbSpeculative: 'accessed', tlbSplit: 'each' })).toBe('assertion')
  })
  it('that were taken away may still be used', () => {
    const deny = '    mov dword [table], pageA + 0x65'
    const source = (flush: string) => `.handler 14, fault\nfault: mov esp, ebp\n    ret\n${remote(deny, `    mov ebp, esp\n${flush}    mov dword [0x400000], 5\n    assert 0, "written"\n`)}`
    expect(verdict(source(''))).toBe('assertion')
    expect(verdict(source('    invlpg [0x400000]\n'))).toBe('unknown/complete')
  })
})

describe('accessed and dirty bits', () => {
  it('a cached D lets a store pass without setting it again', () => {
    const clean = '    lock and dword [table], 0xffffffbf'
    const use = (flush: string) => `${flush}    mov dword [0x400000], 5\n    mov eax, [table]\n    shr eax, 6\n    and eax, 1\n    assert "dirty"\n`
    expect(verdict(remote(clean, use('')))).toBe('assertion')
    expect(verdict(remote(clean, use('    invlpg [0x400000]\n')))).toBe('holds/complete')
    expect(verdict(remote(clean, use('')), { tlb: 'none' })).toBe('holds/complete')
  })
  it('a cached translation that is not dirty walks for a store, and finds what is there', () => {
    const tables = TABLES.replace('table: dd pageA + 0x67', 'table: dd pageA + 0x27')
    const source = remote('    mov dword [table], pageB + 0x27', `    mov dword [0x400000], 5\n    mov eax, [pageA]\n${expectEax(1, 'the old page is untouched')}`, { tables })
    expect(verdict(source)).toBe('holds/complete')
    expect(verdict(source.replace('pageA + 0x27', 'pageA + 0x67'))).toBe('assertion')
  })
  it('a cleared A is not set through a cached translation', () => {
    const age = '    lock and dword [table], 0xffffffdf'
    const use = `    mov eax, [0x400000]\n    mov eax, [table]\n    shr eax, 5\n    and eax, 1\n    assert "accessed"\n`
    expect(verdict(remote(age, use))).toBe('assertion')
    expect(verdict(remote(age, `    invlpg [0x400000]\n${use}`))).toBe('holds/complete')
  })
  it('are set by locked updates that never bring back an entry that was replaced', () => {
    const tables = TABLES.replace('table: dd pageA + 0x67', 'table: dd pageA + 0x27')
    const source = `.vcpu zapper
.vcpu user
.handler 14, fault
fault: mov esp, ebp
    ret
zapper:
${on()}    xor eax, eax
    xchg [table], eax
    ret
user:
${on()}    mov ebp, esp
    mov dword [0x400000], 5
    ret
.final check
check: mov eax, [table]
${expectEax(0, 'unmapped for good')}    ret
${tables}`
    for (const tlb of ['none', 'pde']) expect(verdict(source, { tlb })).toBe('holds/complete')
  })
})

describe('global pages', () => {
  const global = TABLES.replace('pageA + 0x67', 'pageA + 0x167')
  const read = `    mov eax, [0x400000]\n${expectEax(2, 'the new page')}`
  const reload = '    mov eax, cr3\n    mov cr3, eax\n'
  const move = '    mov dword [table], pageB + 0x167'
  it('outlive MOV CR3, if CR4.PGE is set', () => {
    expect(verdict(remote(move, reload + read, { tables: global, start: on('dir', PGE) }))).toBe('assertion')
    expect(verdict(remote(move, reload + read, { tables: global }))).toBe('holds/complete')
    expect(verdict(remote(move, reload + read, { start: on('dir', PGE) }))).toBe('holds/complete')
  })
  it('end with INVLPG and with a change of CR4.PGE', () => {
    for (const flush of ['    invlpg [0x400000]\n', '    mov eax, 0x10\n    mov cr4, eax\n    mov eax, 0x90\n    mov cr4, eax\n'])
      expect(verdict(remote(move, flush + read, { tables: global, start: on('dir', PGE) }))).toBe('holds/complete')
  })
  it('stay global in the TLB when the tables say otherwise', () => {
    const source = (flush: string) => `.vcpu only
only:
${on('dir', PGE)}    lock and dword [table], 0xfffffeff
${flush}${reload}    mov dword [table], pageB + 0x67
    mfence
${reload}${read}    ret
${global}`
    expect(verdict(source(''))).toBe('assertion')
    expect(verdict(source('    invlpg [0x400000]\n'))).toBe('holds/complete')
  })
  it('of one address space are seen in the next', () => {
    const source = (flags: string) => `.vcpu only
only:
${on('dir', PGE)}    mov eax, [0x400000]
    mov eax, other
    mov cr3, eax
    mov eax, [0x400000]
${expectEax(2, "the next one's own page")}    ret
${TABLES.replace('pageA + 0x67', `pageA + ${flags}`)}
other: dd 0xe3, table2 + 0x67
times 1022 dd 0
table2: dd pageB + 0x67
times 1023 dd 0
`
    expect(verdict(source('0x167'))).toBe('assertion')
    expect(verdict(source('0x067'))).toBe('holds/complete')
    expect(verdict(source('0x167'), { tlb: 'none' })).toBe('holds/complete')
  })
})

describe('a task switch', () => {
  // To a task that goes on with the stack of this one. The base of a TSS stands in three pieces of its descriptor.
  const base = (tss: string, at: number) => `    mov eax, ${tss}
    mov [gdt + ${at + 2}], ax
    shr eax, 16
    mov [gdt + ${at + 4}], al
    mov [gdt + ${at + 7}], ah
`
  const source = (cr3: string, flags = '0x67') => `.vcpu only
only:
${base('first', 0x18)}${base('second', 0x20)}    mov word [pointer], 0x27
    mov dword [pointer + 2], gdt
    lgdt [pointer]
    mov eax, 0x18
    ltr ax
${on('dir', PGE)}    mov dword [second + 0x1c], ${cr3}
    mov dword [second + 0x20], task
    mov dword [second + 0x38], esp
    mov eax, [0x400000]
    mov dword [table], pageB + ${flags}
    jmp 0x20:0
task:
    mov eax, [0x400000]
${expectEax(2, 'the new page')}    ret
${TABLES.replace('pageA + 0x67', `pageA + ${flags}`)}
other: dd 0xe3, table + 0x67
times 1022 dd 0
gdt: dd 0, 0, 0xffff, 0xcf9a00, 0xffff, 0xcf9200, 0x67, 0x8900, 0x67, 0x8900
pointer: dd 0, 0
align 128
first: times 32 dd 0
second: times 9 dd 0
dd 2
times 8 dd 0
dd 0x10, 8, 0x10, 0x10, 0x10, 0x10, 0, 0x670000
`
  it('drops what is not global where it changes CR3, and stores to tables are in memory by then', () => {
    expect(verdict(source('other'))).toBe('holds/complete')
    expect(verdict(source('other', '0x167'))).toBe('assertion')
  })
  it('drops nothing where CR3 stays as it is', () => {
    expect(verdict(source('dir'))).toBe('assertion')
    expect(verdict(source('dir').replace('    mov eax, [0x400000]\n    mov dword', '    mov dword'), { tlbSpeculative: 'no' })).toBe('holds/complete')
    const checked = checkImage(image(source('dir')), makeModel({}), { engine: 'dpor' })
    expect([checked.verdict, replayTrace(recordTrace(image(source('dir')), makeModel({}), checked.sharing, checked.schedule!)).violation?.kind]).toEqual(['violated', 'assertion'])
  })
})

describe('cached directory entries', () => {
  const TWO = `${TABLES}table2: dd pageB + 0x67
times 1023 dd 0
`
  // The old table has nothing in it while its directory entry is replaced; then it is used for something else.
  const tables = TWO.replace('table: dd pageA + 0x67', 'table: dd 0')
  const retire = '    mov dword [dir + 4], table2 + 0x67\n    mov dword [table], pageA + 0x67'
  const read = `    mov eax, [0x400000]\n${expectEax(2, 'by the new table')}`
  it('lead into a table that is in use for something else', () => {
    expect(verdict(remote(retire, read, { tables }))).toBe('assertion')
    expect(verdict(remote(retire, read, { tables }), { tlb: 'leaf' })).toBe('holds/complete')
  })
  it('end with INVLPG of any page, and with MOV CR3 although the page is global', () => {
    expect(verdict(remote(retire, `    invlpg [0x123000]\n${read}`, { tables }))).toBe('assertion')
    // The translation that came of it may be cached by then, but not where the table is reused only afterwards.
    const inTime = `.vcpu only
only:
${on()}    mov dword [dir + 4], table2 + 0x67
    invlpg [0x123000]
    mov dword [table], pageA + 0x67
${read}    ret
${tables}`
    expect(verdict(inTime)).toBe('holds/complete')
    expect(verdict(inTime.replace('invlpg [0x123000]', 'nop'))).toBe('assertion')
    expect(verdict(inTime.replace('invlpg [0x123000]', 'mov eax, cr3\n    mov cr3, eax'))).toBe('holds/complete')
  })
  it('of a freed table are caught, though nobody accesses a page there: walks may be made ahead', () => {
    const freed = (flush = '', clear = '[dir + 4], table2 + 0x67') => `    mov dword ${clear}\n    mfence\n${flush}    free table, 4096`
    const told = 'lock inc dword [gone]\nstay: cmp dword [done], 1\n    jne stay\n'
    const wait = `    mov dword [asked], 1\nwait: cmp dword [gone], 1\n    jne wait\n`
    const answer = (flush: string) => `ask: cmp dword [asked], 1\n    jne ask\n    ${flush}\n    ${told}`
    const program = (change: string, use: string) => remote(change, use, { tables }).replace('done: dd 0', 'done: dd 0\nasked: dd 0\ngone: dd 0').replace(/    cmp dword \[done\], 1\n    jne .out\n/, '')
    for (const [flush, result] of [['nop', 'use-after-free'], ['invlpg [0]', 'holds/complete'], ['mov eax, cr3\n    mov cr3, eax', 'holds/complete'], ['mov eax, 0\n    cpuid', 'use-after-free']] as const)
      expect([flush, verdict(program(freed(wait + '    invlpg [0]\n'), answer(flush)))]).toEqual([flush, result])
    // Only entries that are present lead there without a cache of directory entries; there is nobody to walk ahead where nothing is fetched ahead.
    expect(verdict(program(freed(), told), { tlb: 'leaf' })).toBe('holds/complete')
    expect(verdict(program(freed('', '[gone], 0'), told), { tlb: 'leaf' })).toBe('use-after-free')
    expect(verdict(program(freed('', '[gone], 0'), told), { tlb: 'leaf', tlbSpeculative: 'no' })).toBe('holds/complete')
    // Be paging on for a moment only, in which nothing else happens.
    const brief = `.vcpu changer\n.vcpu user\nchanger:\n    mov dword [dir + 4], 0\n    mfence\n    free table, 4096\n    ret\nuser:\n${on()}    mov eax, cr0\n    and eax, 0x7fffffff\n    mov cr0, eax\n    ret\n${tables}`
    expect(verdict(brief)).toBe('use-after-free')
    // Who loads them afterwards is no better.
    const later = `    mov eax, dir2\n    mov cr3, eax\n    ret\n`
    const own = (loads: string) => `.vcpu only\nonly:\n${on()}    free table, 4096\n${loads}${tables.replace('times 1022 dd 0', 'times 1022 dd 0\ndir2: dd 0xe3, table + 0x67\ntimes 1022 dd 0').replace('dir: dd 0xe3, table + 0x67', 'dir: dd 0xe3, table2 + 0x67')}`
    expect(verdict(own(later))).toBe('use-after-free')
    expect(verdict(own('    ret\n'))).toBe('holds/complete')
  })
  it('of a freed table are caught up to the end of a vCPU, long after what it did last', () => {
    const leaves = '    mov eax, cr0\n    and eax, 0x7fffffff\n    mov cr0, eax\n'
    const source = (leave: string) => `.vcpu freer\n.vcpu walker\nfreer:\n    cmp dword [done], 1\n    jne .out\n    free table, 4096\n.out: ret\nwalker:\n${on()}${leave}    mov eax, 1\n    xchg [done], eax\n    ret\n${TABLES}`
    for (const tlbSpeculative of ['any', 'accessed', 'no']) {
      expect(verdict(source(''), { tlbSpeculative })).toBe(tlbSpeculative === 'no' ? 'holds/complete' : 'use-after-free')
      expect(verdict(source(leaves), { tlbSpeculative })).toBe('holds/complete')
    }
  })
  it('of a freed table are no matter in an NMI handler, if they are gone when it returns', () => {
    const source = (flush: string) => `.vcpu walker\n.nmi 0, handler, 1\nwalker:\n${on()}    mov dword [done], 1\n    mfence\n    ret\nhandler:\n    cmp dword [done], 1\n    jne .out\n    mov dword [dir + 4], 0
    free table, 4096\n${flush}.out: iret\n${TABLES}`
    expect(verdict(source(''))).toBe('use-after-free')
    for (const flush of ['invlpg [0]', 'mfence\n    invlpg [0]']) expect([flush, verdict(source(`    ${flush}\n`))]).toEqual([flush, 'holds/complete'])
  })
  it('of a freed table are no matter to who has no pCPU, if they are gone when it gets one', () => {
    const source = (ask: string) => `.vcpu freer\n.vcpu walker\n.steal flags, 1\nfreer:\n    cmp dword [done], 1\n    jne .out\n    mov dword [dir + 4], 0\n    mfence\n${ask}    free table, 4096
.out: ret\nwalker:\n${on()}    mov eax, 1\n    xchg [done], eax\n    xchg [done], eax\n    ret\n${TABLES.replace('done: dd 0', 'done: dd 0\nflags: db 0, 0')}`
    const asks = '    lock or byte [flags + 1], 2\n'
    expect(verdict(source(asks), { pcpus: 1 })).toBe('holds/complete')
    expect(verdict(source(''), { pcpus: 1 })).toBe('use-after-free')
    expect(verdict(source(asks), { pcpus: 2 })).toBe('use-after-free')
    expect(verdict(source(''), { pcpus: 1, tlb: 'leaf' })).toBe('holds/complete')
  })
})

describe('page sizes and PAE', () => {
  it('a large page that was split is still used whole, and INVLPG anywhere in it drops all of it', () => {
    const tables = `
section .data
align 4
done: dd 0
section .tables
align 4096
dir: dd 0xe3, 0xe7
times 1022 dd 0
table: dd pageB + 0x67
times 1023 dd 0
pageB: dd 2
times 1023 dd 0
`
    // 4 MB onwards are 0 onwards; the guest looks at page 0x11 of it, the stubs.
    const split = '    mov dword [table + 0x44], pageB + 0x67\n    mov dword [dir + 4], table + 0x67'
    const read = `    mov eax, [0x411000]\n${expectEax(2, 'the small page')}`
    expect(verdict(remote(split, read, { tables }))).toBe('assertion')
    expect(verdict(remote(split, `    invlpg [0x5ff000]\n${read}`, { tables }))).toBe('holds/complete')
    expect(verdict(remote(split, `    invlpg [0x811000]\n${read}`, { tables }))).toBe('assertion')
    // A small translation that leads to the same place outlives what drops the large one.
    const joined = tables.replace('dir: dd 0xe3, 0xe7', 'dir: dd 0xe3, table + 0x67').replace('table: dd pageB + 0x67\ntimes 1023 dd 0', 'table: times 17 dd 0\ndd 0x11067\ntimes 1006 dd 0')
    const grow = '    mov dword [dir + 4], 0xe7\n    mfence\n    mov dword [dir + 4], table + 0x67\n    mov dword [table + 0x44], pageB + 0x67'
    expect(verdict(remote(grow, `    invlpg [0x5ff000]\n${read}`, { tables: joined }))).toBe('assertion')
  })

  it('pages of two sizes stand beside each other in the TLB: each access may find either', () => {
    const tables = `
section .data
align 4
done: dd 0
section .tables
align 4096
dir: dd 0xe3, FIRST
times 1022 dd 0
table: times 17 dd 0
dd pageB + 0x67
times 1006 dd 0
pageB: dd 2
times 1023 dd 0
`
    // Page 0x11 of the large one holds something other than 2; seen is whether each of two reads gave 2.
    const twice = (first: number, second: number) => `    cmp dword [0x411000], 2\n    sete cl\n    cmp dword [0x411000], 2\n    sete ch\n    cmp cx, ${first + 256 * second}\n    setne al\n    movzx eax, al\n    assert "not these"\n`
    const sizes = (from: string, to: string, first: number, second: number, knobs = {}) => {
      const source = remote(`    mov dword [dir + 4], ${to}`, twice(first, second), { tables: tables.replace('FIRST', from) })
      return verdict(source.replace(/    cmp dword \[done\], 1\n    jne .out\n/, ''), knobs)
    }
    for (const [first, second] of [[0, 1], [1, 0]]) {
      expect(sizes('0xe7', 'table + 0x67', first, second)).toBe('assertion')
      expect(sizes('table + 0x67', '0xe7', first, second)).toBe('assertion')
      expect(sizes('0xe7', 'table + 0x67', first, second, { tlb: 'none' })).toBe(first === 0 ? 'assertion' : 'holds/complete')
    }
    // Two that lead to the same place are two, or the small one's end would be that of both.
    const split = `    mov dword [table + 0x44], 0x11067\n    mfence\n    mov dword [dir + 4], table + 0x67\n    mfence\n    mov dword [table + 0x44], pageB + 0x67`
    const again = remote(split, twice(1, 0), { tables: tables.replace('FIRST', '0xe7') }).replace(/    cmp dword \[done\], 1\n    jne .out\n/, '')
    expect(verdict(again)).toBe('assertion')
  })

  const pae = `
section .data
align 4
done: dd 0
section .tables
align 4096
pdpt: dd directory + 1, 0, 0, 0, 0, 0, 0, 0
times 1016 dd 0
directory: dd 0xe3, 0, table + 0x67, 0
times 1020 dd 0
table: dd pageA + 0x67, 0
times 1022 dd 0
pageA: dd 1
times 1023 dd 0
pageB: dd 2
times 1023 dd 0
directory2: dd 0xe3, 0, table2 + 0x67, 0
times 1020 dd 0
table2: dd pageB + 0x67, 0
times 1022 dd 0
`
  const start = on('pdpt', PAE)
  const read = `    mov eax, [0x200000]\n${expectEax(2, 'the new page')}`
  it('PAE entries are cached like the others', () => {
    const move = '    mov dword [table], pageB + 0x67'
    expect(verdict(remote(move, read, { tables: pae, start }))).toBe('assertion')
    expect(verdict(remote(move, `    invlpg [0x200000]\n${read}`, { tables: pae, start }))).toBe('holds/complete')
  })
  it('PDPTEs are registers: a change is not seen before MOV CR3', () => {
    const move = '    mov dword [pdpt], directory2 + 1'
    for (const tlb of ['none', 'pde']) {
      expect(verdict(remote(move, `    invlpg [0x200000]\n${read}`, { tables: pae, start }), { tlb })).toBe('assertion')
      expect(verdict(remote(move, `    mov eax, cr3\n    mov cr3, eax\n${read}`, { tables: pae, start }), { tlb })).toBe('holds/complete')
    }
  })
  it('the halves of an entry that is written low first make an entry that nobody wrote', () => {
    // The high half has a reserved bit: a walk between the stores faults.
    const tables = pae.replace('table: dd pageA + 0x67, 0', 'table: dd 0, 1')
    const change = (first: string, second: string) => remote(`    ${first}\n    ${second}`, `    mov eax, [0x200000]\n${expectEax(1, 'the page')}`, { tables, start }).replace('    mov dword [done], 1\n', '').replace('    cmp dword [done], 1\n', '    cmp dword [table], 0\n').replace('jne .out', 'je .out')
    const low = 'mov dword [table], pageA + 0x67'
    const high = 'mov dword [table + 4], 0'
    expect(verdict(change(low, high))).toBe('unhandled-exception')
    expect(verdict(change(high, low))).toBe('holds/complete')
  })
})

describe('the order of things', () => {
  it('invalidating before the entry is changed is in vain: speculation fetches it again', () => {
    const source = (order: string) => `.vcpu only
only:
${on()}${order}    mov eax, [0x400000]
${expectEax(2, 'the new page')}    ret
${TABLES}`
    const change = '    mov dword [table], pageB + 0x67\n    mfence\n'
    const flush = '    invlpg [0x400000]\n'
    expect(verdict(source(flush + change))).toBe('assertion')
    expect(verdict(source(change + flush))).toBe('holds/complete')
    expect(verdict(source(flush + change), { tlbSpeculative: 'no' })).toBe('holds/complete')
  })
  it('walks do not see the own store buffer, which is drained by INVLPG', () => {
    const source = `.vcpu only
only:
${on()}    mov dword [table], pageB + 0x67
FLUSH    mov eax, [0x400000]
${expectEax(2, 'the new page')}    ret
${TABLES}`
    expect(verdict(source.replace('FLUSH', ''), { tlb: 'none' })).toBe('assertion')
    expect(verdict(source.replace('FLUSH', ''), { tlb: 'none', memory: 'sc' })).toBe('holds/complete')
    expect(verdict(source.replace('FLUSH', '    invlpg [0x400000]\n'))).toBe('holds/complete')
  })
  it('store buffering with a page walk for a load (CVE-2016-2069)', () => {
    const source = (fence: string) => `.vcpu shooter
.vcpu switcher
shooter:
    mov dword [table], 0
${fence}    mov eax, [mask]
    mov [told], eax
    ret
switcher:
    mov eax, 1
    xchg [mask], eax
${on()}    mov eax, [0x400000]
    mov [read], eax
    mov dword [used], 1
.out: ret
.handler 14, fault
fault: add esp, 16
    ret
.final check
check: mov eax, [used]
    xor eax, 1
    or eax, [told]
    assert "who uses the page was told"
    ret
${TABLES}
section .data
align 4
mask: dd 0
told: dd 0
used: dd 0
read: dd 0
`
    expect(verdict(source(''))).toBe('assertion')
    expect(verdict(source('    mfence\n'))).toBe('holds/complete')
    expect(verdict(source(''), { memory: 'sc' })).toBe('holds/complete')
    expect(verdict(source('').replace('mov dword [table], 0', 'xor eax, eax\n    xchg [table], eax'))).toBe('holds/complete')
  })
})

describe('fetches', () => {
  // Two copies of a function in two pages, at the same place; COW gives the second to whoever writes.
  const source = (before: string) => `.vcpu changer
.vcpu user
changer:
${on()}    mov dword [table], codeB + 0x67
    mov dword [done], 1
    ret
user:
${on()}    cmp dword [done], 1
    jne .out
${before}    mov eax, 0x400000
    call eax
${expectEax(2, 'the new code')}.out: ret
section .code rwx
align 4096
codeA: mov eax, 1
    ret
align 4096
codeB: mov eax, 2
    ret
align 4096
${TABLES.replace('pageA + 0x67', 'codeA + 0x67')}`
  it('use translations of their own', () => {
    expect(verdict(source(''))).toBe('assertion')
    expect(verdict(source('    invlpg [0x400000]\n'))).toBe('holds/complete')
    expect(verdict(source(''), { tlb: 'none' })).toBe('holds/complete')
  })
  it('do not follow what data accesses saw, where the TLBs are two', () => {
    const seen = '    cmp byte [0x400001], 2\n    jne .out\n'
    expect(verdict(source(seen))).toBe('assertion')
    expect(verdict(source(seen), { tlbSplit: 'unified' })).toBe('holds/complete')
  })
})

describe('the machinery', () => {
  const source = remote('    mov dword [table], pageB + 0x67', `    mov eax, [0x400000]\n${expectEax(2, 'the new page')}`)
  it('counts as brute force does', () => {
    for (const change of ['    mov dword [table], pageB + 0x67', '    mov dword [table], 0', '    mov dword [dir + 4], 0'])
      for (const knobs of [{}, { tlbSplit: 'each' }, { tlbSpeculative: 'no' }, { tlb: 'leaf' }] as Record<string, KnobValue>[]) {
        const built = image(`.handler 14, fault\nfault: add esp, 16\n    ret\n${remote(change, '    mov eax, [0x400000]\n    invlpg [0x400000]\n    mov eax, [0x400000]\n')}`)
        const model = makeModel({ memory: 'sc', ...knobs })
        const pages = new PageMap(built.regions)
        const sharing = new Sharing(pages.sizeBytes / 4, built.vcpus.length)
        const brute = enumerate(() => new Machine(built, model, { monitors: monitorsFor(built), sharing, pages }), { depthMax: 200, executionsMax: 60_000 })
        expect(brute.exhausted).toBe(true)
        const graph = checkImage(built, model)
        expect([graph.verdict, graph.states, graph.reasons]).toEqual(['holds', brute.states.size, []])
        expect(brute.counts.violated).toBe(0)
      }
  })
  it('costs an environment choice, and no preemption', () => {
    expect(checkImage(image(source), makeModel()).cost).toMatchObject({ preemptions: 0, environment: 1 })
  })
  it('is recorded, replayed, shown and minimised', () => {
    const built = image(source)
    const model = makeModel()
    const found = checkImage(built, model)
    const trace = decodeTrace(encodeTrace(recordTrace(built, model, found.sharing, found.schedule!)))
    expect(replayTrace(trace).divergence).toBeNull()
    expect(timelineOf(trace).lines.map((line) => line.text).join('\n')).toMatch(/STALE translation of 0x400000 to frame 0x/)
    expect(minimizeTrace(trace).trace.violation?.kind).toBe('assertion')
  })
  it('is explored by dpor, too', () => {
    const byGraph = checkImage(image(source), makeModel(), { engine: 'graph' })
    const result = checkImage(image(source), makeModel(), { engine: 'dpor' })
    expect([result.verdict, result.violation?.kind]).toEqual(['violated', byGraph.violation?.kind])
    expect(checkImage(image(source), makeModel({ tlb: 'none' }), { engine: 'dpor' }).verdict).toBe(checkImage(image(source), makeModel({ tlb: 'none' }), { engine: 'graph' }).verdict)
  })
})
