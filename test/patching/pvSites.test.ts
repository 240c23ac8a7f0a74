// What xm_pv_patch says that it wrote, and what xm_pv_form then finds at the site: every kind of site, of operation and of what is asked for.
import { describe, expect, it } from 'vitest'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { checkImage } from '../../src/explore/check.ts'
import { makeModel } from '../../src/smp/model.ts'

const [LEFT, INDIRECT, DIRECT, INLINE] = [0, 0, 1, 2]
/** What a site saves, by what it may clobber (xm_pv_site.clobbers). */
const SAVED: Readonly<Record<number, readonly [push: string, pop: string]>> = {
  7: ['', ''], 1: ['push ecx\npush edx', 'pop edx\npop ecx'], 0: ['push eax\npush ecx\npush edx', 'pop edx\npop ecx\npop eax'],
} // prettier-ignore
const BYTES: Readonly<Record<number, number>> = { 7: 6, 1: 10, 0: 12 }

interface Case {
  readonly clobbers: number
  /** The site holds its native code from the start. */
  readonly inline: boolean
  /** Registers that the function clobbers. */
  readonly changes: number
  /** Bytes of native code; 0: none. */
  readonly native: number
  readonly asked: number
}
const product = <A, B>(as: readonly A[], bs: readonly B[]) => as.flatMap((a) => bs.map((b) => [a, b] as const))
const CASES: Case[] = product(product([7, 1, 0], [false, true]), product(product([0, 7], [0, 2, 13]), [INDIRECT, DIRECT, INLINE])).map(
  ([[clobbers, inline], [[changes, native], asked]]) => ({ clobbers, inline, changes, native, asked }),
)

function written({ clobbers, changes, native, asked }: Case): number {
  if (asked === INLINE && native > 0 && native <= BYTES[clobbers]) return INLINE
  return asked !== INDIRECT && (changes & ~clobbers) === 0 ? DIRECT : LEFT
}
const found = (one: Case) => written(one) || (one.inline ? INLINE : INDIRECT)

function program(cases: readonly Case[], wrong = 0): string {
  const site = ({ clobbers, inline }: Case, k: number) => {
    const [push, pop] = SAVED[clobbers]
    return inline ? `site${k}: times ${BYTES[clobbers]} nop\n  ret` : `site${k}: ${push}\n  call dword [xm_pv_ops + 16]\n${pop}\n  ret`
  }
  const patch = (one: Case, k: number) => `
  mov dword [xm_pv_ops + 16], function
  mov dword [xm_pv_ops + 20], ${one.changes}
  mov dword [xm_pv_ops + 24], ${one.native > 0 ? 'native' : 0}
  mov dword [xm_pv_ops + 28], ${one.native}
  invoke xm_pv_patch, entry${k}, ${one.asked}
  cmp eax, ${written(one) ^ wrong}
  sete al
  movzx eax, al
  assert eax, "case ${k}: ${JSON.stringify(one).replaceAll('"', '')} says what it wrote"
  invoke xm_pv_form, entry${k}
  cmp eax, ${found(one)}
  sete al
  movzx eax, al
  assert eax, "case ${k}: what stands there"`
  return `.vcpu go
go:
${cases.map(patch).join('\n')}
  ret
function: ret
native: times 13 nop
align 16
${cases.map(site).join('\n')}
section .data
align 4
${cases.map(({ clobbers }, k) => `entry${k}: dd site${k}, ${BYTES[clobbers]}, 1, ${clobbers}`).join('\n')}`
}
const judge = (text: string) => {
  const { violation, verdict, strength } = checkImage(assembleImage(text), makeModel())
  return violation?.message ?? `${verdict}, ${strength}`
}

describe('xm_pv_patch', () => {
  it('says which form it wrote, or that the site is as it was, and xm_pv_form what stands there', () => {
    expect(CASES.length).toBe(108)
    expect(judge(program(CASES))).toBe('holds, complete')
  })
  it('is judged', () => expect(judge(program(CASES.slice(0, 1), 3))).toMatch(/case 0/))
  it('leaves inline what is inline where the function clobbers too much', () => {
    const kept = { clobbers: 0, inline: true, changes: 7, native: 0, asked: DIRECT }
    expect([written(kept), found(kept)]).toEqual([LEFT, INLINE])
    expect(judge(program([kept]))).toBe('holds, complete')
  })
})
