// A fetch ladder says nothing of a program that never gets to what it asserts.
import { describe, expect, it } from 'vitest'
import { climb, tryProfiles } from '../../src/cli/ladder.ts'
import { checkImage } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { makeModel } from '../../src/smp/model.ts'

const options = { engine: 'graph', liveness: 'off' } as const
const program = (condition: string) => assembleImage(`.vcpu patcher
.vcpu executor
patcher: mov byte [site + 1], 2
  ret
executor: call code
  cmp al, ${condition}
  jne done
  assert eax, "not 0"
done: ret
code:
site: mov al, 1
  ret
.forms site, 2, one, two
section .rodata
one: db 0xb0, 1
two: db 0xb0, 2`)

async function ladderOf(condition: string) {
  const image = program(condition)
  const ladder = await climb(image, {}, options, checkImage(image, makeModel({}), options))
  return { ladder, profiles: await tryProfiles(image, {}, options, ladder) }
}

describe('a ladder', () => {
  it('holds where what is asserted is reached', async () => {
    const { ladder, profiles } = await ladderOf('2')
    expect(new Set(ladder.rungs.map((one) => one.verdict))).toEqual(new Set(['holds', 'violated'])) // code was modified, says the strict one
    expect(profiles.some((one) => one.verdict === 'holds')).toBe(true)
  })
  it('is unknown where no rung reaches it', async () => {
    const { ladder, profiles } = await ladderOf('3')
    expect(ladder.rungs.filter((one) => one.verdict === 'holds')).toEqual([])
    expect(profiles.filter((one) => one.verdict === 'holds')).toEqual([])
  })
})
