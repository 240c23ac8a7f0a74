// XM_ARRIVE, XM_QUEUED, XM_RELEASE and XM_HALT: the order in which a lock is entered, and who touches it last.
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { makeModel } from '../../src/smp/model.ts'

const judge = (source: string, knobs = {}) => {
  const result = checkImage(assembleImage(`${source}\nsection .data\nalign 64\nlock: dd 0\nhead: dd 0\nlate: dd 0`, { title: 'locks' }), makeModel(knobs))
  return result.violation === null ? `${result.verdict} ${result.strength}` : `${result.violation.kind}: ${result.violation.message}`
}
const both = (body: string) => `.vcpu a, 2\n.object lock, 12\na: ${body}\nret`

describe('fifo-order', () => {
  const byte = (turns: number, queued: string) => both(`mov ebx, ${turns}
again: arrive lock
  ${queued}
try: mov eax, 1
  xchg eax, [lock]
  test eax, eax
  jz got
spin: pause
  cmp dword [lock], 0
  jne spin
  jmp try
got: enter lock
  leave lock
  mov dword [lock], 0
  dec ebx
  jnz again`)
  const ticket = (turns: number) => both(`mov ebx, ${turns}
again: arrive lock
  mov ecx, 1
  lock xadd [lock], ecx
  queued lock
wait: cmp [head], ecx
  je got
  pause
  jmp wait
got: enter lock
  leave lock
  inc dword [head]
  dec ebx
  jnz again`)
  it('holds of tickets, and of two that come once', () => {
    expect(judge(ticket(2))).toBe('holds complete')
  })
  it('is violated by a byte lock that claims it, and named', () => {
    expect(judge(byte(2, 'queued lock'))).toMatch(/^fifo-order: enters lock before vCPU \d, which was in the queue when it came/)
    expect(judge(byte(2, ''))).toBe('holds complete')
  })
  it('is nobody\'s who has only come: whose place is taken at the draw alone', () => {
    // The mark before the draw: another may draw in between, and is first by right.
    expect(judge(ticket(1).replace('  queued lock\n', '').replace('arrive lock', 'arrive lock\n  queued lock'))).toMatch(/^fifo-order/)
  })
  it('wants XM_ARRIVE first', () => {
    expect(judge(both('queued lock'))).toContain('bad-call: XM_QUEUED(lock) without XM_ARRIVE')
  })
  it('forgets who gave up', () => {
    expect(judge('.vcpu a\n.vcpu b\na: arrive lock\nqueued lock\narrive lock\nret\nb: arrive lock\nqueued lock\nenter lock\nleave lock\nret')).toMatch(/^fifo-order/)
    expect(judge('.vcpu a\n.vcpu b\na: arrive lock\nqueued lock\narrive lock\nmov dword [late], 1\nret\nb: pause\ncmp dword [late], 0\nje b\narrive lock\nqueued lock\nenter lock\nleave lock\nret')).toBe('holds complete')
  })
})

describe('access-after-release', () => {
  const byte = (release: string) => both(`arrive lock
try: mov eax, 1
  xchg eax, [lock]
  test eax, eax
  jnz try
  enter lock
  ${release}`)
  it('holds of a lock that is touched last where it is released', () => {
    expect(judge(byte('release lock, 12\nmov dword [late], 0\nmov dword [lock], 0'))).toBe('holds complete')
  })
  it('is violated by a store or a load behind it, of any byte of the lock', () => {
    const after = (late: string) => judge(byte(`release lock, 12\nmov dword [lock], 0\n${late}`))
    for (const late of ['mov al, [lock + 7]', 'cmp dword [lock], 0']) expect(after(late)).toMatch(/^access-after-release: reads lock after it was released/)
    expect(after('mov dword [late], 0')).toMatch(/^access-after-release: has a buffered store reach lock after it was released/)
    expect(after('lock inc dword [late]')).toMatch(/^access-after-release: (reads|writes) lock/)
    expect(judge(byte('release lock, 8\nmov dword [lock], 0\nmov dword [late], 0'))).toBe('holds complete')
    expect(judge(byte('leave lock\nmov dword [lock], 0\nmov dword [late], 0'))).toBe('holds complete')
  })
  it('sees a word that its vCPU alone touches', () => {
    const own = byte('release lock, 12\nmov dword [lock], 0\ncmp dword [esp - 4], edi\nje own\nret\nown: mov dword [late], 0')
    expect(judge(own.replace('.vcpu a, 2', '.vcpu a\n.vcpu b').replace('a: arrive', 'b: mov edi, 1\njmp go\na: xor edi, edi\nmov [esp - 4], edi\ngo: arrive'))).toMatch(/^access-after-release/)
  })
  it('is over when it arrives again', () => {
    expect(judge(both('mov ebx, 2\nagain: arrive lock\ntry: mov eax, 1\nxchg eax, [lock]\ntest eax, eax\njnz try\nenter lock\nrelease lock, 12\nmov dword [lock], 0\ndec ebx\njnz again'))).toBe('holds complete')
  })
  it('is a claim about an owner', () => {
    expect(judge(both('release lock, 4'))).toContain('mutual-exclusion: leaves lock, which nobody owns')
    expect(judge('.vcpu a\na: enter lock\nmov edx, 0x7fffffff\nmov eax, lock\nrelease\nret')).toContain('bad-call')
  })
})

describe('halt', () => {
  it('ends with a kick, be it early', () => {
    expect(judge('.vcpu a\n.vcpu b\na: halt\nret\nb: kick 0\nret')).toBe('holds complete')
    expect(judge('.vcpu a\na: halt\nret')).toContain('lost-wakeup')
  })
  it('ends with an interrupt, which block does not', () => {
    const source = (call: string) => `.vcpu a\n.vcpu b\n.handler 0x40, handler\na: sti\n${call}\ncli\nret\nb: ipi 0, 0x40\nret\nhandler: iretd`
    expect(judge(source('halt'))).toBe('holds complete')
    expect(judge(source('block'))).toContain('lost-wakeup')
  })
})
