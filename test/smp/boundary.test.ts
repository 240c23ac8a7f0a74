// A vCPU that can be interrupted is first parked at the instruction boundary, and then, where the instruction's first
// event can go several ways, at that event: two states, although no register and no memory tells them apart.
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { makeModel } from '../../src/smp/model.ts'

const split = (sti: string) => `.vcpu reader
.vcpu writer
.handler 33, handler
reader: ${sti}
    mov eax, [line + 62]
    cli
    cmp eax, 0x00010000
    setne al
    movzx eax, al
    assert "not the high half alone"
    ret
writer: mov word [line + 62], 1
    mov word [line + 64], 1
    ipi 0, 33
    ret
handler: iret
section .line
align 64
line: times 128 db 0`

const choosing = (sti: string) => `.vcpu chooser
.vcpu sender
.handler 33, handler
chooser: mov eax, 2
    mov edx, 0
    ${sti}
    nop
    choose 2
    cli
    cmp eax, 1
    setne al
    movzx eax, al
    assert "not 1"
    ret
sender: ipi 0, 33
    ret
handler: iret`

describe('events with several ways behind a boundary', () => {
  for (const memory of ['tso', 'sc'])
    for (const sti of ['nop', 'sti'])
      it.each([['halves of a load', split], ['a data choice', choosing]])(`%s, ${memory}, ${sti}`, (_, source) => {
        const result = checkImage(assembleImage(source(sti), { title: 'boundary' }), makeModel({ memory }))
        expect(result.violation?.kind).toBe('assertion')
      })
})

it('boundaries where interrupts are off are none for who takes no NMIs', () => {
  const states = (nops: number, call: string, handler: string) => {
    const code = `.vcpu target\n.vcpu sender\n.handler ${handler}, handler\ntarget: ${'nop\n'.repeat(nops)}sti\nnop\ncli\n${'nop\n'.repeat(nops)}ret\nsender: ${call}\nret\nhandler: iret`
    return checkImage(assembleImage(code, { title: 'boundary' }), makeModel(), { engine: 'graph' }).states
  }
  expect(states(9, 'ipi 0, 33', '33')).toBe(states(1, 'ipi 0, 33', '33'))
  expect(states(9, 'nmi 0', '2')).toBeGreaterThan(states(1, 'nmi 0', '2') + 16)
})
