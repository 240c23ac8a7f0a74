// XM_UNMAPPED: what a shootdown claims when it returns is judged at the first use that belies it.
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { makeModel } from '../../src/smp/model.ts'
import { pagingOn } from '../paging.ts'

/** vCPU 0 takes the page at 4 MB away and makes `claim`; vCPU 1 makes `use` after `told`. */
function judge(claim: string, use: string, change = 'mov dword [table], 0'): string {
  const source = `.vcpu unmapper
.vcpu user
.handler 14, fault
unmapper:
    ${change}
    mfence
    ${claim}
    mov dword [told], 1
    ret
user:
${pagingOn()}    cmp dword [told], 1
    jne .out
    mov ebp, .out
    ${use}
.out: ret
fault: add esp, 4
    mov [esp], ebp
    iret
section .data
align 4
told: dd 0
section .tables
align 4096
dir: dd 0xe3, table + 0x63
times 1022 dd 0
table: dd page + 0x63, page + 0x63
times 1022 dd 0
page: times 1024 dd 0
`
  const result = checkImage(assembleImage(source, { title: 'unmapped' }), makeModel())
  return result.violation?.kind ?? `${result.verdict}/${result.strength}`
}

const load = 'mov eax, [0x400123]'

describe('pages said to be unmapped', () => {
  it('are reached by nobody', () => {
    expect(judge('unmapped 0x400000, 4096', load)).toBe('stale-translation')
    expect(judge('unmapped 0x400000, 4096', `invlpg [0x400000]\n    ${load}`)).toBe('holds/complete')
    expect(judge('nop', load)).toBe('holds/complete')
  })
  it('are these pages, whole ones', () => {
    expect(judge('unmapped 0x400ffc, 4', load)).toBe('stale-translation')
    expect(judge('unmapped 0x400ffc, 8', 'mov eax, [0x401000]', 'mov dword [table + 4], 0')).toBe('stale-translation')
    expect(judge('unmapped 0x401000, 4096', load)).toBe('holds/complete')
  })
  it('until they are mapped', () => {
    expect(judge('unmapped 0x400000, 4096\n    mapped 0x400000, 4096', load)).toBe('holds/complete')
    expect(judge('unmapped 0x3ff000, 12288\n    mapped 0x400000, 4096', load)).toBe('holds/complete')
    expect(judge('unmapped 0x3ff000, 12288\n    mapped 0x401000, 4096', load)).toBe('stale-translation')
  })
  it('may fault: that is no access', () => {
    const store = 'mov dword [0x400000], 1'
    expect(judge('unmapped 0x400000, 4096', store, 'mov dword [table], page + 0x63')).toBe('holds/complete')
  })
  it('may be said to be clean: stores set the dirty bit again, and do not go through what was dirty', () => {
    const clean = 'lock and dword [table], 0xffffffbf'
    expect(judge('unmapped 0x400000, 4096', 'mov dword [0x400000], 1', clean)).toBe('stale-translation')
    expect(judge('unmapped 0x400000, 4096', 'invlpg [0x400000]\n    mov dword [0x400000], 1', clean)).toBe('holds/complete')
    expect(judge('unmapped 0x400000, 4096', load, clean)).toBe('holds/complete')
  })
  it('through a cached directory entry too', () => {
    expect(judge('unmapped 0x400000, 4096', load, 'mov dword [dir + 4], 0')).toBe('stale-translation')
  })
})
