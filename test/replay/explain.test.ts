// What `xmcheck explain` says of a trace: enough to be understood by who has never seen the program.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { explain, formatExplanation } from '../../src/replay/explain.ts'
import { decodeTrace } from '../../src/replay/trace.ts'

const explained = (name: string) => explain(decodeTrace(new Uint8Array(readFileSync(new URL(`../../traces/catalogue/${name}.xmt`, import.meta.url)))))

describe('a lost wake-up by a store buffer', () => {
  const explanation = explained('B07.buggy-tso')
  it('is put in one sentence: which load passed which store, and what keeps them apart', () => {
    expect(explanation.short).toMatch(/^vCPU 0 loads xl\+0x2 \(B07\.c:\d+\) while its older store to xl \(B07\.c:\d+\) is still in its store buffer/)
    expect(explanation.short).toMatch(/vCPU 1 reads xl \(xmlock\.h:\d+\) in the meantime, and finds 0x1, /)
    expect(explanation.short).toContain('MFENCE, or a LOCKed instruction, between them')
    const [load, store] = [...explanation.short!.matchAll(/\((B07\.c:\d+)\)/g)].map((match) => match[1])
    const text = (place: string) => explanation.sources.find((one) => one.place === place)?.text
    expect([text(load), text(store)]).toEqual(['if (xl.spinners)', 'xl.lock = 0;'])
  })
  it('shows who sleeps, what the functions are called, and what a LOCKed instruction did', () => {
    const text = formatExplanation(explanation, 72)
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(72)
    expect(text).toMatch(/vCPU 0: unlocker \(icount\) +vCPU 1: waiter \(icount\)/)
    expect(text).toContain('locked xl: 0x1 -> 0x1')
    expect(explanation.lines.at(-2)).toMatchObject({ vcpu: 1, text: expect.stringMatching(/^sleeps \(XM_POLL\) at waiter\+0x\w+ for as long as pending is 0$/), source: expect.stringContaining('B07.c:') })
    expect(text).toMatch(/Schedule: [^\n]*run0\*3 run1 drain1 run1 drain0$/)
  })
})

it('a store that is made before the first event of its vCPU is told, and the load that passes it', () => {
  const { lines, short, elements } = explain(decodeTrace(new Uint8Array(readFileSync(new URL('../../traces/known/sb.xmt', import.meta.url)))))
  expect(lines.filter(({ vcpu }) => vcpu === 0).slice(0, 2).map(({ step, text }) => `${step} ${text}`)).toEqual(['0 store x = 0x1 (buffered)', '1 load y = 0x0 (its store to x is still buffered)'])
  expect(short).toMatch(/^vCPU 0 loads y \(sb\.c:23\) while its older store to x \(sb\.c:21\)/)
  expect(elements[0].text).toMatch(/^the store of vCPU 0 to x \(sb\.c:21\) stays in its buffer until `load x = 0x0` \(sb\.c:30\) of vCPU 1$/)
})

it('a store that overtakes is named, with the one that it overtook', () => {
  expect(explained('B03.erratum-switch').short).toMatch(/^The store of vCPU \d to lock \(B03\.c:\d+\) reaches memory before its older one to account.*storeOrder=any/)
})

it('a preemption is named by what it comes between', () => {
  expect(explained('B15.mutants.no-recheck').short).toMatch(/^vCPU \d is preempted between `.+` .*and `.+`.*, and vCPU \d runs there\.$/)
})

it('a translation that was fetched ahead is a load, and what was buffered meanwhile belongs to it', () => {
  const { short, elements } = explained('C05.buggy-plus-plain-pte-store')
  expect(short).toMatch(/^vCPU 0 loads mm\+0x4 \(C05\.c:\d+\) while its older store to table \(C05\.c:\d+\) is still in its store buffer/)
  expect(short).toMatch(/vCPU 1 goes by a translation that the tables no longer hold\. The page walk that gave it is a load, .* since `invalidates all translations` \(xmcheck\.h:\d+\)/)
  expect(elements.at(-1)?.text).toMatch(/^vCPU 1 goes by the `STALE translation of 0x400000 to frame 0x\w+ \(rw dirty\)` \(xmmm\.h:\d+\)$/)
})
