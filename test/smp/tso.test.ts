// Classical x86-TSO results (Sewell et al. 2010; Intel SDM vol. 3A 9.2) on real code, explored with and without
// the reduction to shared memory: outcomes must be equal, and equal to what the memory model allows.
import { describe, expect, it } from 'vitest'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { checkImage } from '../../src/explore/check.ts'
import { makeModel } from '../../src/smp/model.ts'
import { dwords, everyState } from './everyState.ts'

/** All outcomes of the variables `names`, by exhaustive search; `everything`: no reduction at all. */
const outcomes = (body: string, names: string[], memory: string, everything: boolean) =>
  everyState(assembleImage(`${body}${dwords(names)}`, { title: 'litmus' }), makeModel({ memory }), names, { everything }).outcomes

const two = (p0: string, p1: string) => `.vcpu p0\n.vcpu p1\np0: ${p0}\nret\np1: ${p1}\nret`
/** Both vCPUs do the same, each to its own variable, the other's, and a word for what it saw. */
const mirrored = (each: (own: string, other: string, seen: string) => string) => two(each('x', 'y', 'r0'), each('y', 'x', 'r1'))
/** Store buffering, with something between store and load. */
const storeBuffering = (between = '', store = (own: string) => `mov dword [${own}], 1`) =>
  mirrored((own, other, seen) => `${store(own)}\n${between}\nmov eax, [${other}]\nmov [${seen}], eax`)
const REGS = ['r0', 'r1', 'x', 'y']
const CASES: readonly { readonly name: string; readonly body: string; readonly only: Readonly<Record<'tso' | 'sc', number>> }[] = [
  { name: 'SB', body: storeBuffering(), only: { tso: 4, sc: 3 } },
  { name: 'SB+mfences', body: storeBuffering('mfence'), only: { tso: 3, sc: 3 } },
  { name: 'SB with LFENCE, which orders nothing here', body: storeBuffering('lfence'), only: { tso: 4, sc: 3 } },
  { name: 'SB with XCHG', body: storeBuffering('', (own) => `mov eax, 1\nxchg [${own}], eax`), only: { tso: 3, sc: 3 } },
  { name: 'SB with a locked operation on another word between, which drains', body: storeBuffering('lock inc dword [esp - 64]'), only: { tso: 3, sc: 3 } },
  { name: 'MP', body: two('mov dword [x], 1\nmov dword [y], 1', 'mov eax, [y]\nmov ebx, [x]\nmov [r0], eax\nmov [r1], ebx'), only: { tso: 3, sc: 3 } },
  { name: 'LB', body: mirrored((own, other, seen) => `mov eax, [${own}]\nmov dword [${other}], 1\nmov [${seen}], eax`), only: { tso: 3, sc: 3 } },
  { name: 'two unlocked increments lose one', body: mirrored(() => 'inc dword [x]'), only: { tso: 2, sc: 2 } },
  { name: 'two locked increments lose none', body: mirrored(() => 'lock inc dword [x]'), only: { tso: 1, sc: 1 } },
  { name: 'mixed size: a byte store under a dword load', body: two('mov byte [x], 1\nmov eax, [x]\nmov [r0], eax', 'mov byte [x + 1], 1\nmov eax, [x]\nmov [r1], eax'), only: { tso: 4, sc: 3 } },
]

describe('x86-TSO and SC', () => {
  for (const memory of ['tso', 'sc'] as const)
    for (const { name, body, only } of CASES)
      it(`${name} under ${memory}`, () => {
        const reduced = outcomes(body, REGS, memory, false)
        expect(reduced).toEqual(outcomes(body, REGS, memory, true))
        expect(reduced.length).toBe(only[memory])
      })

  it('loads and stores across a line are two events, in either order', () => {
    const body = two('mov eax, 0x01010101\nmov [line + 62], eax', 'mov eax, [line + 62]\nmov [r0], eax')
    const found = outcomes(`${body}\nsection .line\nalign 64\nline: times 128 db 0`, ['r0'], 'tso', false)
    expect(found).toEqual(['r0=0', 'r0=16843009', 'r0=16842752', 'r0=257'].sort())
  })

  it('the halves of a load across a line may be read high half first', () => {
    // The writer's stores go high, low: only a load that takes its high half first sees the low one alone.
    const body = two('mov word [line + 64], 1\nmov word [line + 62], 1', 'mov eax, [line + 62]\nmov [r0], eax')
    const found = outcomes(`${body}\nsection .line\nalign 64\nline: times 128 db 0`, ['r0'], 'tso', false)
    expect(found).toEqual(['r0=0', 'r0=1', 'r0=65536', 'r0=65537'])
  })
})

describe('fetch of two chunks', () => {
  // The immediate of `mov eax` lies across a 16-byte boundary; the patcher rewrites the far part first.
  const source = `.vcpu patcher
.vcpu runner
patcher: mov word [site + 3], 0x1111
    mov word [site + 1], 0x1111
    ret
runner: jmp site
section .text.site
align 64
times 13 nop
site: mov eax, 0
    mov [seen], eax
    ret
section .data
align 4
seen: dd 0`
  const reaches = (fetch: string, value: number): boolean => {
    const image = assembleImage(source.replace('mov [seen], eax', `cmp eax, ${value}\n setne al\n movzx eax, al\n assert "not seen"`), { title: 'chunks' })
    const result = checkImage(image, makeModel({ fetch }))
    expect(result.violation?.kind ?? 'assertion').toBe('assertion')
    return result.verdict === 'violated'
  }
  it.each([
    ['coherent', false, true],
    ['single', false, true],
    ['ordered:16', false, true],
    ['independent:16', true, true],
    ['byte', true, true],
  ])('%s', (fetch, nearWithoutFar, farWithoutNear) => {
    expect(reaches(fetch, 0x1111)).toBe(nearWithoutFar)
    expect(reaches(fetch, 0x11110000)).toBe(farWithoutNear)
  })
})
