// The last row of a timeline says what is violated, by whom, where, and of what values.
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/index.ts'
import { formatTimeline, linesOf, timelineOf } from '../../src/replay/timeline.ts'
import { explain } from '../../src/replay/explain.ts'
import { makeMachine, recordSharing, recordTrace } from '../../src/replay/record.ts'
import { decodeTrace } from '../../src/replay/trace.ts'
import { makeModel } from '../../src/smp/model.ts'
import { bytesAt } from '../programs.ts'

const model = makeModel({})

/** The last row of the violation that is found: `vCPU text line`. */
function ending(code: string, data = 'x: dd 0\ny: dd 0') {
  const image = assembleImage(`${code}\nsection .data\nalign 4\n${data}\n`, { title: 'ending' })
  const result = checkImage(image, model, { engine: 'graph' })
  const trace = recordTrace(image, model, result.sharing, result.schedule ?? [], result.cycleFrom === undefined ? null : { from: result.cycleFrom, victim: result.violation!.vcpu })
  const { lines } = timelineOf(trace)
  expect(explain(trace).lines.at(-1)).toEqual(lines.at(-1))
  const { vcpu, text, source } = lines.at(-1)!
  return `${vcpu} ${text} ${source.split(':').pop()}`
}

describe('the last row', () => {
  it('is the instruction that violates, though its access is no event', () => {
    expect(ending('.vcpu a\na:\n mov ecx, 16\n mov eax, [ecx+4]\n ret')).toBe('0 violated: wild-access at mov eax,[ecx+4] 4')
    expect(ending('.vcpu a\na:\n xor ecx, ecx\n div ecx\n ret')).toMatch(/^0 violated: unhandled-exception at div ecx 4$/)
  })

  it('names the store that reaches freed memory late', () => {
    expect(timelineOf(decodeTrace(bytesAt('traces/catalogue/B22.bad.statistics.xmt'))).lines.at(-1)).toMatchObject({ vcpu: 0, text: 'violated: use-after-free as its store drains', source: 'B22.c:30' })
  })

  it('is where the vCPU stands that others keep from going on', () => {
    expect(ending('.vcpu a\na:\n xm_block\n ret')).toBe('0 violated: lost-wakeup 3')
    expect(ending('.vcpu a\na:\n hlt\n mov eax, [x]\n ret')).toMatch(/^0 violated: lost-wakeup \d$/)
    expect(ending('.vcpu a\na:\n cmp dword [x], 1\n jne a\n ret')).toMatch(/^0 violated: deadlock [34]$/)
  })

  it('comes with whose stack has overflowed', () => {
    const message = (code: string) => checkImage(assembleImage(code, { title: 'deep' }), model).violation!.message
    expect(message('.vcpu a\n.vcpu b\na: ret\nb: push eax\n call b\n ret')).toMatch(/^writes memory at 0x[0-9a-f]+, which nothing is mapped at: the stack of b has overflowed$/)
    expect(message('.vcpu a\na: mov [0x10], eax\n ret')).toBe('writes memory at 0x10, which nothing is mapped at')
  })

  it('is not there without a violation', () => {
    const image = assembleImage('.vcpu a\na: ret', { title: 'none' })
    const machine = (observe?: Parameters<typeof makeMachine>[3]) => makeMachine(image, model, recordSharing(checkImage(image, model).sharing), observe)
    expect(linesOf(machine, [0]).some(({ text }) => text.startsWith('violated'))).toBe(false)
  })
})

describe('a failed assertion', () => {
  const asserts = (compare: string, text: string, data?: string) => ending(`.vcpu a\n.vcpu b\n.final f\na:\nb:\n inc dword [x]\n ret\nf:\n${compare}\n movzx eax, al\n assert eax, "${text}"\n ret`, data)

  it('shows the variables that it names, of every size', () => {
    expect(asserts(' cmp dword [x], 2\n sete al', 'x == 2')).toBe('0 violated: assertion; x = 0x1; 0x1 was compared with 0x2 12')
    expect(asserts(' cmp dword [x], 2\n sete al', 'x == 2 && t[1] == small', 'x: dd 0\nt: dd 1, 2\nsmall: db 7\nlast: dd 0')).toBe('0 violated: assertion; x = 0x1, t = {0x1, 0x2}, small = 0x7; 0x1 was compared with 0x2 12')
    expect(asserts(' cmp dword [p], y\n sete al', 'p == y', 'x: dd 0\np: dd x\ny: dd 0, 0')).toMatch(/^0 violated: assertion; p = 0x\w+ \(x\), y = \{0x0, 0x0\}; /)
  })

  it('shows what was compared', () => {
    expect(asserts(' cmp dword [x], 2\n sete al', 'both')).toBe('0 violated: assertion; 0x1 was compared with 0x2 12')
    expect(asserts(' mov ecx, [x]\n test ecx, 2\n setnz al', 'both')).toBe('0 violated: assertion; 0x1 & 0x2 was tested 13')
  })

  it('shows no comparison that something else followed', () => {
    expect(asserts(' cmp dword [x], 2\n mov eax, [x]\n dec eax', 'both')).toBe('0 violated: assertion 13')
  })

  it('shows what its vCPU has read, not what others have written since', () => {
    const reader = 'a:\n mov ecx, [x]\n mov eax, [y]\n test eax, eax\n jz .done\n cmp ecx, 1\n sete al\n movzx eax, al\n assert eax, "x is 1"\n.done: ret'
    expect(ending(`.vcpu a\n.vcpu b\n${reader}\nb:\n mov dword [x], 1\n mov dword [y], 1\n ret`)).toBe('0 violated: assertion; x = 0x0; 0x0 was compared with 0x1 11')
    const trace = decodeTrace(bytesAt('traces/known/sb.xmt'))
    expect(timelineOf(trace).lines.at(-1)!.text).toBe('violated: assertion; seen_x = 0x0, seen_y = 0x0')
  })
})

it('a timeline keeps to the width that it is given, and tells all of each line', () => {
  const { lines } = timelineOf(decodeTrace(bytesAt('traces/known/sb.xmt')))
  for (const width of [60, 80, 120]) {
    const text = formatTimeline({ lines: [...lines, { ...lines[0], text: `long ${'word '.repeat(40)}end` }] }, width)
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(width)
    expect(text).toMatch(/ end *(sb\.c:21)?$/)
    expect(text).toContain('is still')
    expect(text.match(/sb\.c:33/g)).toHaveLength(1)
  }
})
