// Dirty bits that count: what a walk has set is not overwritten unread, by whatever kind of store.
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { recordTrace, replayTrace } from '../../src/replay/record.ts'
import { decodeTrace, encodeTrace } from '../../src/replay/trace.ts'
import { makeModel } from '../../src/smp/model.ts'
import { pagingOn } from '../paging.ts'

const image = (change: string, claims = '.dirty table, 4096') =>
  assembleImage(
    `${claims}
.vcpu changer
.vcpu writer
.handler 14, fault
changer: ${change}
    ret
writer:
${pagingOn()}    mov ebp, after
    mov dword [0x400000], 1
after: ret
fault: add esp, 4
    mov [esp], ebp
    iret
section .tables
align 4096
dir: dd 0xe3, table + 0x67
times 1022 dd 0
table: dd page + 0x23
times 1023 dd 0
page: times 1024 dd 0
`,
    { title: 'dirty bits' },
  )
const check = (change: string, engine: 'graph' | 'dpor' = 'graph', claims?: string) => checkImage(image(change, claims), makeModel({ tlb: 'leaf', fetch: 'coherent' }), { engine })
const outcome = (...args: Parameters<typeof check>) => {
  const { violation, verdict, strength } = check(...args)
  return violation?.kind ?? `${verdict} ${strength}`
}

describe.each(['graph', 'dpor'] as const)('a dirty bit (%s)', (engine) => {
  it.each([
    ['cleared by a plain store', 'mov dword [table], 0', 'lost-dirty'],
    ['of what was read before', 'mov eax, [table]\n    and eax, -2\n    mov [table], eax', 'lost-dirty'],
    ['in one instruction', 'and dword [table], -2', 'lost-dirty'],
    ['by a store of its byte', 'mov byte [table], 0x23', 'lost-dirty'],
    ['of two bytes', 'mov word [table], 0x23', 'lost-dirty'],
    ['where the own store in the buffer was read', 'mov dword [table], 0\n    mov eax, [table]\n    mov [table], eax', 'lost-dirty'],
    ['read and cleared at once', 'xor eax, eax\n    xchg eax, [table]', 'holds complete'],
    ['a bit is locked', 'lock and dword [table], -2', 'holds complete'],
    ['compared', 'mov eax, [table]\nagain: mov ecx, eax\n    and ecx, -2\n    lock cmpxchg [table], ecx\n    jnz again', 'holds complete'],
    ['stays set', 'mov dword [table], page + 0x63', 'holds complete'],
    ['of its neighbour only', 'mov dword [table + 4], 0\n    mov byte [table + 1], 0x30', 'holds complete'],
  ])('%s', (_, change, expected) => expect(outcome(change, engine)).toBe(expected))
})

describe('dirty bits', () => {
  it('count where that is said, and somebody writes there', () => {
    expect(outcome('mov dword [table], 0', 'graph', '.object page, 4')).toBe('holds complete')
    expect(outcome('mov dword [table], 0', 'graph', '.dirty page, 4')).toBe('unknown complete')
  })
  it('are traced', () => {
    const { sharing, schedule, violation } = check('mov dword [table], 0')
    const model = makeModel({ tlb: 'leaf', fetch: 'coherent' })
    const again = replayTrace(decodeTrace(encodeTrace(recordTrace(image('mov dword [table], 0'), model, sharing, schedule!))))
    expect(again.violation).toEqual(violation)
    expect(violation!.message).toBe('overwrites the dirty bit of table, which it has not read since a walk of vCPU 1 set it: nobody hears of that write')
  })
})
