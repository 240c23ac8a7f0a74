// Accessed bits that walks set ahead of accesses (SDM vol. 3A 5.8, 5.10.2.3): a program that relies on A staying clear where walks may come is
// violated; it holds where none may, and where the knob says that nothing is walked ahead.
import { describe, expect, it } from 'vitest'
import { checkImage, type CheckOptions } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { explain, formatExplanation } from '../../src/replay/explain.ts'
import { minimizeTrace } from '../../src/replay/minimize.ts'
import { recordTrace, replayTrace } from '../../src/replay/record.ts'
import { timelineOf } from '../../src/replay/timeline.ts'
import { decodeTrace, encodeTrace } from '../../src/replay/trace.ts'
import { makeModel, type KnobValue } from '../../src/smp/model.ts'
import { pagingOn as on } from '../paging.ts'

const reload = '    mov eax, cr3\n    mov cr3, eax\n'
/** A is clear in the entry of the page at 4 MB, and in the directory entry that leads there as `leads` says. */
const tables = (leads = 'table + 0x67') => `section .data
align 4
done: dd 0
seen: dd 0
section .tables
align 4096
dir: dd 0xe3, ${leads}
times 1022 dd 0
other: dd 0xe3
times 1023 dd 0
table: dd pageA + 0x47
times 1023 dd 0
pageA: dd 1
times 1023 dd 0
`
const isClear = (entry = 'table') => `    mov eax, [${entry}]\n    shr eax, 5\n    and eax, 1\n    xor eax, 1\n    assert "A is clear"\n`

function run(source: string, knobs: Record<string, KnobValue> = {}, options: Partial<CheckOptions> = {}) {
  const built = assembleImage(source, { title: 'walks' })
  return { built, result: checkImage(built, makeModel(knobs), options) }
}
function verdict(source: string, knobs: Record<string, KnobValue> = {}, options: Partial<CheckOptions> = {}) {
  const { result } = run(source, knobs, options)
  return result.verdict === 'violated' ? result.violation!.kind : `${result.verdict}/${result.strength}`
}
/** Which vCPUs have paging on: `looker` looks at the tables as physical memory. */
const two = (looker: string, mate: string, data = tables()) => `.vcpu looker\n.vcpu mate\nlooker:\n${looker}    ret\nmate:\n${mate}    ret\n${data}`
const one = (body: string, data = tables()) => `.vcpu only\nonly:\n${body}    ret\n${data}`

describe('A that is read clear', () => {
  it('may have been set by a walk that nobody needed, of the vCPU itself or of another', () => {
    for (const engine of ['graph', 'dpor'] as const) {
      expect(verdict(one(on() + isClear()), {}, { engine }), engine).toBe('assertion')
      expect(verdict(two(isClear(), on() + '    mov dword [done], 1\n'), {}, { engine }), engine).toBe('assertion')
    }
  })
  it('stays clear where only what has A set is walked ahead, or nothing, and where no translation is cached', () => {
    for (const [knob, value] of [['tlbSpeculative', 'accessed'], ['tlbSpeculative', 'no'], ['tlb', 'none']]) expect(verdict(one(on() + isClear()), { [knob]: value })).toBe('holds/complete')
  })
  it('stays clear where no directory entry leads, and before paging is on', () => {
    expect(verdict(one(on() + isClear(), tables('0')))).toBe('holds/complete')
    expect(verdict(one(on('other') + isClear()))).toBe('holds/complete')
    expect(verdict(one(isClear() + on()))).toBe('holds/complete')
    for (const engine of ['graph', 'dpor'] as const) {
      expect(verdict(two(isClear(), on('other')), {}, { engine })).toBe('holds/complete')
      expect(verdict(two(on('other') + isClear(), '    mov dword [other + 4], table + 0x67\n'), {}, { engine })).toBe('assertion')
      expect(verdict(two(on('other') + isClear(), '    mov dword [other + 8], pageA + 0x67\n'), {}, { engine })).toBe('holds/complete')
    }
  })
  it('of a directory entry may have been set, too, and is where an entry of its table has been', () => {
    const data = tables('table + 0x47')
    expect(verdict(one(on() + isClear('dir + 4'), data))).toBe('assertion')
    const both = `    mov ecx, [table]\n    mov eax, [dir + 4]\n    shr ecx, 5\n    shr eax, 5\n    not ecx\n    or eax, ecx\n    and eax, 1\n    assert "whoever came through the table came through the directory"\n`
    expect(verdict(one(on() + both, data))).toBe('holds/complete')
    expect(verdict(one(on() + both.replace('mov ecx, [table]', 'mov ecx, [dir + 4]').replace('mov eax, [dir + 4]', 'mov eax, [table]'), data))).toBe('assertion')
  })
  it('is decided anew after it was seen clear', () => {
    expect(verdict(one(`${on()}    mov ecx, [table]\n    mov eax, [table]\n    cmp eax, ecx\n    sete al\n    movzx eax, al\n    assert "the same twice"\n`))).toBe('assertion')
    // Once it is set, it stays so.
    expect(verdict(one(`${on()}    mov ecx, [table]\n    mov eax, [table]\n    xor eax, ecx\n    and eax, ecx\n    shr eax, 5\n    and eax, 1\n    xor eax, 1\n    assert "no way back"\n`))).toBe('holds/complete')
  })
  it('is that of memory, not of the store that is on its way there', () => {
    expect(verdict(one(`${on()}    mov dword [table], pageA + 0x47\n${isClear()}`))).toBe('assertion')
    expect(verdict(one(`${on()}    mov byte [table + 1], 0\n    movzx eax, byte [table + 1]\n    test eax, eax\n    sete al\n    movzx eax, al\n    assert "no A there"\n`))).toBe('holds/complete')
    expect(verdict(one(`${on()}    movzx eax, byte [table]\n    shr eax, 5\n    xor eax, 1\n    and eax, 1\n    assert "A is in the low byte"\n`))).toBe('assertion')
  })
})

describe('a table out of reach', () => {
  const unlink = '    mov dword [dir + 4], 0\n'
  it('may have been walked before, until its entry is written again', () => {
    expect(verdict(one(on() + unlink + reload + isClear()))).toBe('assertion')
    expect(verdict(one(`${on()}${unlink}${reload}    mov dword [table], pageA + 0x47\n    mfence\n${isClear()}`))).toBe('holds/complete')
    // Cached directory entries lead there still.
    expect(verdict(one(`${on()}${unlink}    mov dword [table], pageA + 0x47\n    mfence\n${isClear()}`))).toBe('assertion')
    expect(verdict(one(`${on()}    mov eax, other\n    mov cr3, eax\n${isClear()}`))).toBe('assertion')
  })
  it('may have been walked by a vCPU that has left the tables, until its entry is written again', () => {
    const left = `${on()}    mov eax, cr0\n    and eax, 0x7fffffff\n    mov cr0, eax\n    mov eax, 1\n    xchg [done], eax\n`
    const looker = (before: string) => `    cmp dword [done], 1\n    jne .out\n${before}${isClear()}.out:\n`
    const rewritten = '    mov dword [table], pageA + 0x47\n    mfence\n'
    for (const engine of ['graph', 'dpor'] as const) {
      expect(verdict(two(looker(''), left), {}, { engine })).toBe('assertion')
      expect(verdict(two(looker(rewritten), left), {}, { engine })).toBe('holds/complete')
    }
  })
  it('may be walked by a vCPU up to its end, long after what it did last', () => {
    const mate = `${on()}    mov eax, 1\n    xchg [done], eax\n`
    const looker = `    cmp dword [done], 1\n    jne .out\n    mov dword [table], pageA + 0x47\n    mfence\n${isClear()}.out:\n`
    for (const engine of ['graph', 'dpor'] as const) expect(verdict(two(looker, mate), {}, { engine })).toBe('assertion')
  })
  it('may have been walked by a vCPU that has no pCPU now, or is in an NMI handler', () => {
    const mate = `${on()}    mov eax, 1\n    xchg [done], eax\n    xchg [seen], eax\n`
    const looker = (before: string) => `    cmp dword [done], 1\n    jne .out\n${before}${isClear()}.out:\n`
    const rewritten = '    mov dword [table], pageA + 0x47\n    mfence\n'
    expect(verdict(two(looker(''), mate), { pcpus: 1 })).toBe('assertion')
    // It gets one again before it ends.
    expect(verdict(two(looker(rewritten), mate), { pcpus: 1 })).toBe('assertion')
    const exit = (before: string) => `.nmi 0, exit, 1\nexit:\n    cmp dword [done], 1\n    jne .out\n${before}${isClear()}.out:\n    iret\n` + one(`${on()}    mov dword [done], 1\n    mfence\n`)
    for (const engine of ['graph', 'dpor'] as const) {
      expect(verdict(exit(''), {}, { engine })).toBe('assertion')
      expect(verdict(exit(rewritten), {}, { engine })).toBe('holds/complete')
    }
  })
  it('weakens the verdict where it is looked at in the end', () => {
    const final = (data: string) => `.vcpu only\nonly:\n${on()}    ret\n.final check\ncheck:\n${isClear()}    ret\n${data}`
    expect(verdict(final(tables()))).toBe('holds/bounded')
    expect(verdict(final(tables('0')))).toBe('holds/complete')
  })
})

describe('an entry that is taken out with A clear', () => {
  // As Linux does (pte_needs_flush): no translation is cached of an entry that never had A set.
  const zap = (take: string) => `${on()}    xor eax, eax\n${take}    and eax, 0x20\n    jnz .out\n    mov dword [seen], 1\n.out:\n`
  const user = `${on()}    mov ebp, esp\n    mov ebx, 1\n    cmp dword [seen], 1\n    jne check\n    mov eax, [0x400000]\n    mov ebx, 0\ncheck:\n    mov eax, ebx\n    assert "gone"\n`
  const fault = '.handler 14, fault\nfault: mov esp, ebp\n    jmp check\n'
  const source = (take: string, data = tables()) => fault + two(zap(take), user, data)
  it('needs no flush, where it is read and taken out at once', () => {
    for (const engine of ['graph', 'dpor'] as const) {
      expect(verdict(source('    xchg [table], eax\n'), {}, { engine }), engine).toBe('holds/complete')
      expect(verdict(source('    mov eax, [table]\n    mov dword [table], 0\n    mfence\n'), {}, { engine }), engine).toBe('assertion')
    }
  })
  it('needs one, where A was cleared without', () => {
    expect(verdict(source('    lock and dword [table], 0xffffffdf\n    xchg [table], eax\n'))).toBe('assertion')
    expect(verdict(source('    lock and dword [table], 0xffffffdf\n    xchg [table], eax\n', tables().replace('pageA + 0x47', 'pageA + 0x67')))).toBe('assertion')
  })
})

describe('an entry that is written again with A clear', () => {
  const again = '    mov dword [table], pageA + 0x47\n    mfence\n'
  it('may be cached, with A set, and nothing shows it', () => {
    const fault = '.handler 14, fault\nfault: mov esp, ebp\n    jmp check\n'
    const gone = (rewrite: string) => `${fault}${one(`${on()}    mov ebp, esp\n    mov ebx, 1\n${rewrite}    xor eax, eax\n    xchg [table], eax\n    and eax, 0x20\n    jnz check\n    mov eax, [0x400000]\n    mov ebx, 0\ncheck:\n    mov eax, ebx\n    assert "gone"\n`)}`
    expect(verdict(gone(''))).toBe('holds/complete')
    expect(verdict(gone(again))).toBe('assertion')
    expect(verdict(gone(`${again}    invlpg [0x400000]\n`))).toBe('holds/complete')
  })
  it('is not marked again where the directory entry alone had A clear', () => {
    const data = tables('table + 0x47').replace('pageA + 0x47', 'pageA + 0x67')
    const age = '    lock and dword [table], 0xffffffdf\n'
    const touched = (flush: string) => one(`${on()}${age}${flush}    mov eax, [0x400000]\n    mov eax, [table]\n    shr eax, 5\n    and eax, 1\n    assert "accessed"\n`, data)
    expect(verdict(touched(''))).toBe('assertion')
    expect(verdict(touched('    invlpg [0x400000]\n'))).toBe('holds/complete')
    expect(verdict(touched(''), { tlbSpeculative: 'accessed' })).toBe('holds/complete')
  })
  it('is not marked again by accesses through what is cached', () => {
    const touched = (rewrite: string) => one(`${on()}${rewrite}    mov eax, [0x400000]\n    mov eax, [table]\n    shr eax, 5\n    and eax, 1\n    assert "accessed"\n`)
    expect(verdict(touched(''))).toBe('holds/complete')
    expect(verdict(touched(again))).toBe('assertion')
    expect(verdict(touched(again), { tlbSpeculative: 'accessed' })).toBe('holds/complete')
    const directory = (rewrite: string, knobs = {}) => verdict(one(`${on()}${rewrite}    mov eax, [0x400000]\n    mov eax, [dir + 4]\n    shr eax, 5\n    and eax, 1\n    assert "accessed"\n`, tables('table + 0x67')), knobs)
    for (const tlbSpeculative of ['any', 'accessed']) {
      expect(directory('', { tlbSpeculative })).toBe('holds/complete')
      expect(directory('    lock and dword [dir + 4], 0xffffffdf\n', { tlbSpeculative })).toBe('assertion')
      expect(directory('    lock and dword [dir + 4], 0xffffffdf\n    invlpg [0x400000]\n', { tlbSpeculative })).toBe('holds/complete')
      // What was cached of the page, by a walk ahead through an entry that had A clear, needs no directory.
      expect(directory('    lock and dword [dir + 4], 0xffffffdf\n', { tlbSpeculative, tlb: 'leaf' })).toBe(tlbSpeculative === 'any' ? 'assertion' : 'holds/complete')
    }
  })
})

describe('the schedule', () => {
  it('is recorded, replayed, shown and minimised', () => {
    const { result, built } = run(one(`${on()}    mov ecx, [table]\n${isClear()}`))
    const trace = decodeTrace(encodeTrace(recordTrace(built, makeModel(), result.sharing, result.schedule!)))
    expect(replayTrace(trace).divergence).toBeNull()
    expect(replayTrace(minimizeTrace(trace).trace).violation?.kind).toBe('assertion')
    expect(timelineOf(trace).lines.some(({ text }) => /walk ahead of accesses, by vCPU 0, sets A of table/.test(text))).toBe(true)
    expect(formatExplanation(explain(trace), 500)).toMatch(/A vCPU may walk page tables for an access that it never makes.*\n[^]*before vCPU 0 loads the entry, a `page walk ahead/)
  })
})
