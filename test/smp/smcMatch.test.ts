// A vCPU sees its own stores to code at once where they go through the linear address that it fetches from; through another
// alias of the page only with smcMatch=physical, or once it has serialised.
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { makeModel } from '../../src/smp/model.ts'
import { pagingOn } from '../paging.ts'

const ALIAS = 0x400000
const NEW = 'cmp eax, 2\nsete al\nmovzx eax, al\nassert eax, "the new code was run"'
/** The low 4 MB are mapped as they are; at ALIAS stands `code` once more. */
const program = (body: string) => assembleImage(`
  .vcpu go
  .init setup
  setup: mov dword [directory], 0xe3
    mov dword [directory + 4], table + 0x67
    mov dword [table], code + 0x63
    ret
  go:
${pagingOn('directory')}    ${body}
    ${NEW}
    ret
  section .text.code rwx
  align 4096
  code: db 0xb8, 1, 0, 0, 0, 0xc3, 0, 0
  align 4096
  section .tables rw
  align 4096
  directory: resb 4096
  table: resb 4096`, { file: 'alias.asm' })

const THROUGH_ALIAS = `mov byte [${ALIAS} + 1], 2`
const BY8 = (where: string | number) => `mov eax, 0x1b8\nmov edx, 0xc300\nmov ebx, 0x2b8\nmov ecx, edx\nlock cmpxchg8b [${where}]`
const SYNC = 'pushfd\npush cs\npush .synced\niret\n.synced:'
const judge = (body: string, knobs: Record<string, string>) => {
  const { verdict, strength, violation } = checkImage(program(body), makeModel(knobs))
  return verdict === 'violated' ? violation!.kind : `${verdict}, ${strength}`
}
const HOLDS = 'holds, complete'

describe.each([
  ['through the address that is fetched', 'mov byte [code + 1], 2\ncall code', {}, HOLDS],
  ['both through the alias', `${THROUGH_ALIAS}\nmov ecx, ${ALIAS}\ncall ecx`, {}, HOLDS],
  ['through the alias', `${THROUGH_ALIAS}\ncall code`, {}, 'assertion'],
  ['fetched through the alias', `mov byte [code + 1], 2\nmov ecx, ${ALIAS}\ncall ecx`, {}, 'assertion'],
  ['through the alias, and it was run before', `call code\n${THROUGH_ALIAS}\ncall code`, {}, 'assertion'],
  ['through the alias, locked', `mov dl, 2\nxchg dl, [${ALIAS} + 1]\ncall code`, {}, 'assertion'],
  ['by 8 bytes, through the address that is fetched', `${BY8('code')}\ncall code`, {}, HOLDS],
  ['by 8 bytes, through the alias', `${BY8(ALIAS)}\ncall code`, {}, 'assertion'],
  ['through the alias, then in memory', `${THROUGH_ALIAS}\nmfence\ncall code`, {}, 'assertion'],
  ['through the alias, coherent, in the buffer still', `${THROUGH_ALIAS}\ncall code`, { fetch: 'coherent' }, 'assertion'],
  ['through the alias, coherent', `${THROUGH_ALIAS}\nmfence\ncall code`, { fetch: 'coherent' }, HOLDS],
  ['through the alias, serialised', `${THROUGH_ALIAS}\n${SYNC}\ncall code`, {}, HOLDS],
  ['through the alias, physical', `${THROUGH_ALIAS}\ncall code`, { smcMatch: 'physical' }, HOLDS],
  ['through the alias, strict', `${THROUGH_ALIAS}\nmfence\ncall code`, { fetch: 'strict' }, 'code-race'],
  ['strict, physical', `${THROUGH_ALIAS}\ncall code`, { fetch: 'strict', smcMatch: 'physical' }, HOLDS],
  ['strict, through the address that is fetched', 'mov byte [code + 1], 2\ncall code', { fetch: 'strict' }, HOLDS],
] as const)('%s', (_name, body, knobs, expected) => {
  it(expected, () => expect(judge(body, knobs)).toBe(expected))
})

it('an old byte of another alias store is not fetched behind a newer own store through the same address', () => {
  expect(judge(`${THROUGH_ALIAS}\nmov byte [code + 1], 3\nmov byte [code + 1], 2\ncall code`, {})).toBe(HOLDS)
  expect(judge(`mov byte [code + 1], 2\n${THROUGH_ALIAS}\ncall code`, {})).toBe(HOLDS)
})

it('sees its own store though another vCPU had stored the same before', () => {
  const image = assembleImage(`
    .vcpu one
    .vcpu two
    one: mov byte [code + 1], 2
      ret
    two: mov byte [code + 1], 2
      call code
      ${NEW}
      ret
    section .text.code rwx
    align 16
    code: mov eax, 1
      ret`, { file: 'same.asm' })
  for (const engine of ['graph', 'dpor'] as const)
    expect(checkImage(image, makeModel({ fetch: 'byte' }), { engine })).toMatchObject({ verdict: 'holds', strength: 'complete' })
})
