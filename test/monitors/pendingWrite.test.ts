// Words with a queued update: whoever touches one is caught, on any vCPU, until it is settled.
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { makeModel } from '../../src/smp/model.ts'

const check = (code: string, engine: 'graph' | 'dpor' = 'graph') => checkImage(assembleImage(`${code}\nsection .data\nalign 64\nentry: dd 1, 2, 3\nflag: dd 0`, { title: 'pending' }), makeModel(), { engine })
const kindOf = (body: string) => check(`.vcpu go\ngo:\n${body}\nret`).violation?.kind ?? null

describe('pending-write', () => {
  it.each([
    ['read', 'pending entry, 4\nmov eax, [entry]'],
    ['written', 'pending entry, 4\nmov dword [entry], 5'],
    ['read in part', 'pending entry, 8\nmov al, [entry + 7]'],
    ['queued twice, settled elsewhere', 'pending entry, 4\npending entry, 4\nsettled entry + 4, 4\nmov eax, [entry]'],
  ])('%s', (_, body) => expect(kindOf(body)).toBe('pending-write'))

  it.each([
    ['beside', 'pending entry + 4, 4\nmov eax, [entry]\nmov dword [entry + 8], 1'],
    ['before and after', 'mov eax, [entry]\npending entry, 4\nsettled entry, 4\nmov dword [entry], 5'],
    ['queued twice, settled once', 'pending entry, 4\npending entry, 8\nsettled entry, 8\nmov eax, [entry + 4]'],
  ])('not %s', (_, body) => expect(kindOf(body)).toBeNull())

  it.each(['graph', 'dpor'] as const)('is seen by another vCPU in some execution only (%s)', (engine) => {
    const other = (wait: string) => `.vcpu go\n.vcpu other\ngo:\npending entry, 4\nsettled entry, 4\nmov dword [entry], 5\nmov dword [flag], 1\nret\nother:\n${wait}\nmov eax, [entry]\nret`
    expect(check(other('nop'), engine).violation).toMatchObject({ kind: 'pending-write', vcpu: 1 })
    expect(check(other('again:\nmov ecx, [flag]\ntest ecx, ecx\njz again'), engine)).toMatchObject({ verdict: 'holds', strength: 'complete' })
  })

  it('is told of memory only', () => expect(kindOf('pending 0xf0000000, 4')).toBe('bad-call'))
})
