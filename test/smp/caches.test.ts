// Memory types and caches (SDM vol. 3A 13.12): what is accessed uncached may be in no cache, be it that a vCPU only could have fetched it.
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { recordTrace, replayTrace, runSchedule } from '../../src/replay/record.ts'
import { formatSharing, parseSharing } from '../../src/replay/sharingText.ts'
import { timelineOf } from '../../src/replay/timeline.ts'
import { decodeTrace, encodeTrace } from '../../src/replay/trace.ts'
import { makeModel, type KnobValue } from '../../src/smp/model.ts'
import { pagingOn } from '../paging.ts'

const PWT = 0x08
const PCD = 0x10
const PAT = 0x80
/** The low 4 MB stand for themselves in pages of 4 KB, but for `page`, which is at 4 MB alone, with the type bits of `start`. */
const tables = (start: number) => `
section .tables
align 4096
dir: dd low + 0x63, table + 0x63
times 1022 dd 0
low:
${Array.from({ length: 1024 }, (_, k) => `dd ${k * 4096 + 0x63}`).join('\n')}
table: dd page + ${0x63 | start}
times 1023 dd 0
page: dd 1
times 1023 dd 0
`
const INIT = `.init setup
setup: mov eax, page
    shr eax, 12
    mov dword [low + eax * 4], 0
    ret
`
const ON = pagingOn()
/** Sets PAT entry 1 (PWT), or 5 (PAT and PWT), to memory type `type`. */
const pat = (entry: 1 | 5, type: number) => {
  const half = 0x00070006 | (type << 8)
  return `    mov ecx, 0x277\n    mov eax, ${entry === 1 ? half : 0x00070406}\n    mov edx, ${entry === 5 ? half : 0x00070406}\n    wrmsr\n`
}
/** One vCPU: `body` with paging on; the page begins as `start`. */
const alone = (start: number, body: string) => `${INIT}.vcpu go\ngo:\n${ON}${body}    ret\n${tables(start)}`
const TOUCH = '    mov dword [0x400000], 2\n'
const become = (bits: number) => `    mov dword [table], page + ${0x63 | bits}\n`
const INVLPG = '    invlpg [0x400000]\n'

function check(source: string, knobs: Record<string, KnobValue> = {}, engine: 'graph' | 'dpor' = 'graph') {
  return checkImage(assembleImage(source, { title: 'caches' }), makeModel(knobs), { engine })
}
function verdict(source: string, knobs: Record<string, KnobValue> = {}, engine: 'graph' | 'dpor' = 'graph'): string {
  const result = check(source, knobs, engine)
  return result.verdict === 'violated' ? result.violation!.kind : `${result.verdict}/${result.strength}`
}

describe('a page that is uncached from the start', () => {
  it.each([[PCD], [PCD | PWT]])('is in no cache, type bits %i', (bits) => {
    expect(verdict(alone(bits, TOUCH))).toBe('holds/complete')
  })
  it('may be where another translation is cacheable, though nobody uses it', () => {
    const aliased = (entry: string) => alone(PCD, `    mov dword [table + 28], ${entry}\n${TOUCH}`)
    expect(verdict(aliased('page + 0x63'))).toBe('cache-alias')
    expect(verdict(aliased(`page + ${0x63 | PCD}`))).toBe('holds/complete')
    // Nothing is fetched ahead through a translation that no access has cached, or that has not been accessed.
    expect(verdict(aliased('page + 0x63'), { tlbSpeculative: 'no' })).toBe('holds/complete')
    expect(verdict(aliased('page + 0x43'), { tlbSpeculative: 'accessed' })).toBe('holds/complete')
    expect(verdict(aliased('page + 0x63'), { tlbSpeculative: 'accessed' })).toBe('cache-alias')
  })
  it('may be: the message names the translation', () => {
    const message = (source: string) => check(source).violation!.message
    expect(message(alone(PCD, `    mov dword [table + 28], page + 0x63\n${TOUCH}`))).toMatch(/: a cacheable translation of the page, at linear address 0x407000, can be used there$/)
    // The processor's own, of what the entry held before.
    expect(message(alone(PCD, `    mov dword [table + 28], page + 0x63\n    mfence\n    mov dword [table + 28], 0\n    mfence\n${TOUCH}`))).toMatch(/: a stale cacheable translation of the page, at linear address 0x407000, can be used there$/)
  })
  it('may be where a large page covers it', () => {
    expect(verdict(alone(PCD, `    mov dword [dir], 0xe3\n    mov eax, cr3\n    mov cr3, eax\n${TOUCH}`))).toBe('cache-alias')
  })
  it('is, where it was accessed with paging off, until a flush', () => {
    const source = (flush: string) => alone(PCD, flush + TOUCH).replace('go:\n', 'go: mov dword [page], 5\n')
    expect(verdict(source(''))).toBe('cache-alias')
    expect(verdict(source('    wbinvd\n'))).toBe('holds/complete')
    expect(verdict(source('    clflush [0x400000]\n'))).toBe('holds/complete')
    expect(verdict(source('    clflush [0x400040]\n'))).toBe('cache-alias')
    expect(verdict(source('    invd\n'))).toBe('cache-alias')
  })
})

describe('with PAE', () => {
  const source = (alias: string, type: number) => `.init setup
setup: mov eax, page
    shr eax, 12
    mov dword [low + eax * 8], 0
    ret
.vcpu go
go:
${pagingOn('pdpt', 0x20)}${alias}${TOUCH}    ret
section .tables
align 4096
pdpt: dd dir + 1, 0, 0, 0, 0, 0, dir2 + 1, 0
times 1016 dd 0
dir: dd low + 0x63, 0, 0, 0, table + 0x63, 0
times 1018 dd 0
dir2: times 1024 dd 0
low:
${Array.from({ length: 512 }, (_, k) => `dd ${k * 4096 + 0x63}, 0`).join('\n')}
table: dd page + ${0x63 | type}, 0
times 1022 dd 0
page: dd 1
times 1023 dd 0
`
  it.each([
    ['no other translation', '', PCD, 'holds/complete'],
    ['of the same table', '    mov dword [table + 48], page + 0x63\n', PCD, 'cache-alias'],
    ['of another gigabyte, by a large page', '    mov dword [dir2 + 16], 0xe3\n', PCD, 'cache-alias'],
    ['of an entry that is not present', '    mov dword [table + 48], page + 0x62\n', PCD, 'holds/complete'],
  ])('%s', (_name, alias, type, expected) => {
    expect(verdict(source(alias, type))).toBe(expected)
  })
})

describe('the page attribute table', () => {
  it('says what PWT and PAT mean', () => {
    // Write-through is cached, write-combining is not.
    const access = TOUCH + become(PCD) + INVLPG + TOUCH
    expect(verdict(alone(PWT, access))).toBe('cache-alias')
    const flushed = TOUCH + become(PWT) + INVLPG + '    wbinvd\n' + TOUCH + become(PCD) + INVLPG + TOUCH
    expect(verdict(alone(PCD, pat(1, 4) + flushed))).toBe('cache-alias')
    expect(verdict(alone(PCD, pat(1, 1) + flushed))).toBe('holds/complete')
    const upper = flushed.replaceAll(String(0x63 | PWT), String(0x63 | PWT | PAT))
    expect(verdict(alone(PCD, pat(5, 1) + upper))).toBe('holds/complete')
    expect(verdict(alone(PCD, pat(1, 1) + upper))).toBe('cache-alias')
  })
  it('that changes leaves translations of the old type behind', () => {
    const source = (drop: string) => alone(PWT, `${pat(1, 1)}${drop}    wbinvd\n${TOUCH}`)
    expect(verdict(source(''))).toBe('cache-alias')
    expect(verdict(source(INVLPG))).toBe('holds/complete')
  })
})

/** vCPU 0 makes the page uncached while vCPU 1 runs on the same tables, and takes what `handler` does as an IPI. */
const remote = (here: string, handler: string, after = '') => `${INIT}
.vcpu changer
.vcpu user
.handler 0xf0, handler
changer:
${ON}wait1: cmp dword [ready], 1
    jne wait1
${become(PCD)}${here}    ipi 1, 0xf0
wait2: cmp dword [answered], 1
    jne wait2
${after}${TOUCH}    ret
user:
${ON}    mov dword [ready], 1
    sti
wait3: cmp dword [answered], 1
    jne wait3
    ret
handler:
${handler}    mov dword [answered], 1
    iret
section .data
align 64
ready: dd 0
answered: dd 0
${tables(0)}`

describe('on another vCPU', () => {
  const CR3 = '    mov eax, cr3\n    mov cr3, eax\n'
  const CASES: readonly (readonly [string, string, string, string, string])[] = [
    ['translations, then caches, on both', INVLPG + '    wbinvd\n', CR3 + '    wbinvd\n', '', 'holds/complete'],
    ['caches first there', INVLPG + '    wbinvd\n', '    wbinvd\n' + CR3, '', 'cache-alias'],
    ['no cache flush there', INVLPG + '    wbinvd\n', CR3, '', 'cache-alias'],
    ['no flush of translations there', INVLPG + '    wbinvd\n', '    wbinvd\n', '', 'cache-alias'],
    ['CLFLUSH here, behind the answer', INVLPG, CR3, '    clflush [0x400000]\n', 'holds/complete'],
    ['CLFLUSH here, in front of it', INVLPG + '    clflush [0x400000]\n', CR3, '', 'cache-alias'],
  ]
  it.each(CASES)('%s', (_name, here, handler, after, expected) => {
    for (const engine of after === '' ? (['graph'] as const) : (['graph', 'dpor'] as const)) expect([engine, verdict(remote(here, handler, after), { memory: 'sc', fetch: 'coherent' }, engine)]).toEqual([engine, expected])
  })
  it('is recorded, replayed, shown, and written down by name', () => {
    const image = assembleImage(remote(INVLPG + '    wbinvd\n', CR3), { title: 'caches' })
    const model = makeModel()
    const found = checkImage(image, model)
    expect(found.violation?.message).toMatch(/^writes page uncached, which the cache of vCPU 1 may hold: it has not been flushed/)
    const trace = decodeTrace(encodeTrace(recordTrace(image, model, found.sharing, found.schedule!)))
    expect(replayTrace(trace).divergence).toBeNull()
    expect(timelineOf(trace).lines.map((line) => line.text).join('\n')).toMatch(/writes back and empties its caches/)
    const { sharing, missing } = parseSharing(image, formatSharing(image, trace.sharing))
    expect([sharing.uncached, missing]).toEqual([trace.sharing.uncached, []])
    expect(runSchedule(image, model, sharing, [...trace.schedule]).trace.violation?.kind).toBe('cache-alias')
  })
})
