// Where an INT3 stands now, a fetch that lags may find the longer instruction that stood there before: all of its bytes, wherever in their dwords they
// stand, are fetched.
import { describe, expect, it } from 'vitest'
import { checkImage, type Engine } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { makeModel } from '../../src/smp/model.ts'

/** One vCPU plants a breakpoint, for which 3 is returned, and writes behind it; the other goes by what `run` says, and judges what it gets by `fine`. */
const program = (place: number, run: string, fine: string) =>
  assembleImage(
    `
  .vcpu patcher
  .vcpu runner
  .handler 3, breakpoint
  patcher: mov byte [code], 0xcc
    mov byte [code + 1], 2
    mov dword [told], 1
    ret
  runner:
    ${run}
    call code
    ${fine}
    movzx eax, al
    assert eax, "one of both"
    ret
  breakpoint: mov eax, 3
    mov dword [esp], code + 5
    iret
  section .text.code rwx
  align 64
  resb ${place}
  code: mov eax, 1
    ret
  section .data
  told: dd 0`,
    { file: 'breakpoint.asm' },
  )
const told = '.wait: cmp dword [told], 0\n je .wait'

describe.each([0, 1, 2, 3])('an instruction at byte %i of a dword', (place) => {
  const verdict = (image: ReturnType<typeof program>, fetch: string, engine: Engine) => checkImage(image, makeModel({ fetch }), { engine, liveness: 'off', executions: 100 }).verdict
  describe.each(['graph', 'dpor', 'random'] as const)('by %s', (engine) => {
    it.each(['single', 'byte'])('is fetched old behind the breakpoint on rung %s, unless the vCPU has serialised', (fetch) => {
      expect(verdict(program(place, told, 'cmp eax, 1\nsetne al'), fetch, engine)).toBe('violated')
      expect(verdict(program(place, `${told}\ncpuid`, 'cmp eax, 1\nsetne al'), fetch, engine)).toBe('holds')
    })
    it('is no mixture where bytes are fetched together', () => {
      expect(verdict(program(place, told, 'cmp eax, 2\nsetne al'), 'single', engine)).toBe('holds')
      expect(verdict(program(place, told, 'cmp eax, 2\nsetne al'), 'byte', engine)).toBe('violated')
    })
  })
})
