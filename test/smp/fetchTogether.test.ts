// Bytes that a rung ties to one time are fetched together only as they stood together: who has passed a newer write may not
// fetch what an older one replaced, also once nobody else can fetch what the newer one replaced.
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { makeModel } from '../../src/smp/model.ts'
import { Sharing } from '../../src/smp/sharing.ts'

/** One vCPU writes the byte at `first`, then, once it sees that, the other the byte at `second` and runs the code. */
const program = (lead: number, first: number, second: number) =>
  assembleImage(
    `
  .vcpu other
  .vcpu runner
  other: mov byte [code + ${first}], 2
    ret
  runner: cmp byte [code + ${first}], 2
    jne .done
    mov byte [code + ${second}], 2
    call code
    cmp eax, ${0x01010101 + (1 << ((first - 1) * 8)) + (1 << ((second - 1) * 8))}
    sete al
    movzx eax, al
    assert eax, "what stood there together was fetched"
    .done: ret
  section .text.code rwx
  align 4096
  resb ${lead}
  code: mov eax, 0x01010101
    ret`,
    { file: 'together.asm' },
  )

describe.each([
  ['one version', 'single', 0, 1, 2, true],
  ['one chunk', 'independent:16', 0, 1, 2, true],
  ['one chunk, the newer byte first', 'independent:16', 0, 2, 1, true],
  ['a chunk each', 'independent:16', 14, 1, 2, false],
  ['a chunk each, in order', 'ordered:16', 14, 2, 1, true],
  ['a chunk each, in order, the newer one later', 'ordered:16', 14, 1, 2, false],
  ['a page each', 'single', 4094, 1, 2, true],
  ['a page each, in order, the newer one first', 'ordered:16', 4094, 2, 1, true],
  ['bytes', 'byte', 0, 1, 2, false],
] as const)('%s (%s)', (_name, fetch, lead, first, second, together) => {
  it.each(['graph', 'dpor'] as const)(together ? 'holds by %s' : 'is violated by %s', (engine) => {
    const { verdict } = checkImage(program(lead, first, second), makeModel({ fetch }), { engine })
    expect(verdict).toBe(together ? 'holds' : 'violated')
  })
})

describe('who writes code beside it', () => {
  const known = () => {
    const sharing = new Sharing(4, 3)
    sharing.noteFetch(0, 0, 1)
    sharing.noteWrite(0, 0, 2)
    sharing.grown = false
    return sharing
  }

  it('decides which writes have an order: a new one starts the exploration again', () => {
    const sharing = known()
    sharing.noteWrite(0, 0, 2)
    expect(sharing.grown).toBe(false)
    sharing.noteWrite(0, 0, 4)
    expect(sharing.grown).toBe(true)
  })

  it('also where another exploration has learnt of it', () => {
    const [sharing, other] = [known(), known()]
    other.noteWrite(0, 0, 4)
    sharing.learn(known().learnt())
    expect(sharing.grown).toBe(false)
    sharing.learn(other.learnt())
    expect(sharing.grown).toBe(true)
  })
})
