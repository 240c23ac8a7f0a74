// One program in three ways: for real, recorded, and step by step as the explorer goes. All must end in the same state.
import { describe, expect, it } from 'vitest'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { PlainRun } from '../../src/platform/plainRun.ts'
import { runSteps } from '../../src/platform/stepRun.ts'
import type { MachineImage } from '../../src/smp/image.ts'
import { makeModel } from '../../src/smp/model.ts'
import { programAt } from '../programs.ts'

const LIMIT = 3_000_000
const model = makeModel()

function inThreeWays(image: MachineImage) {
  const plain = new PlainRun(image, model)
  plain.advance(LIMIT)
  expect(plain.stopped).toBeNull()
  expect(plain.ended).toBe(true)
  const recorded = new PlainRun(image, model)
  const recording = recorded.record(LIMIT)
  const again = new PlainRun(image, model)
  expect(again.replay(recording)).toBe(-1)
  const steps = runSteps(image, model, LIMIT)
  expect(steps.violation).toBeNull()
  expect([recorded.hash(), again.hash(), steps.hash]).toEqual([plain.hash(), plain.hash(), plain.hash()])
  expect([recorded.instructions, again.instructions, steps.instructions]).toEqual([plain.instructions, plain.instructions, plain.instructions])
  return { plain, recording }
}

/** Registers after every `slice` instructions. */
function checks(image: MachineImage, slice: number, undefinedFlags: string): number[] {
  const run = new PlainRun(image, makeModel({ undefinedFlags }))
  const found: number[] = []
  while (run.advance(slice) === slice) found.push(run.check())
  found.push(run.hash())
  return found
}

const assembled = (text: string) => assembleImage(`.vcpu main\n${text}`, { file: 'guest.asm' })

/** Each computes in EAX what it asserts. */
const SELF_MODIFYING: Readonly<Record<string, string>> = {
  'the next instruction, in the same block': `
main: mov ecx, 5
  xor eax, eax
.next: mov byte [.patched + 1], cl
.patched: mov ebx, 0
  add eax, ebx
  dec ecx
  jnz .next
  cmp eax, 15
  sete al
  movzx eax, al
  assert "15"
  ret`,
  'an instruction in front, by a push': `
main: mov ecx, 3
  xor eax, eax
.again: add eax, 1
  mov edi, esp
  mov esp, .again + 4
  mov edx, [.again]
  add edx, 0x10000
  push edx
  mov esp, edi
  loop .again
  cmp eax, 6
  sete al
  movzx eax, al
  assert "1 + 2 + 3"
  ret`,
  'data beside code, that is not code': `
main: mov ecx, 1000
.next: inc dword [counter]
  mov eax, [counter]
  dec ecx
  jnz .next
  cmp eax, 1000
  sete al
  movzx eax, al
  assert "1000"
  ret
align 4
counter: dd 0`,
  'a whole function, by a string instruction': `
main: mov ecx, 2
  mov esi, second
  mov edi, first
  call first
  mov ebx, eax
  cld
  mov ecx, second.end - second
  rep movsb
  call first
  shl eax, 4
  or eax, ebx
  cmp eax, 0x21
  sete al
  movzx eax, al
  assert "first, then second"
  ret
first: mov eax, 1
  ret
  nop
second: mov eax, 2
  ret
second.end: nop`,
  'an instruction that goes on in the next page': `
main: xor esi, esi
  mov ecx, 4
.next: mov byte [crossing + 1], cl
  mov byte [crossing + 4], cl
  call crossing
  add esi, eax
  loop .next
  cmp esi, 0x0a00000a
  sete al
  movzx eax, al
  assert "both pages"
  ret
align 4096
times 4093 nop
crossing: mov eax, 0
  ret`,
  'the jump that closes its own loop': `
main: mov ecx, 100
  xor eax, eax
.next: inc eax
  cmp eax, 7
  jne .on
  mov byte [.close], 0x90
  mov byte [.close + 1], 0x90
.on: dec ecx
.close: jmp short .next
  cmp eax, 7
  sete al
  movzx eax, al
  assert "7"
  ret`,
}

describe('a program that changes its own code:', () => {
  it.each(Object.entries(SELF_MODIFYING))('%s', (_name, text) => {
    inThreeWays(assembled(text))
  })
})

describe('plain runs', () => {
  const faults = assembled(`
.handler 0, divided
.handler 1, stepped
.handler 3, breakpoint
main: mov ecx, 400
  xor esi, esi
.next: mov eax, ecx
  and eax, 3
  mov ebx, eax
  mov eax, 100
  xor edx, edx
  cmp ebx, 2
  div ebx
  adc esi, eax
  test cl, 7
  jnz .on
  int3
.on: push esi
  push dword [esp]
  pop edi
  lock add dword [cell], edi
  xchg edi, [cell]
  sar edi, cl
  pop edx
  bt edi, ecx
  setc byte [cell]
  mov eax, ss
  mov ss, eax
  inc esi
  pushf
  test cl, 31
  jnz .straight
  or dword [esp], 0x100
.straight: popf
  inc esi
  adc esi, 2
  loop .next
  cmp esi, 0
  ret
divided: mov ebx, 5
  iret
stepped: add esi, 3
  and dword [esp + 8], 0xfffffeff
  iret
breakpoint: inc esi
  iret
section .data
cell: dd 1`)

  const strings = assembled(`
main: cld
  mov edi, buffer
  mov eax, 0x04030201
  mov ecx, 1500
  rep stosd
  mov esi, buffer + 100
  mov edi, buffer + 101
  mov ecx, 4000
  rep movsb
  mov esi, buffer + 8
  mov edi, buffer + 10
  mov ecx, 700
  rep movsd
  mov esi, buffer + 4
  mov edi, buffer + 4092
  mov ecx, 33
  rep movsw
  mov esi, buffer + 2
  mov edi, buffer + 4095
  mov ecx, 33
  rep movsd
  xor ecx, ecx
  rep movsd
  std
  mov esi, buffer + 5000
  mov edi, buffer + 5004
  mov ecx, 900
  rep movsd
  cld
  mov edi, buffer
  mov al, 4
  mov ecx, 6000
  repne scasb
  setz bl
  mov esi, buffer
  mov edi, buffer + 4
  mov ecx, 1000
  repe cmpsd
  adc ebx, edi
  mov ecx, 5
  mov esi, buffer
  rep lodsd
  add ebx, eax
  ret
section .data
align 4096
buffer: times 8192 db 7`)

  it('repeat strings as the explored machine does', () => {
    expect(inThreeWays(strings).plain.instructions).toBeGreaterThan(7000)
  })

  it('take faults, traps, locked and odd instructions as the explored machine does', () => {
    const { plain } = inThreeWays(faults)
    expect(plain.instructions).toBeGreaterThan(8000)
  })

  it.each(['fixed', 'random:7'])('can be cut anywhere: the state after n instructions does not depend on the slices (undefined flags: %s)', (undefinedFlags) => {
    for (const image of [faults, strings]) {
      const one = checks(image, 1, undefinedFlags)
      for (const slice of [2, 3, 7, 64]) {
        const every = checks(image, slice, undefinedFlags)
        expect(every.at(-1)).toBe(one.at(-1))
        expect(every.slice(0, -1)).toEqual(one.slice(0, -1).filter((_, k) => (k + 1) % slice === 0))
      }
    }
  })

  it('of a compiled program end where the steps end, and their recording replays', () => {
    const { recording } = inThreeWays(programAt('examples/bench/compute-small.o'))
    expect(recording.checks.length).toBeGreaterThan(10)
  })

  it('notice a recording of another run', () => {
    const recording = new PlainRun(faults, model).record(LIMIT)
    recording.checks[0] ^= 1
    expect(new PlainRun(faults, model).replay(recording)).toBe(0)
    const short = new PlainRun(faults, model).record(LIMIT)
    short.slices[0]++
    expect(new PlainRun(faults, model).replay(short)).toBe(0)
  })

  it('stop with a reason', () => {
    const stops = (text: string) => {
      const run = new PlainRun(assembled(text), model)
      run.advance(1000)
      return run.stopped?.kind
    }
    expect(stops('main: mov eax, 1\n mov [0x7fffffff], eax\n ret')).toBe('wild-access')
    expect(stops('main: mov eax, 0x70000000\n jmp eax')).toBe('wild-fetch')
    expect(stops('main: xor ecx, ecx\n div ecx\n ret')).toBe('unhandled-exception')
    expect(stops('main: hlt')).toBe('halted')
    expect(stops('main: xor eax, eax\n assert "no"\n ret')).toBe('assertion')
  })
})
