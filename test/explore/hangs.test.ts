// Machine code that hangs, and what must not be taken for it.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { checkImage, type CheckOptions } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/index.ts'
import { explain, formatExplanation } from '../../src/replay/explain.ts'
import { minimizeTrace } from '../../src/replay/minimize.ts'
import { reapply } from '../../src/replay/reapply.ts'
import { recordTrace, replayTrace, runSchedule } from '../../src/replay/record.ts'
import { parseScheduleLine } from '../../src/replay/schedule.ts'
import { parseSharing } from '../../src/replay/sharingText.ts'
import { decodeTrace, encodeTrace } from '../../src/replay/trace.ts'
import type { MachineImage } from '../../src/smp/image.ts'
import { makeModel } from '../../src/smp/model.ts'
import { programAt } from '../programs.ts'

const folder = fileURLToPath(new URL('../../examples/explore/', import.meta.url))
const object = (name: string) => programAt(`examples/explore/${name}.o`)
const hangs = readFileSync(`${folder}hangs.txt`, 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split(' '))
const locks = readFileSync(`${folder}locks.txt`, 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split(' '))
const model = (memory = 'tso') => makeModel({ memory, localSteps: 64 })

/** What was found, recorded in a trace. */
function trace(image: MachineImage, options: CheckOptions = {}, memory = 'tso') {
  const result = checkImage(image, model(memory), options)
  const cycle = result.cycleFrom === undefined ? null : { from: result.cycleFrom, victim: result.violation!.vcpu }
  return { result, recorded: recordTrace(image, model(memory), result.sharing, result.schedule!, cycle) }
}

const assembly = (text: string) => assembleImage(text, { title: 'hang' })

describe.each(['sc', 'tso'])('programs that hang, under %s', (memory) => {
  it.each(hangs.map(([name, sc, tso]) => [name, memory === 'sc' ? sc : tso]))('%s: %s', (name, expected) => {
    const { verdict, strength, violation, liveness } = checkImage(object(name), model(memory))
    expect(violation?.kind ?? verdict).toBe(expected)
    expect(strength).toBe('complete')
    if (verdict === 'holds') expect(liveness!.covered).toBe('termination')
  })

  it.each(hangs.filter(([, , tso]) => tso !== 'holds').map(([name]) => name))('%s: dpor says the same', (name) => {
    const graph = checkImage(object(name), model(memory)).violation?.kind
    const { result, recorded } = graph === undefined ? { result: null, recorded: null } : trace(object(name), { engine: 'dpor' }, memory)
    expect(result?.violation?.kind).toBe(graph)
    expect(recorded?.violation?.kind).toBe(graph)
  })

  it.each(locks.map(([name, sc, tso]) => [name, memory === 'sc' ? sc : tso]))('%s: %s, by graph and by dpor', (name, expected) => {
    for (const engine of ['graph', 'dpor'] as const) {
      const { verdict, strength, violation } = checkImage(object(name), model(memory), { engine })
      expect([violation?.kind ?? verdict, strength], engine).toEqual([expected, 'complete'])
    }
  })

  it.each(['ticket-n3-m1', 'tas-n3-m1', 'tas-n2-m2', 'ttas-n3-m1', 'mcs-n2-m1', 'peterson-m2-fence', 'dekker-m1-fence', 'dekker_try-m2-fence', 'seqlock-n1-m2', 'treiber-n2'])(
    '%s does not hang',
    (name) => {
      const { violation, liveness, strength } = checkImage(object(name), model(memory))
      expect([violation, strength, liveness!.covered]).toEqual([null, 'complete', 'termination'])
    },
  )
})

describe('dpor, where executions come back to where they were,', () => {
  const server = (served: string) => `.vcpu p0\n.vcpu p1\np0:\n mov dword [x], 1\n mov dword [x], 0\n jmp p0\np1:\n${served}\n ret\nsection .data\nalign 4\nx: dd 0\n`
  const check = (text: string) => checkImage(assembly(text), model(), { engine: 'dpor' })

  it('comes to an end, and says that it does not know', () => {
    const result = check(server(' mov eax, [x]'))
    expect([result.verdict, result.strength, result.violation]).toEqual(['unknown', 'bounded', null])
    expect(result.others!.endless).toBeGreaterThan(0)
    expect(result.reasons[0]).toContain('came back to a state')
  })

  it('goes on to look for what is wrong elsewhere', () => {
    expect(check(server(' mov eax, [x]\n test eax, eax\n jz .done\n ud2\n.done:')).violation?.kind).toBe('unhandled-exception')
  })

  it('is not taken in by cycles that are not fair', () => {
    // vCPU 0 goes round as long as vCPU 1 does not come to its store.
    const retry = '.vcpu p0\n.vcpu p1\np0:\n mov dword [x], 1\n mov dword [x], 0\n cmp dword [y], 0\n jz p0\n ret\np1:\n mov eax, [x]\n mov dword [y], 1\n ret\nsection .data\nalign 4\nx: dd 0\ny: dd 0\n'
    expect(checkImage(assembly(retry), model()).verdict).toBe('holds')
    expect(check(retry)).toMatchObject({ verdict: 'unknown', violation: null })
  })

  it('says as much in tasks', () => {
    const inTasks = (image: MachineImage) => checkImage(image, model(), { engine: 'dpor', tasks: { taskEvents: 200 } })
    const found = inTasks(object('livelock'))
    expect([found.violation?.kind, found.cycleFrom]).toEqual(['livelock', expect.any(Number)])
    expect(inTasks(assembly(server(' mov eax, [x]'))).verdict).toBe('unknown')
  })
})

describe('traces of runs that go round', () => {
  const image = object('lostwake')
  const { recorded } = trace(image)

  it('replay after a round trip through the file', () => {
    const again = decodeTrace(encodeTrace(recorded))
    expect(again.cycleFrom).toBe(recorded.cycleFrom)
    expect(replayTrace(again)).toMatchObject({ divergence: null, violation: { kind: 'lost-wakeup' } })
  })

  it('diverge where the cycle is not one', () => {
    expect(replayTrace({ ...recorded, cycleFrom: 0 }).divergence).not.toBeNull()
    const open = { ...recorded, schedule: recorded.schedule.slice(0, -1), checks: recorded.checks.slice(0, -1), cycleFrom: recorded.schedule.length - 2 }
    expect(replayTrace(open).divergence).not.toBeNull()
    expect(replayTrace({ ...recorded, cycleFrom: null }).divergence).not.toBeNull()
    // The other vCPU has ended: it does not wait.
    expect(replayTrace({ ...recorded, violation: { ...recorded.violation!, vcpu: 1 - recorded.violation!.vcpu } }).divergence).not.toBeNull()
  })

  it('are explained by the store that stayed in its buffer, and run from the schedule line', () => {
    const explanation = explain(recorded)
    expect(explanation.deciding?.text).toMatch(/^the store of vCPU [01] to \S+( \(\S+\))? stays in its buffer/)
    expect(formatExplanation(explanation, 100)).toContain('repeats for ever')
    const line = parseScheduleLine(explanation.schedule)
    const { trace: again } = runSchedule(image, model(), parseSharing(image, line.sharing).sharing, line.schedule, line.cycle)
    expect(again.violation?.kind).toBe('lost-wakeup')
  })

  it('are minimised, and re-applied: the fence mends it', () => {
    const { trace: smaller } = minimizeTrace(recorded)
    expect(replayTrace(smaller)).toMatchObject({ divergence: null, violation: { kind: 'lost-wakeup' } })
    expect(reapply(recorded, image).outcome).toBe('fails')
    expect(reapply(recorded, object('lostwake-fence')).outcome).not.toBe('fails')
  })
})

describe('who goes on for ever', () => {
  it('is not taken to wait as long as others can see what it does', () => {
    const server = '.vcpu p0\n.vcpu p1\np0:\n.again:\n mov eax, 1\n xchg [x], eax\n mov eax, 0\n xchg [x], eax\n cmp dword [y], 0\n jz .again\n ret\n'
    const data = 'section .data\nalign 4\nx: dd 0\ny: dd 0\n'
    const result = checkImage(assembly(`${server}p1:\n mov eax, [x]\n ret\n${data}`), model())
    expect(result).toMatchObject({ verdict: 'holds', liveness: { covered: 'deadlock' } })
    expect(result.liveness!.text).toContain('vCPU 0')
    // The same without an effect waits.
    const waiter = '.vcpu p0\n.vcpu p1\np0:\n.again:\n mov eax, [x]\n cmp dword [y], 0\n jz .again\n ret\n'
    expect(checkImage(assembly(`${waiter}p1:\n mov dword [x], 1\n ret\n${data}`), model()).violation?.kind).toBe('deadlock')
    // And without a way out it is a loop that may be meant.
    expect(checkImage(assembly(`.vcpu p0\n.vcpu p1\np0:\n.again:\n mov eax, [x]\n jmp .again\np1:\n mov dword [x], 1\n ret\n${data}`), model()).verdict).toBe('holds')
  })
})

describe('who spins alone', () => {
  const spins = (other: string) =>
    checkImage(assembly(`.vcpu p0\n.vcpu p1\np0:\n mov dword [want], 1\n.again:\n cmp dword [flag], 0\n je .again\n ret\np1:\n${other}\n.done:\n ret\nsection .data\nalign 4\nwant: dd 0\nflag: dd 0\n`), model()).violation
  it('has lost a wake-up only where there is one that could have been given', () => {
    expect(spins(' cmp dword [want], 0\n je .done\n mov dword [flag], 1')).toMatchObject({ kind: 'lost-wakeup', message: expect.stringContaining('reading flag (which nobody has written)') })
    expect(spins(' mov eax, [want]')).toMatchObject({ kind: 'deadlock', message: expect.stringContaining('reading nothing that others ever write') })
  })
})

describe('sleep', () => {
  const program = (waiter: string, waker: string, rest = '') =>
    checkImage(assembly(`.vcpu waiter\n.vcpu waker\nwaiter:\n${waiter}\n ret\nwaker:\n${waker}\n ret\n${rest}\nsection .data\nalign 4\nready: dd 0\n`), model())
  const handler = '.handler 33, arrives\narrives:\n mov dword [ready], 1\n iret\n'

  it('is lost where the interrupt is taken before HLT, and the message names it', () => {
    const check = (body: string) => program(body, ' mov eax, 0\n mov edx, 33\n xm_ipi', handler)
    const lost = check(' sti\n.again:\n mov eax, [ready]\n test eax, eax\n jnz .done\n hlt\n jmp .again\n.done:')
    expect(lost.violation).toMatchObject({ kind: 'lost-wakeup', vcpu: 0 })
    expect(lost.violation!.message).toMatch(/IPI 33 from vCPU 1, came too early: at step \d+, and was taken at step \d+, before it slept/)
    // STI holds interrupts off for one instruction: HLT is reached.
    const kept = check(' cli\n.again:\n mov eax, [ready]\n test eax, eax\n jnz .done\n sti\n hlt\n cli\n jmp .again\n.done:\n sti')
    expect(kept).toMatchObject({ verdict: 'holds', liveness: { covered: 'termination' } })
  })
})
