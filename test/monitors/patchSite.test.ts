// What may be executed at a patch site, by forms; and that nobody executes old code once the patcher says it is done.
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { makeModel } from '../../src/smp/model.ts'

/** A two-part NOP (90, 8D 74 26 00) becomes a call while another vCPU, or an interrupt on the own one, is about. */
const scenario = (nop: string, patcher: string, executor: string) => `
.forms site, 5, form_nop, form_call
target: ret
${patcher}
${executor}
section .data
form_nop: db ${nop}
form_call: db 0xe8
dd target - (site + 5)
`
const TWO_PARTS = '0x90, 0x8d, 0x74, 0x26, 0x00'
const ONE_PART = '0x0f, 0x1f, 0x44, 0x00, 0x00'

function judge(source: string, knobs = {}) {
  const result = checkImage(assembleImage(source, { title: 'site' }), makeModel({ fetch: 'coherent', ...knobs }))
  return result.violation === null ? `${result.verdict} ${result.strength} ${result.reasons.join(' ')}`.trim() : `${result.violation.kind}`
}

describe('forms of a patch site', () => {
  const patcher = '.vcpu patcher\npatcher: mov eax, [form_call]\nmov [site], eax\nmov al, [form_call + 4]\nmov [site + 4], al\nret'
  const atomic = '.vcpu patcher\npatcher: mov eax, [form_call]\nmov edx, [form_call + 4]\nmov ebx, eax\nmov eax, [site]\nmov edx, [site + 4]\nagain: mov ebx, [form_call]\nmov ecx, edx\nmov cl, [form_call + 4]\nlock cmpxchg8b [site]\njnz again\nret'
  const executor = (nop: string) => `.vcpu executor\nalign 8\nexecutor: \nsite: db ${nop}\nret`

  it('are all that may be executed, at every instruction inside it', () => {
    expect(judge(scenario(TWO_PARTS, atomic, executor(TWO_PARTS)))).toBe('torn-instruction')
    expect(judge(scenario(ONE_PART, atomic, executor(ONE_PART)))).toBe('holds complete')
    expect(judge(scenario(ONE_PART, patcher, executor(ONE_PART)))).toBe('torn-instruction')
  })

  it('must each be executed by somebody', () => {
    expect(judge(scenario(ONE_PART, '', executor(ONE_PART)))).toContain('executed with 1 of its 2 forms')
  })
})

describe('XM_PATCHED', () => {
  const patcher = (sync: string) => `.vcpu patcher\npatcher: mov eax, [form_call + 1]\nmov byte [site], 0xe8\n${sync}\nmov eax, site\nmov edx, after\npatched\nret`
  const source = (sync: string) => `
.vcpu executor
.forms site, 1, before, after
${patcher(sync)}
executor:
site: nop
ret
section .data
before: db 0x90
after: db 0xf8
form_call: dd 0, 0
`
  it('forbids what stood there before from then on', () => {
    const clc = (sync: string) => source(sync).replace('0xe8', '0xf8')
    // The store is in the buffer as the patcher says so, or the executor's fetch lags behind.
    expect(judge(clc(''))).toBe('stale-code')
    expect(judge(clc('mfence'))).toBe('holds complete')
    expect(judge(clc('mfence'), { fetch: 'single' })).toBe('stale-code')
  })

  it.each(['graph', 'dpor'] as const)('is said also of code that nobody has written: %s', (engine) => {
    const unwritten = (when: string) => assembleImage(`.vcpu sayer
      .vcpu executor
      .forms site, 1, before
      sayer: mov dword [told], 1
        patched site, after
        ret
      executor: mov dword [other], 1
        ${when}
        call code
        .out: ret
      code:
      site: nop
        ret
      section .data
      before: db 0x90
      after: db 0xf8
      align 4
      told: dd 0
      other: dd 0`)
    const kind = (when: string) => checkImage(unwritten(when), makeModel({ fetch: 'coherent' }), { engine }).violation?.kind
    expect(kind('')).toBe('stale-code')
    expect(kind('cmp dword [told], 2\njne .out')).toBe(undefined)
  })

  it.each(['1', '0xfffff000'])('names the address of bytes, not their number: %s', (bytes) => {
    expect(judge(source('mfence').replace('0xe8', '0xf8').replace('mov edx, after', `mov edx, ${bytes}`))).toBe('bad-call')
  })

  it('names a site', () => {
    expect(judge(source('').replace('0xe8', '0xf8').replace('mov eax, site', 'mov eax, site + 1'))).toBe('bad-call')
  })
})
