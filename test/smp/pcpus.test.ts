// Fewer pCPUs than vCPUs: what a hypervisor's scheduler can do to a program (against an interpreter: properties/pcpus.test.ts).
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { explain, formatExplanation } from '../../src/replay/explain.ts'
import { minimizeTrace } from '../../src/replay/minimize.ts'
import { recordSharing, recordTrace, replayTrace, runSchedule } from '../../src/replay/record.ts'
import { parseScheduleLine } from '../../src/replay/schedule.ts'
import { decodeTrace, encodeTrace } from '../../src/replay/trace.ts'
import { makeModel } from '../../src/smp/model.ts'

const DATA = 'section .data\nx: dd 0\ny: dd 0\nr: dd 0, 0\nevent: db 0'
const program = (code: string) => assembleImage(`${code}\n${DATA}`, { title: 'pcpus' })
const modelOf = (pcpus: number) => makeModel({ pcpus })
const judge = (code: string, pcpus: number) => {
  const { verdict, strength, violation } = checkImage(program(code), modelOf(pcpus), { engine: 'graph' })
  return violation === null ? `${verdict} ${strength}` : `${violation.kind}: ${violation.message}`
}

describe('one pCPU', () => {
  const counts = (body: string) => `.vcpu a\n.vcpu b\n.final f\na: ${body}\nret\nb: ${body}\nret\nf: xor eax, eax\ncmp dword [x], 2\nsete al\nassert eax\nret`
  it('makes single instructions atomic, and no more than that', () => {
    expect([judge(counts('inc dword [x]'), 2), judge(counts('inc dword [x]'), 1)]).toEqual([expect.stringMatching(/^assertion/), 'holds complete'])
    expect(judge(counts('mov eax, [x]\ninc eax\nmov [x], eax'), 1)).toMatch(/^assertion/)
  })
  it('lets nobody see a store late: it is in memory before another runs', () => {
    const code = '.vcpu a\n.vcpu b\n.final f\na: mov dword [x], 1\nmov eax, [y]\nmov [r], eax\nmov eax, [y]\nret\nb: mov dword [y], 1\nmov eax, [x]\nmov [r+4], eax\nmov eax, [x]\nret\nf: mov eax, [r]\nor eax, [r+4]\nassert eax\nret'
    expect([judge(code, 2), judge(code, 1)]).toEqual([expect.stringMatching(/^assertion/), 'holds complete'])
  })
  it('a holder that lost it gets it again, however long the waiter spins', () => {
    const lock = (name: string) => `${name}: mov eax, 1\nxchg [x], eax\ntest eax, eax\njnz ${name}\nmov dword [x], 0\nret`
    expect(judge(`.vcpu a\n.vcpu b\n.vcpu c\n${lock('a')}\n${lock('b')}\n${lock('c')}`, 1)).toBe('holds complete')
  })
  it('whoever waits for each other still does', () => {
    const take = (word: string, at: string) => `${at}: mov eax, 1\nxchg [${word}], eax\ntest eax, eax\njnz ${at}`
    expect(judge(`.vcpu a\n.vcpu b\na:\n${take('x', 'first')}\n${take('y', 'second')}\nret\nb:\n${take('y', 'third')}\n${take('x', 'fourth')}\nret`, 1)).toMatch(/^deadlock/)
  })
  it('the event that comes between look and sleep is lost there too', () => {
    expect(judge('.vcpu a\n.vcpu b\na: cmp dword [x], 0\njne done\nmov byte [event], 0\npoll event\ndone: ret\nb: mov dword [x], 1\nmov byte [event], 1\nret', 1)).toMatch(/^lost-wakeup/)
  })
  it('an IPI waits for the vCPU that has none, and is answered; not where the sender keeps interrupts off and so does the other', () => {
    const shoot = (b: string) => `.vcpu a\n.vcpu b\n.handler 0x40, handler\na: ipi 1, 0x40\nspin: cmp dword [x], 0\nje spin\nret\nb: ${b}\nhandler: mov dword [x], 1\niretd`
    expect(judge(shoot('sti\ncmp dword [y], 0\nret'), 1)).toMatch(/^deadlock|^lost-wakeup/)
    expect(judge(shoot('sti\nagain: cmp dword [x], 0\nje again\nret'), 1)).toBe('holds complete')
    expect(judge(shoot('\nagain: cmp dword [x], 0\nje again\nret'), 1)).toMatch(/^deadlock/)
    expect(judge(shoot('sti\nhlt\nret'), 1)).toBe('holds complete')
  })
  it('who yields empties its buffer, does nothing before it runs again, and need not be preempted', () => {
    const code = '.vcpu a\n.vcpu b\na: mov dword [x], 1\nyield\nmov dword [y], 1\nret\nb: mov ecx, [y]\nmov eax, [x]\nmov [r], eax\nmov [r+4], ecx\nxor edx, edx\ncmp ecx, eax\nsetbe dl\nmov eax, edx\nassert eax\nret'
    expect(judge(code, 1)).toBe('holds complete')
    const free = checkImage(program(code.replace('setbe dl', 'sete dl')), modelOf(1), { engine: 'graph', limits: { preemptions: 0 } })
    expect([free.violation?.kind, free.cost?.preemptions]).toEqual(['assertion', 0])
  })
})

it('a run is not fair that keeps a vCPU from its pCPU for ever', () => {
  const image = program('.vcpu a\n.vcpu b\na: cmp dword [x], 0\njne done\nmov dword [y], 1\ndone: ret\nb: cmp dword [y], 0\nje b\nret')
  const { sharing } = checkImage(image, modelOf(1), { engine: 'graph' })
  const round = (pcpus: number, text: string) => {
    const { schedule, cycle } = parseScheduleLine(text)
    return runSchedule(image, modelOf(pcpus), recordSharing(sharing), schedule, cycle).trace.violation
  }
  expect(round(1, 'run1 cycle:1 run1')).toBeNull()
  expect(round(1, 'run1 off1 run0 off0 cycle:1 run1 off1')).toBeNull()
  const hung = program('.vcpu a\n.vcpu b\na: ret\nb: cmp dword [y], 0\nje b\nret\nlater: mov dword [y], 1')
  expect(checkImage(hung, modelOf(1), { engine: 'graph' }).violation?.kind).toBe('deadlock')
})

describe('a schedule', () => {
  const image = program('.vcpu a\n.vcpu b\n.final f\na: mov eax, [x]\ninc eax\nmov [x], eax\nret\nb: mov eax, [x]\ninc eax\nmov [x], eax\nret\nf: xor eax, eax\ncmp dword [x], 2\nsete al\nassert eax\nret')
  const result = checkImage(image, modelOf(1), { engine: 'graph' })
  const { trace } = minimizeTrace(recordTrace(image, modelOf(1), result.sharing, result.schedule!))
  it('replays, costs a preemption for the vCPU that lost its pCPU, and says who did', () => {
    expect(replayTrace(trace)).toMatchObject({ divergence: null, violation: { kind: 'assertion' } })
    expect(result.cost).toMatchObject({ preemptions: 1, environment: 0 })
    const explanation = explain(trace)
    expect(explanation.elements.at(-1)!.text).toMatch(/^the hypervisor takes the pCPU of vCPU (\d) away after `load x = 0x0` \(scenario\.asm:\d\) of vCPU \1$/)
    expect(explanation.short).toMatch(/^The hypervisor deschedules vCPU \d after `load x = 0x0` \(scenario\.asm:\d\), and it goes on with `store x = 0x1 \(buffered\)` \(scenario\.asm:\d+\)\.$/)
    expect(formatExplanation(explanation, 80)).toMatch(/Schedule: [^\n]*run(\d) off\1 /)
  })
  it('is found by samplers, and dpor says that it does not look for it', () => {
    expect(checkImage(image, modelOf(1), { engine: 'portfolio', executions: 200 }).violation?.kind).toBe('assertion')
    const right = program('.vcpu a\n.vcpu b\na: inc dword [x]\ninc dword [x]\nret\nb: inc dword [x]\ninc dword [x]\nret')
    const promises = [0, 1].map((pcpus) => checkImage(right, modelOf(pcpus), { engine: 'pct', executions: 50 }).guarantees !== undefined)
    expect(promises).toEqual([true, false])
    const dpor = checkImage(image, modelOf(1), { engine: 'dpor' })
    expect([dpor.verdict, dpor.reasons.join()]).toEqual(['unknown', 'dpor does not handle fewer pCPUs than vCPUs (pcpus=1); use --engine graph'])
    expect(checkImage(image, modelOf(1), { engine: 'auto' }).violation?.kind).toBe('assertion')
  })
})

describe('where the hypervisor says who has a pCPU', () => {
  const DATA_SEEN = '.steal flags, 1\nsection .data\nx: dd 0\ny: dd 0\nflags: db 0, 0'
  const seen = (code: string, pcpus = 0) => checkImage(assembleImage(`${code}\n${DATA_SEEN}`, { title: 'seen' }), modelOf(pcpus), { engine: 'graph' })
  const outcome = (code: string, pcpus = 0) => {
    const { verdict, strength, violation } = seen(code, pcpus)
    return violation === null ? `${verdict} ${strength}` : violation.kind
  }
  /** vCPU 1 looks whether vCPU 0 runs, and at its steps, twice. */
  const looks = (condition: string) =>
    `.vcpu a\n.vcpu b\na: lock inc dword [x]\nlock inc dword [x]\nret\nb: movzx ebx, byte [flags]\nmov esi, [x]\nmov edi, [x]\nmovzx ecx, byte [flags]\n${condition}\nsetne al\nmovzx eax, al\nassert eax\nret`
  it('one that has none at both looks may have run in between; one that has is seen to before it does anything', () => {
    const changed = 'cmp ebx, 1\njne other\ncmp esi, edi\nje other\ncmp ecx, 1\nother:'
    expect([outcome(looks(changed)), outcome(looks(changed), 1)]).toEqual(['assertion', 'assertion'])
    const back = 'cmp ebx, 1\njne other\ncmp esi, 0\njne other\ncmp edi, 0\njne other\ncmp ecx, 0\nother:'
    expect([outcome(looks(back)), outcome(looks(back), 1)]).toEqual(['assertion', 'holds complete'])
  })
  it('takes one away from a vCPU that sleeps, after what it did before', () => {
    const asleep = (flag: number) => `.vcpu a\n.vcpu b\na: mov dword [x], 1\nblock\nret\nb: mov esi, [x]\nmovzx ebx, byte [flags]\nkick 0\ncmp esi, 1\njne other\ncmp ebx, ${flag}\nother: setne al\nmovzx eax, al\nassert eax\nret`
    expect([outcome(asleep(0)), outcome(asleep(1))]).toEqual(['assertion', 'assertion'])
  })
  it('is fair to who does something, not to who looks at it only where another has none', () => {
    const spins = 'b: cmp dword [x], 0\nje b\nret'
    expect([0, 1].map((pcpus) => outcome(`.vcpu a\n.vcpu b\na: mov dword [y], 1\nmov dword [x], 1\nret\n${spins}`, pcpus))).toEqual(['holds complete', 'holds complete'])
    const waits = 'b: cmp byte [flags], 0\njne b\nmov dword [x], 1\nret'
    const { violation } = seen(`.vcpu a\n.vcpu b\na: cmp dword [x], 0\nje a\nret\n${waits}`)
    expect([violation?.kind, violation?.message]).toEqual(['livelock', expect.stringMatching(/vCPU 1 goes round at .*, reading flags \(written last by the hypervisor\)/)])
    expect(outcome(`.vcpu a\n.vcpu b\na: ret\n${waits}`)).toBe('lost-wakeup')
  })
  it('dpor says that it does not look for it; traces hold it, and say what the hypervisor wrote', () => {
    const image = assembleImage(`${looks('cmp ebx, 1')}\n${DATA_SEEN}`, { title: 'seen' })
    expect(checkImage(image, modelOf(0), { engine: 'dpor' }).reasons.join()).toBe('dpor does not handle vCPUs that see who has a pCPU (XM_STEAL_TIME); use --engine graph')
    const result = checkImage(image, modelOf(0), { engine: 'auto' })
    const { trace } = minimizeTrace(recordTrace(image, modelOf(0), result.sharing, result.schedule!))
    const file = encodeTrace(trace)
    expect(replayTrace(decodeTrace(file))).toMatchObject({ divergence: null, violation: { kind: 'assertion' } })
    expect(formatExplanation(explain(trace), 120)).toMatch(/the hypervisor writes flags = 1[^]*Schedule: [^\n]*off0 run1/)
    const damaged = encodeTrace({ ...trace, image: { ...image, stealTime: { address: 0, strideBytes: 1 } } })
    expect(() => decodeTrace(damaged)).toThrow('stealTime has no byte that can be written for vCPU 0')
  })
})
