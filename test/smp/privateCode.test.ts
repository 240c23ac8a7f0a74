// Blocks of private code under the explorer: the same outcomes and states as one instruction at a time.
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import type { MachineImage } from '../../src/smp/image.ts'
import { makeModel } from '../../src/smp/model.ts'
import { dwords, everyState } from './everyState.ts'

/** How steps are taken: one instruction at a time, in blocks where that is possible, or those that are remembered done again. */
type Way = 'single' | 'blocks' | 'remembered'

const explore = (image: MachineImage, names: readonly string[], fetch: string, way: Way) =>
  everyState(image, makeModel({ fetch, localSteps: 64 }), names, { memo: way === 'remembered', observed: way === 'single' })

const STORE_THEN_LOAD = `p1: mov dword [y], 1
  mov eax, [x]
  mov [r1], eax
  ret`
const PROGRAMS: Readonly<Record<string, { readonly text: string; readonly names: readonly string[]; readonly outcomes: number }>> = {
  'store buffering in loops': {
    text: `.vcpu p0\n.vcpu p1
p0: mov ecx, 2
.next: mov [x], ecx
  mov eax, [y]
  lea ebx, [ebx + eax * 4]
  dec ecx
  jnz .next
  mov [r0], ebx
  ret
${STORE_THEN_LOAD}`,
    names: ['r0', 'r1'],
    outcomes: 9,
  },
  'code that another vCPU rewrites': {
    text: `.vcpu p0\n.vcpu p1
p0: mov ecx, 2
  xor eax, eax
.next: add eax, eax
.patched: add eax, 1
  dec ecx
  jnz .next
  mov [r0], eax
  ret
p1: mov byte [p0.patched + 2], 3
  ret`,
    names: ['r0'],
    outcomes: 3,
  },
  'code that its own vCPU rewrites, while another one runs it': {
    text: `.vcpu p0\n.vcpu p1
p0: call work
  mov byte [work.patched + 2], 3
  call work
  mov [r0], eax
  ret
p1: xor eax, eax
  call work
  mov [r1], eax
  ret
work: mov eax, 0
.patched: add eax, 1
  ret`,
    names: ['r0', 'r1'],
    outcomes: 2,
  },
  'code that only its own vCPU runs and rewrites': {
    text: `.vcpu p0\n.vcpu p1
p0: mov ecx, 3
  xor eax, eax
.next: mov [.patched + 2], cl
.patched: add eax, 0
  loop .next
  mov [x], eax
  mov ebx, [y]
  mov [r0], ebx
  ret
${STORE_THEN_LOAD}`,
    names: ['r0', 'r1'],
    outcomes: 4,
  },
  'code that differs where all else is equal': {
    text: `.vcpu p0\n.vcpu p1
p0: mov eax, [y]
  mov [.patched + 2], al
  xor eax, eax
  mov ebx, [x]
.patched: add ecx, 0
  mov [r0], ecx
  ret
p1: mov dword [y], 5
  mov dword [x], 1
  ret`,
    names: ['r0'],
    outcomes: 2,
  },
  'code that is rewritten in some executions only': {
    text: `.vcpu p0\n.vcpu p1
p0: mov ebx, [x]
  mov eax, [y]
  cmp eax, 5
  jne .on
  mov [.patched + 2], al
.on: nop
.patched: add ecx, 0
  mov [r0], ecx
  mov [r1], ebx
  ret
p1: mov dword [x], 1
  mov dword [y], 5
  ret`,
    names: ['r0', 'r1'],
    outcomes: 4,
  },
}

describe('blocks of private code', () => {
  it.each(Object.entries(PROGRAMS).flatMap(([name, program]) => ['coherent', 'ordered:16', 'byte'].map((fetch) => [name, fetch, program] as const)))('%s, %s', (_name, fetch, { text, names, outcomes }) => {
    const image = assembleImage(`${text}${dwords(['x', 'y', 'r0', 'r1'])}`, { title: 'private code' })
    const single = explore(image, names, fetch, 'single')
    expect(explore(image, names, fetch, 'blocks')).toEqual(single)
    expect(explore(image, names, fetch, 'remembered')).toEqual(single)
    expect(single.outcomes).toHaveLength(outcomes)
  })

  it('end where a mark begins what instructions are judged by', () => {
    // In its second round, a long step of code that is known from the first, it may lend a word of its stack and returns.
    const text = (lent: string) => `.vcpu p0
p0: mov edi, other
  call work
  settled other, 4
  lea edi, [esp - 8]
  ${lent}
  call work
  ret
work: mov ecx, 600
  sub esp, 4
.next: dec ecx
  jnz .next
  lent edi, 4
  add esp, 4
  ret
section .data
other: dd 0`
    const check = (lent: string) => checkImage(assembleImage(text(lent), { title: 'lent' }), makeModel(), { engine: 'graph' })
    expect(check('mov edi, other')).toMatchObject({ verdict: 'holds' })
    expect(check('')).toMatchObject({ verdict: 'violated' })
  })
})
