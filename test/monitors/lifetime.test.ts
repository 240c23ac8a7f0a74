// "Release is the last access": the same code with and without the order that makes it true.
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { makeModel } from '../../src/smp/model.ts'

const check = (body: string, memory = 'tso') => checkImage(assembleImage(body, { title: 'lifetime' }), makeModel({ memory }))

const data = `
section .data
align 16
flag: dd 0
align 16
object: dd 0
`
/** The user announces that it is done by \`done\`; the owner waits for that, then frees. */
const handover = (done: string) => `
.vcpu user
.vcpu owner
user:
${done}
    ret
owner:
    mov ecx, [flag]
    test ecx, ecx
    jz owner
    free object, 4
    ret
${data}`

describe('use after free', () => {
  it('needs the free between the test and the use, which only its owner touches', () => {
    const racy = (order: string) => `
.vcpu user
.vcpu owner
user:
    mov ecx, [flag]
    test ecx, ecx
    jnz .gone
    mov edx, [object]
.gone: ret
owner:
    ${order}
    ret
${data}`
    const found = check(racy('mov dword [flag], 1\n mfence\n free object, 4'))
    expect(found).toMatchObject({ verdict: 'violated', violation: { kind: 'use-after-free', vcpu: 0 }, cost: { preemptions: 1 } })
    expect(check(racy('mov dword [flag], 1')).verdict).toBe('holds')
  })

  it('is absent where the last access comes before the announcement, also through the store buffers', () => {
    expect(check(handover('    mov dword [object], 1\n    mov dword [flag], 1'))).toMatchObject({ verdict: 'holds', strength: 'complete' })
    expect(check(handover('    mov dword [flag], 1\n    mov dword [object], 1'))).toMatchObject({ verdict: 'violated', violation: { kind: 'use-after-free' } })
  })

  it('is a store that drains after the memory was freed, under TSO only', () => {
    // The owner judges by something that the user did before its store drained: a locked operation would order it, an IPI-less kick does not.
    const late = `
.vcpu user
.vcpu owner
user:
    mov dword [object], 1
    kick 1
    ret
owner:
    block
    free object, 4
    ret
${data}`
    const noDrain = checkImage(assembleImage(late, { title: 'late' }), makeModel({ ipiDrains: false }))
    expect(noDrain).toMatchObject({ verdict: 'violated', violation: { kind: 'use-after-free', vcpu: 0 } })
    expect(noDrain.violation!.message).toContain('buffered')
    expect(check(late)).toMatchObject({ verdict: 'holds', strength: 'complete' })
    expect(checkImage(assembleImage(late, { title: 'late' }), makeModel({ ipiDrains: false, memory: 'sc' })).verdict).toBe('holds')
  })

  it('is no store of who frees from before, wherever it drains', () => {
    const own = `.vcpu user\n.vcpu owner\nuser: mov eax, [object]\n mov dword [flag], 1\n ret\nowner: mov ecx, [flag]\n test ecx, ecx\n jz owner\n mov dword [object], 2\n free object, 4\n ret\n${data}`
    expect(check(own)).toMatchObject({ verdict: 'holds', strength: 'complete' })
  })

  it('ends when the memory is allocated again, in part too', () => {
    const body = (touched: string) => `.vcpu one\none: free object, 16\n alloc object + 4, 4\n mov eax, [${touched}]\n ret\n${data}\n dd 0, 0, 0`
    expect(check(body('object + 4')).verdict).toBe('holds')
    for (const touched of ['object', 'object + 2', 'object + 8', 'object + 12'])
      expect(check(body(touched)), touched).toMatchObject({ violation: { kind: 'use-after-free' } })
    expect(check(body('object + 16 - 4 + 4')).verdict).toBe('holds')
  })

  it('judges text: code that was freed is not executed, and freeing twice is a violation of its own', () => {
    const text = `.vcpu runner\n.vcpu owner\nrunner: call routine\n ret\nowner: free routine, 4\n ret\nalign 16\nroutine: nop\nret\nalign 16\n`
    expect(check(text)).toMatchObject({ verdict: 'violated', violation: { kind: 'use-after-free', vcpu: 0 } })
    expect(check(`.vcpu one\none: free object, 4\n free object + 2, 4\n ret\n${data}\n dd 0`)).toMatchObject({ violation: { kind: 'double-free' } })
  })

  it('refuses what is not memory', () => {
    const message = (mark: string) => check(`.vcpu one\none: ${mark}\n ret\n${data}`).violation
    expect(message('free 0x1000, 4')).toMatchObject({ kind: 'bad-call', message: 'XM_FREE of 4 bytes at 0x1000: not all of that is memory; it is named by physical addresses, with paging on too' })
    expect(message('alloc object, 0xffffffff')).toMatchObject({ kind: 'bad-call', message: 'XM_ALLOC of 4294967295 bytes at object: 1048576 are possible' })
    expect(message('release object, 0x200000')).toMatchObject({ kind: 'bad-call', message: 'XM_RELEASE of 2097152 bytes at object: 1048576 are possible' })
  })
})
