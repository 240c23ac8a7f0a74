// vCPUs that sleep in a loop which leads nowhere else: idle, and the end of an execution once nobody else goes on.
import { describe, expect, it } from 'vitest'
import { checkImage, type CheckOptions } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { explain } from '../../src/replay/explain.ts'
import { recordSharing, recordTrace, replayTrace, runSchedule } from '../../src/replay/record.ts'
import { parseScheduleLine } from '../../src/replay/schedule.ts'
import { decodeTrace, encodeTrace } from '../../src/replay/trace.ts'
import type { MachineImage } from '../../src/smp/image.ts'
import { makeModel } from '../../src/smp/model.ts'

const PAGING = 'mov eax, 0x10\nmov cr4, eax\nmov eax, directory\nmov cr3, eax\nmov eax, cr0\nor eax, 0x80000000\nmov cr0, eax'
/** One asks another, which sleeps by `idle`, and waits for the answer. */
function judge(idle: string, { engine = 'graph', ask = 'ipi 1, 0x40\nagain: pause\ncmp dword [answered], 1\njne again' }: CheckOptions & { readonly ask?: string } = {}) {
  const text = `.vcpu asker\n.vcpu idler\n.init setup\n.final end\n.handler 0x40, handler
setup: mov dword [directory], 0xe3\nret
asker:
${ask}\nret
idler:
${idle}
handler: mov dword [answered], 1\niret
end: assert 1, "it came to an end"\nret
section .data\nalign 4096\ndirectory: times 1024 dd 0\nanswered: dd 0`
  const { verdict, strength, violation, liveness } = checkImage(assembleImage(text, { title: 'idle' }), makeModel(), { engine })
  return [violation?.kind ?? `${verdict} ${strength}`, liveness?.covered]
}

describe('who sleeps for good', () => {
  it('is idle where its code leads to nothing else, paging or not: that is an end like any other', () => {
    for (const start of ['', PAGING]) {
      const loops = ['idle: hlt\njmp idle', 'idle: cli\nnop\nsti\nhlt\njmp idle', 'idle: halt\njmp idle']
      expect(loops.map((loop) => judge(`${start}\nsti\n${loop}`))).toEqual(loops.map(() => ['holds complete', 'termination']))
      expect(judge(`${start}\nsti\n${loops[0]}`, { engine: 'dpor' })).toEqual(['holds complete', 'termination'])
    }
  })
  it('waits where it would go on to something else', () => {
    for (const start of ['', PAGING])
      expect(judge(`${start}\nsti\nidle: cmp dword [answered], 2\nje done\nhlt\njmp idle\ndone: ret`)[0]).toBe('lost-wakeup')
    expect(judge('sti\nidle: hlt\ninc dword [answered + 4]\njmp idle', { ask: 'nop' })[0]).toBe('lost-wakeup')
    expect(judge('call sleep\nmov dword [answered + 4], 1\nret\nsleep: sti\nhlt\nret', { ask: 'nop' })[0]).toBe('lost-wakeup')
  })
  it('waits though another goes round for ever', () => {
    expect(judge('sti\nhlt\nret', { ask: 'more: pause\ncmp dword [answered], 2\njmp more' })[0]).toMatch(/deadlock|lost-wakeup/)
    expect(judge('sti\nidle: hlt\njmp idle', { ask: 'more: pause\ncmp dword [answered], 2\njmp more' })[1]).toBe('deadlock')
    expect(judge(`${PAGING}\nsti\nidle: pause\njmp idle`)[1]).toBe('deadlock')
  })
  it('owes nothing to interrupts that may come, which may not', () => {
    const declared = (idle: string, final = '') => assembleImage(`.vcpu only\n.irq 0, 0x30, timer, 1\n${final}\nonly: sti\n${idle}\ntimer: inc dword [ticks]\niret\n${final === '' ? '' : 'end: assert 1, "end"\nret'}\nsection .data\nticks: dd 0`, { title: 'timer' })
    for (const engine of ['graph', 'dpor'] as const) {
      const kindOf = (image: MachineImage) => {
        const { violation, verdict, strength } = checkImage(image, makeModel(), { engine })
        return violation?.kind ?? `${verdict} ${strength}`
      }
      expect([engine, kindOf(declared('idle: hlt\njmp idle')), kindOf(declared('hlt\nret'))]).toEqual([engine, 'holds complete', 'lost-wakeup'])
      // Where it never comes the end is not looked at.
      expect(kindOf(declared('idle: hlt\njmp idle', '.final end'))).toBe('holds bounded')
    }
    const image = declared('hlt\nret')
    const { schedule, cycleFrom, violation, sharing } = checkImage(image, makeModel(), { engine: 'graph' })
    const trace = recordTrace(image, makeModel(), sharing, schedule!, { from: cycleFrom!, victim: violation!.vcpu })
    expect(replayTrace(decodeTrace(encodeTrace(trace))).violation?.kind).toBe('lost-wakeup')
    const line = explain(trace).schedule
    const { schedule: again, cycle } = parseScheduleLine(line)
    expect(runSchedule(image, makeModel(), recordSharing(sharing), again, cycle).trace.violation?.kind).toBe('lost-wakeup')
  })
})
