// `xmcheck litmus` as its users run it: files, directories, lists; one bad file does not stop the others.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { commandIn, emptyDirectory } from './command.ts'

const directory = emptyDirectory()
const sb = (name: string, row = '') => `X86 ${name}\n{ }\n P0 | P1 ;\n MOV [x],$1 | MOV [y],$1 ;\n${row} MOV EAX,[y] | MOV EAX,[x] ;\nexists (0:EAX=0 /\\ 1:EAX=0)\n`
const files: Readonly<Record<string, string>> = {
  'SB.litmus': sb('SB'), 'sub/SB+mfences.litmus': sb('SB+mfences', ' MFENCE | MFENCE ;\n'), 'sub/bad.litmus': sb('bad', ' FLY | NOP ;\n'), 'sub/notes.txt': 'no test',
  '@all': 'SB.litmus\n# a comment\nsub/@all\n', 'sub/@all': 'SB+mfences.litmus\n', '@round': '@round\n',
  'recorded.jsonl': `${JSON.stringify({ path: 'SB.litmus', full_states: ['0:EAX=0 1:EAX=0 x=1 y=1', '0:EAX=0 1:EAX=1 x=1 y=1', '0:EAX=1 1:EAX=0 x=1 y=1', '0:EAX=1 1:EAX=1 x=1 y=1'] })}\n`,
}
mkdirSync(join(directory, 'sub'))
for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)

const xmcheck = (...args: string[]) => commandIn(directory)('litmus', ...args)
const observations = (text: string) => text.split('\n').filter((line) => line.startsWith('Observation'))

describe('xmcheck litmus', () => {
  it('runs what it can of a directory, and names the rest with its line', () => {
    const { code, out, err } = xmcheck('.')
    expect([code, observations(out)]).toEqual([2, ['Observation SB Sometimes 1 3', 'Observation SB+mfences Never 0 3']])
    expect(err).toBe("xmcheck: sub/bad.litmus:5:2: unsupported: instruction 'FLY'\n")
  })

  it('follows lists, in lists', () => {
    writeFileSync(join(directory, 'SB.list'), 'SB.litmus')
    const { code, out, err } = xmcheck('@all', '@SB.list')
    expect([code, err, observations(out)]).toEqual([0, '', ['Observation SB Sometimes 1 3', 'Observation SB+mfences Never 0 3', 'Observation SB Sometimes 1 3']])
    expect(xmcheck('@round')).toMatchObject({ code: 2, out: '' })
    const missing = xmcheck('none.litmus', 'SB.litmus')
    expect([missing.code, missing.err, observations(missing.out)]).toEqual([2, 'xmcheck: none.litmus: cannot be read (there is no such file or directory)\n', ['Observation SB Sometimes 1 3']])
  })

  it.each(['classes', 'dpor'])('has all final states and the executions in its JSON (%s)', (engine) => {
    const { code, out } = xmcheck('SB.litmus', 'sub/bad.litmus', '--json', '--memory', 'sc', '--engine', engine)
    const { tests, ...rest } = JSON.parse(out)
    expect([code, rest.version, rest.command, rest.models.memory]).toEqual([2, 1, 'litmus', 'sc'])
    expect(tests[0]).toMatchObject({
      path: 'SB.litmus', name: 'SB', result: 'No', observation: 'Never', executions: 3, positive: 0, negative: 3, strength: 'complete', reasons: [], spins: false,
      finalStates: ['0:EAX=0 1:EAX=1 x=1 y=1', '0:EAX=1 1:EAX=0 x=1 y=1', '0:EAX=1 1:EAX=1 x=1 y=1'],
    })
    expect(tests[1]).toMatchObject({ path: 'sub/bad.litmus', result: null, error: "sub/bad.litmus:5:2: unsupported: instruction 'FLY'" })
  })

  it('compares with what is recorded, and says what a limit leaves open', () => {
    expect(xmcheck('SB.litmus', '--expected', 'recorded.jsonl').code).toBe(0)
    writeFileSync(join(directory, 'wrong.jsonl'), files['recorded.jsonl'].replace('0:EAX=0 1:EAX=0', '0:EAX=7 1:EAX=0'))
    expect(xmcheck('SB.litmus', '--expected', 'wrong.jsonl')).toMatchObject({ code: 1, err: 'xmcheck: SB.litmus: not as recorded: 1 not found: 0:EAX=7 1:EAX=0 x=1 y=1; 1 not recorded: 0:EAX=0 1:EAX=0 x=1 y=1\n' })
    writeFileSync(join(directory, 'other.jsonl'), '{"name": "MP", "finalStates": []}\n')
    expect(xmcheck('SB.litmus', '--expected', 'other.jsonl')).toMatchObject({ code: 1, err: 'xmcheck: SB.litmus: not as recorded: no record names SB.litmus or SB\n' })
    writeFileSync(join(directory, 'nothing.jsonl'), '\n')
    expect(xmcheck('SB.litmus', '--expected', 'nothing.jsonl')).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/^xmcheck: nothing\.jsonl: it is empty; a line is wanted for each test/) })
    const cut = xmcheck('SB.litmus', '--states', '5')
    expect([cut.code, cut.err]).toEqual([3, 'xmcheck: SB.litmus: the search was stopped by a limit: there may be more states\n'])
    expect(cut.out).toMatch(/^Unknown$/m)
  })
})
