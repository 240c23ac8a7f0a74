// Loops that look a bounded number of times: taken at once, replayed turn by turn; and what only looks like one.
import { describe, expect, it } from 'vitest'
import { compareSpins, spinProgram } from '../../properties/fuzz/spins.ts'
import { checkImage, type Engine } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/index.ts'
import { explain, formatExplanation } from '../../src/replay/explain.ts'
import { minimizeTrace } from '../../src/replay/minimize.ts'
import { recordTrace, replayTrace } from '../../src/replay/record.ts'
import { makeModel } from '../../src/smp/model.ts'
import { splitmix } from './splitmix.ts'

const DATA = 'section .data\nalign 4\nlocked: dd 1\nx: dd 0\ny: dd 0\n'
const program = (waiter: string, setter = ' mov dword [locked], 0\n ret', init = ' mov ecx, 1000') =>
  assembleImage(`.vcpu p0\n.vcpu p1\np0:\n${init}\nagain:\n${waiter}\np1:\n${setter}\n${DATA}`, { title: 'spin' })
const LOAD = ' mov eax, [locked]\n test eax, eax\n jz hit'
const STEP = ' pause\n dec ecx\n jnz again'
const ENDS = ' mov dword [x], 1\n ret\nhit:\n mov dword [x], 2\n ret'
const check = (image: ReturnType<typeof program>, engine: Engine = 'graph') => checkImage(image, makeModel({ memory: 'tso' }), { engine })

describe('loops that give up after 300 turns', () => {
  it.each([
    ['a load', `${LOAD}\n${STEP}\n${ENDS}`, ' mov ecx, 300'],
    ['a comparison with memory', ` cmp dword [locked], 0\n je hit\n${STEP}\n${ENDS}`, ' mov ecx, 300'],
    ['XCHG', ` mov al, 1\n xchg [locked], al\n test al, al\n jz hit\n${STEP}\n${ENDS}`, ' mov ecx, 300'],
    ['CMPXCHG', ` xor eax, eax\n lock cmpxchg [locked], edx\n jz hit\n${STEP}\n${ENDS}`, ' mov ecx, 300\n mov edx, 1'],
    ['a load before XCHG', ` mov eax, [locked]\n test eax, eax\n jnz .held\n mov eax, 1\n xchg [locked], eax\n test eax, eax\n jz hit\n.held:\n${STEP}\n${ENDS}`, ' mov ecx, 300'],
    ['counting up', `${LOAD}\n inc ecx\n cmp ecx, 300\n jb again\n${ENDS}`, ' xor ecx, ecx'],
    ['counting first', ` sub ecx, 1\n jz gone\n${LOAD}\n jmp again\ngone:\n${ENDS}`, ' mov ecx, 300'],
    ['a count that is compared in the end', `${LOAD}\n inc ecx\n cmp ecx, 300\n jne again\nhit:\n cmp ecx, 299\n setle al\n mov [x], al\n ret`, ' xor ecx, ecx'],
  ])('%s: every engine sees it through', (_, waiter, init) => {
    const image = program(waiter, undefined, init)
    const graph = check(image)
    expect([graph.verdict, graph.strength, graph.liveness!.covered]).toEqual(['holds', 'complete', 'termination'])
    expect(graph.states).toBeLessThan(30)
    const dpor = check(image, 'dpor')
    expect([dpor.verdict, dpor.strength]).toEqual(['holds', 'complete'])
    // It sees the store at once, in its last turn, or not at all.
    expect(dpor.executions).toBe(3)
  })
})

describe('loops in which it matters how many turns there were', () => {
  it.each([
    ['the count is stored', `${LOAD}\n${STEP}\n mov dword [y], 1\n ret\nhit:\n mov [x], ecx\n ret`, undefined],
    ['a second register adds up what was read', ` mov eax, [x]\n add edx, eax\n${STEP}\n mov [y], edx\n ret`, ' mov dword [x], 1\n ret'],
    ['turns store', ` mov eax, [x]\n mov [y], eax\n${STEP}\n ret`, ' mov dword [x], 1\n mov eax, [y]\n ret'],
    ['the bound is read', `${LOAD}\n cmp [y], ecx\n je gone\n${STEP}\ngone:\n${ENDS}`, ' mov dword [y], 1000\n ret'],
    ['it adds up on the stack', ` push ebx\n mov eax, [x]\n add [esp], eax\n pop ebx\n${STEP}\n mov [y], ebx\n ret`, ' mov dword [x], 1\n ret'],
  ])('%s: turn by turn', (_, waiter, setter) => {
    expect(check(program(waiter, setter, ' mov ecx, 24\n mov edx, 0\n mov ebx, 0')).states).toBeGreaterThan(40)
  })

  it('turns that change memory are found out', () => {
    // A mutex of three states: one turn says that somebody waits.
    const waiter = ` mov eax, 2\n xchg [locked], eax\n test eax, eax\n jz hit\n${STEP}\n${ENDS}`
    const image = program(waiter, ' mov dword [locked], 1\n mov dword [locked], 1\n mov dword [locked], 1\n ret', ' mov ecx, 16')
    expect(check(image).states).toBeGreaterThan(100)
    expect(check(image, 'dpor')).toMatchObject({ verdict: 'holds', strength: 'complete' })
  })
})

describe('what gives up', () => {
  const image = program(`${LOAD}\n${STEP}\n ud2\nhit:\n ret`)
  it.each(['graph', 'dpor'] as const)('is found by %s, and replayed turn by turn', (engine) => {
    const { violation, schedule, sharing } = check(image, engine)
    expect(violation?.kind).toBe('unhandled-exception')
    const trace = recordTrace(image, makeModel({ memory: 'tso' }), sharing, schedule!)
    expect(trace.schedule.filter((choice) => (choice & 0xff) === 0).length).toBe(1000)
    expect(replayTrace(trace)).toMatchObject({ divergence: null, violation: { kind: 'unhandled-exception' } })
    const { trace: smaller } = minimizeTrace(trace)
    const text = formatExplanation(explain(smaller), 100)
    expect(text).toContain('spins 1000 iterations, then gives up')
    expect(text.split('\n').length).toBeLessThan(40)
  })

  it('is found where it goes round for ever', () => {
    const looping = program(`${LOAD}\n${STEP}\n mov ecx, 300\n jmp again\nhit:\n ret`, ' mov dword [locked], 2\n ret', ' mov ecx, 300')
    const { violation, schedule, cycleFrom, sharing } = check(looping)
    expect([violation?.kind, cycleFrom === undefined]).toEqual(['deadlock', false])
    const trace = recordTrace(looping, makeModel({ memory: 'tso' }), sharing, schedule!, { from: cycleFrom!, victim: violation!.vcpu })
    expect(replayTrace(trace)).toMatchObject({ divergence: null, violation: { kind: 'deadlock' } })
    expect(violation!.message).toContain('a fair cycle of 300 events')
  })
})

it('that a loop would go on depends on all that it looks at', () => {
  const lines = [
    '.vcpu p0', '.vcpu p1', '.vcpu p2', 'p0:', ' mov esi, 24', '.again:', ' mov ebx, [y]', ' cmp ebx, [x]', ' jne .hit', ' sub esi, 2', ' jnz .again', ' mov dword [g], 1', ' ret',
    '.hit:', ' mov dword [h], 1', ' ret', 'p1:', ' mov dword [z], 2', ' mov dword [x], 1', ' ret', 'p2:', ' lock inc dword [y]', ' ret', 'section .data', 'align 4', 'words:',
    ...['x: dd 0', 'y: dd 1', 'z: dd 0', 'g: dd 0', 'h: dd 0', 'r1: dd 0', 'r2: dd 0', ''],
  ]
  expect(compareSpins(lines.join('\n'), 'sc')).toMatchObject({ problems: [], spun: true })
})

it('a loop that gives up depending on what it reads is taken turn by turn', () => {
  const lines = [
    '.vcpu p0', '.vcpu p1', 'p0:', ' mov ecx, 12', '.again:', ' cmp dword [x], 0', ' jz .skip', ' cmp ecx, 10', ' jle .gone', '.skip:', ' dec ecx', ' jnz .again', ' ret',
    '.gone:', ' mov [g], ecx', ' ret', 'p1:', ' mov dword [x], 1', ' ret', 'section .data', 'align 4', 'words:', ...['x', 'y', 'z', 'g', 'h', 'r1', 'r2'].map((word) => `${word}: dd 0`), '',
  ]
  expect(compareSpins(lines.join('\n'), 'tso')).toMatchObject({ problems: [], spun: false })
})

it('random loops come to the same, turn by turn and at once', () => {
  const random = splitmix(20)
  let spun = 0
  for (let k = 0; k < 50; k++) {
    const text = spinProgram(random)
    const outcome = compareSpins(text, random(2) === 0 ? 'sc' : 'tso')
    if (outcome === null) continue
    if (outcome.spun) spun++
    expect(outcome.problems, text).toEqual([])
  }
  expect(spun).toBeGreaterThan(3)
})
