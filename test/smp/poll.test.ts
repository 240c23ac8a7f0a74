// XM_POLL: a hypervisor blocks a vCPU until an event byte is set, or an interrupt was taken.
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { makeModel } from '../../src/smp/model.ts'

const judge = (source: string) => {
  const result = checkImage(assembleImage(`${source}\nsection .data\nevent: db 0\nseen: dd 0`, { title: 'poll' }), makeModel())
  return result.violation === null ? `${result.verdict} ${result.strength}` : `${result.violation.kind}: ${result.violation.message}`
}

describe('poll', () => {
  it('goes on when the byte is set, and leaves it set', () => {
    expect(judge('.vcpu a\n.vcpu b\na: poll event\npoll event\nmovzx eax, byte [event]\nassert\nret\nb: mov byte [event], 1\nret')).toBe('holds complete')
  })
  it('sleeps for ever when it is cleared after it was set: the wake-up is lost', () => {
    expect(judge('.vcpu a\n.vcpu b\na: mov byte [event], 0\npoll event\nret\nb: mov byte [event], 1\nret')).toContain('lost-wakeup: nobody can go on: vCPU 0 sleeps (XM_POLL)')
  })
  it('empties the store buffer first: what was stored before is seen by whoever wakes', () => {
    expect(judge('.vcpu a\n.vcpu b\na: mov dword [seen], 1\npoll event\nret\nb: xor eax, eax\nlock add [esp], eax\nwait: cmp dword [seen], 0\nje wait\nmov byte [event], 1\nret')).toBe('holds complete')
  })
  it('ends with an interrupt, behind the call; STI just before it lets none through first', () => {
    expect(judge('.vcpu a\n.vcpu b\n.handler 0x40, handler\na: mov eax, event\nsti\npoll\ncli\nret\nb: ipi 0, 0x40\nret\nhandler: iretd')).toBe('holds complete')
  })
  it('wants memory', () => {
    expect(judge('.vcpu a\na: poll 0xfff00000\nret')).toContain('bad-call')
  })
})
