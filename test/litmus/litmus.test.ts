// herd's verdicts and an independent machine's counts of executions: test/litmus/expected.jsonl.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { generator } from '../../src/explore/generator.ts'
import { LitmusError } from '../../src/guest/litmus/litmusError.ts'
import { parseLitmus } from '../../src/guest/litmus/parse.ts'
import { formatLitmus } from '../../src/litmus/herdFormat.ts'
import { runLitmus, stateText } from '../../src/litmus/run.ts'
import { makeModel } from '../../src/smp/model.ts'

interface Row {
  path: string
  verdict: string
  observation: string
  full_states: string[]
  sc_full_states: string[]
  tso_execs: number
  sc_execs: number
}
const here = new URL('./', import.meta.url)
const shared = new URL('../../../shared/litmus/', import.meta.url)
const tso = makeModel()
const sc = makeModel({ memory: 'sc' })
const textOf = (url: URL) => readFileSync(url, 'utf8')
const rowsOf = (folder: URL) => textOf(new URL('expected.jsonl', folder)).trim().split('\n').map((line) => JSON.parse(line) as Row)
const statesOf = (source: string, model = tso) => {
  const result = runLitmus(source, model)
  return { ...result, texts: result.states.map((state) => stateText(state.all)).sort() }
}
/** A test around the given code. */
const made = (arch: string, init: string, code: string, condition: string) => `${arch} made\n"doc"\n{${init}}\n${code}\n${condition}\n`

describe.each([['of our own', here], ['of the shared collection', shared]])('litmus tests %s', (_, folder) => {
  const present = existsSync(new URL('expected.jsonl', folder))
  it.skipIf(!present)('end in the recorded states, by as many classes of executions, under TSO and SC', () => {
    for (const row of rowsOf(folder)) {
      const source = textOf(new URL(row.path, folder))
      const result = statesOf(source)
      expect([row.path, result.texts, result.executions, result.ok ? 'Ok' : 'No', result.observation, result.reasons]).toEqual([
        row.path, [...row.full_states].sort(), row.tso_execs, row.verdict, row.observation, [],
      ])
      // The engines share the machine and nothing else.
      const reduced = runLitmus(source, tso, {}, 'dpor')
      expect([row.path, reduced.executions, reduced.reasons, reduced.states.map((state) => stateText(state.all)).sort()]).toEqual([row.path, row.tso_execs, [], result.texts])
      const ordered = statesOf(source, sc)
      expect([row.path, ordered.texts, ordered.executions]).toEqual([row.path, [...row.sc_full_states].sort(), row.sc_execs])
    }
  })
})

describe('the format', () => {
  it('has arrays, typed and symbolic values, brackets and upper case', () => {
    const { texts } = statesOf(made('X86_64', 'int64_t t[2]={1,-1}; uint8_t b=255; int8_t s=255; 0:rax=t; 0:RCX=8; uint64_t x;', ' P0 ;\n movq 8(%rax),%rbx ;\n addl $5,(%rax,%rcx,1) ;\n movzbl b(%rip),%edx ;\n', 'locations [t; b;] exists (t[1]=4 /\\ 0:rdx=0xff)'))
    expect(texts).toEqual(['0:rax=t[0] 0:rbx=-1 0:rcx=8 0:rdx=255 b=255 s=-1 t[0]=1 t[1]=4 x=0'.replace('t[0] 0', 't 0')])
  })

  it('has labels, jumps and spin loops', () => {
    const { texts, executions } = statesOf(made('X86', 'x=0;', ' P0 | P1 ;\n MOV [x],$1 | l: MOV EAX,[x] ;\n | CMP EAX,$0 ;\n | JE l ;\n', 'forall (1:EAX=1)'))
    expect(texts).toEqual(['1:EAX=1 x=1'])
    expect(executions).toBeGreaterThan(0)
  })

  it('has every connective, filters and quantifiers', () => {
    const code = ' P0 | P1 ;\n MOV [x],$1 | MOV EAX,[x] ;\n'
    const judge = (condition: string) => {
      const { ok, observation } = runLitmus(made('X86', '', code, condition), tso)
      return `${ok ? 'Ok' : 'No'} ${observation}`
    }
    expect(judge('exists (1:EAX=1 \\/ false)')).toBe('Ok Sometimes')
    expect(judge('~exists 1:EAX=2')).toBe('Ok Never')
    expect(judge('forall not (1:EAX=1 /\\ [x]=0)')).toBe('Ok Always')
    expect(judge('exists (1:EAX<>0 => true)')).toBe('Ok Always')
    expect(judge('filter (1:EAX=1) forall (1:EAX=1 /\\ ~(x=0))')).toBe('Ok Always')
  })

  it('narrows r8 to r15 and byte registers', () => {
    const { texts } = statesOf(made('X86_64', '0:rsi=300;', ' P0 ;\n movq $7,%r9 ;\n movb %sil,(x) ;\n movl %r9d,(y) ;\n movb $1,%r10b ;\n', 'exists (0:r9=7)'))
    expect(texts).toEqual(['0:r10=1 0:r9=7 0:rsi=300 x=44 y=7'])
  })

  it('stores to code by label', () => {
    const { texts } = statesOf(made('X86', '', ' P0 ;\n MOV [P0:l+1],$9 ;\n l: MOV EAX,$5 ;\n', 'exists (0:EAX=9)'))
    expect(texts).toEqual(['0:EAX=9'])
    const two = statesOf(made('X86', '', ' P0 | P1 ;\n MOV [P1:l+1],$9 | l: MOV EAX,$5 ;\n', 'exists (1:EAX=9)'))
    expect(two.texts).toEqual(['1:EAX=5', '1:EAX=9'])
  })

  it('honours sizes by suffix, by register and by word', () => {
    const { texts } = statesOf(made('X86', 'x=0x11223344; y=-1;', ' P0 ;\n MOVZX EAX, word ptr [x] ;\n MOV byte [y],$1 ;\n MOV CH,[x+1] ;\n ADD word [x+2],$1 ;\n', 'exists true'))
    expect(texts).toEqual([`0:EAX=${0x3344} 0:ECX=${0x3300} x=${0x11233344} y=${-0xff}`])
    const att = statesOf(made('X86_64', 'x=0x11223344;', ' P0 ;\n movswl 2(x),%eax ;\n movsbl x(%rip),%ebx ;\n movzwl %ax,%r9d ;\n cmovcl %ecx,(x) ;\n', 'exists true'))
    expect(att.texts).toEqual([`0:r9=${0x1122} 0:rax=${0x1122} 0:rbx=68 0:rcx=0 x=${0x11223344}`])
  })

  it('has stacks and calls, string and wide instructions, symbolic registers', () => {
    const { texts } = statesOf(made('X86', 'x=6; t={1,2,3}; 0:ESI=t; 0:EDI=u; u={0,0,0}; 0:ECX=3;', ' P0 ;\n CALL f ;\n PUSH [x] ;\n POP EBX ;\n REP MOVSD ;\n JMP end ;\n f: MOV EAX,$7 ;\n MUL [x] ;\n RET ;\n end: ;\n', 'exists u={1,2,3}'))
    expect(texts).toEqual(['0:EAX=42 0:EBX=6 0:ECX=0 0:EDI=u+12 0:EDX=0 0:ESI=t+12 t[0]=1 t[1]=2 t[2]=3 u[0]=1 u[1]=2 u[2]=3 x=6'])
    const symbolic = statesOf(made('X86', '0:%p=x; x=3;', ' P0 ;\n MOV %a,[%p] ;\n ADD %a,$1 ;\n MOV [y],%a ;\n', 'exists (0:%a=4 /\\ y=4)'))
    expect([symbolic.texts, symbolic.ok]).toEqual([['0:%a=4 0:%p=x x=3 y=4'], true])
  })

  it('knows places in code, in every spelling', () => {
    const code = ' P0 | P1 ;\n l: NOP | MOV EAX,$P0:m ;\n m: NOP | ;\n'
    const { texts, ok } = statesOf(made('X86', '0:EBX=P0:l; 0:ECX=label:"P0:m"; p=0:m;', code, 'forall (1:EAX=label:"0:m" /\\ 0:EBX=P0:l /\\ 0:ECX=p /\\ 0:EBX<>0:ECX)'.replace('0:ECX=p', '0:ECX=[p]')))
    expect([texts, ok]).toEqual([['0:EBX=P0:l 0:ECX=P0:m 1:EAX=P0:m p=P0:m'], true])
  })

  it('reads page-table entries old and new', () => {
    const { texts } = statesOf(made('X86', 'x=1; y=2;', ' P0 | P1 ;\n MOV EBX,[x] | MOV [PTE(x)],$PA(y)+0x63 ;\n', 'exists (0:EBX=1)'))
    expect(texts).toEqual(['0:EBX=1 x=1 y=2', '0:EBX=2 x=1 y=2'])
    expect(statesOf(made('X86', 'x=1; y=2; [PTE(x)]=PA(y)+0x61;', ' P0 ;\n MOV EAX,[x] ;\n MOV ECX,[PTE(x)] ;\n', 'exists (0:EAX=2)')).ok).toBe(true)
  })

  it('has sums of symbols and numbers, and the stack of handlers', () => {
    const sums = statesOf(made('X86_64', 'int x[3]={7,8,9};', ' P0 ;\n movl x+4(%rip),%eax ;\n movl 4+x+4,%ebx ;\n movl $4+x,%ecx ;\n', 'exists true'))
    expect(sums.texts).toEqual(['0:rax=8 0:rbx=9 0:rcx=x+4 x[0]=7 x[1]=8 x[2]=9'])
    const fault = statesOf(made('X86', 'x=1; IDT[14]=P0:h; [PTE(x)]=0;', ' P0 ;\n MOV EBX,[x] ;\n h: MOV ECX,CR2 ;\n ADD ESP,$16 ;\n RET ;\n', 'exists true'))
    expect(fault.texts.map((text) => text.replace(/ESP=\d+/, 'ESP'))).toEqual(['0:EBX=0 0:ECX=x 0:ESP x=1'])
  })

  it('has conditions where herd has them', () => {
    const one = (tail: string) => runLitmus(`X86 made {}\n P0 ;\n MOV [x],$1 ;${tail}`, tso)
    expect([one(' exists [x]=1').ok, one('\nobserved x=2; and x=1;').ok, one('\nobserved x=2;').ok, one('\nlocations [x;]\nforall (x==1)').ok]).toEqual([true, true, false, true])
  })

  it('prints as herd does', () => {
    const sb = textOf(new URL('tests/handwritten/SB+lfences.litmus', here))
    expect(formatLitmus(runLitmus(sb, tso)).split('\n')).toEqual([
      'Test SB+lfences Allowed', 'States 4', '0:EAX=0; 1:EBX=0;', '0:EAX=0; 1:EBX=1;', '0:EAX=1; 1:EBX=0;', '0:EAX=1; 1:EBX=1;', 'Ok', 'Witnesses', 'Positive: 1 Negative: 3',
      'Condition exists (0:EAX=0 /\\ 1:EBX=0)', 'Observation SB+lfences Sometimes 1 3', '',
    ])
  })
})

describe('the engine', () => {
  const ring = (threads: number, more = '') => {
    const columns = Array.from({ length: threads }, (_, k) => k)
    return made('X86', more, ` ${columns.map((k) => `P${k}`).join(' | ')} ;\n ${columns.map((k) => `MOV [x${k}],$1`).join(' | ')} ;\n ${columns.map((k) => `MOV EAX,[x${(k + 1) % threads}]`).join(' | ')} ;\n`, 'exists true')
  }
  const short = makeModel({ localSteps: 32 })
  const results = (source: string) =>
    [runLitmus(source, short), runLitmus(source, short, { autoStates: 40 })].map(({ states, executions, ok, reasons }) => ({ ok, executions, reasons, states: states.map(({ all }) => stateText(all)) }))

  it('changes where the table grows large, and the result does not', () => {
    const [first, second] = results(ring(3))
    expect([second, first.executions]).toEqual([first, 8])
    expect(runLitmus(ring(3), tso, { states: 40 }, 'classes').reasons).toHaveLength(1)
  })

  it('has all states of what is interrupted or never ends', () => {
    const nmi = ring(2, 'IDT[2]=P0:h; 0:NMI=2;').replace('exists', ' RET | ;\n h: INC [n] | ;\n IRET | ;\nexists')
    // Who reads 1 never ends; the other two do.
    const spin = made('X86', '', ' P0 | P1 | P2 ;\n MOV [x],$1 | MOV EBX,[x] | MOV EAX,[y] ;\n MOV [x],$2 | l: CMP EBX,$1 | MOV [y],$1 ;\n MOV [y],$2 | JE l | MOV ECX,[x] ;\n', 'exists true')
    for (const source of [nmi, spin]) {
      const [first, second] = results(source)
      // The engines count apart what the environment does.
      expect([{ ...second, executions: 0 }, first.states.length > 2]).toEqual([{ ...first, executions: 0 }, true])
    }
    expect(results(spin)[0].states.filter((state) => state.includes('1:EBX=1'))).toEqual([])
  })
})

describe('output', () => {
  const printed = (source: string) => formatLitmus(runLitmus(source, tso)).split('\n')

  it('counts witnesses of the quantified condition, and observes what stands under it', () => {
    const code = ' P0 | P1 ;\n movl $1,(y) | movl $2,%eax ;\n | xchgl (y),%eax ;\n'
    expect(printed(made('X86_64', 'int y;', code, '~exists 1:rax=1 /\\ [y]=1'))).toEqual([
      'Test made Forbidden', 'States 2', '1:rax=0; [y]=1;', '1:rax=1; [y]=2;', 'Ok', 'Witnesses', 'Positive: 2 Negative: 0',
      'Condition ~exists (1:rax=1 /\\ [y]=1)', 'Observation made Never 0 2', '',
    ])
    expect(printed(made('X86_64', 'int y;', code, 'forall (~(1:RAX = 1 => y<>0x2))')).slice(-3)).toEqual(['Condition forall (not (1:rax=1 => not ([y]=2)))', 'Observation made Sometimes 1 1', ''])
  })

  it('has registers in herd\'s order, then variables, then elements; states by value', () => {
    const code = ' P0 | P1 ;\n MOV [x],$10 | MOV ESI,$3 ;\n MOV [x],$9 | MOV EDI,[x] ;\n MOV [x],$-1 | ;\n'
    expect(printed(made('X86', 't={5,7}; p=t[1];', code, 'locations [t; t[1]; p; x; 1:EDI; 1:ESI] exists (1:EDI=8 \\/ true /\\ x=0)'))).toEqual([
      'Test made Allowed', 'States 4', '1:ESI=3; 1:EDI=-1; [p]=t+4; t={5,7}; [x]=-1; t[1]=7;', '1:ESI=3; 1:EDI=0; [p]=t+4; t={5,7}; [x]=-1; t[1]=7;', '1:ESI=3; 1:EDI=9; [p]=t+4; t={5,7}; [x]=-1; t[1]=7;',
      '1:ESI=3; 1:EDI=10; [p]=t+4; t={5,7}; [x]=-1; t[1]=7;', 'No', 'Witnesses', 'Positive: 0 Negative: 4', 'Condition exists (1:EDI=8 \\/ true /\\ [x]=0)', 'Observation made Never 0 4', '',
    ])
  })

  it('has the condition of a test without one', () => {
    expect(printed(made('X86', '', ' P0 ;\n MOV [x],$1 ;\n', 'locations [x; p int*]'))).toEqual([
      'Test made Required', 'States 1', '[p]=0; [x]=1;', 'Ok', 'Witnesses', 'Positive: 1 Negative: 0', 'Condition forall (true)', 'Observation made Always 1 0', '',
    ])
  })
})

describe('what cannot be run', () => {
  it.each([
    ['', 1, /begins with/], ['ARM x\n{}\n P0 ;\n', 1, /architecture 'ARM'/], ['X86 x\n{\n', 2, /no '}'/], ['X86 x\n{}\n P0 ;\n MOV EAX,$1 ;\n', 4, /condition/],
    [made('X86', '', ' P0 ;\n FXSAVE [x] ;\n', 'exists (x=1)'), 5, /FXSAVE/], [made('X86_64', '', ' P0 ;\n movq $5000000000,(x) ;\n', 'exists (x=1)'), 5, /64 bits/],
    [made('X86', '', ' P0 ;\n JMP nowhere ;\n', 'exists (x=1)'), 5, /no label/], [made('X86', '', ' P0 ;\n MOV [x],$1 ;\n', 'exists (x=1'), 7, /'\)'/],
    [made('X86', '', ' P0 ;\n MOV [x],$1 ;\n', 'exists (3:EAX=1)'), 7, /thread P3/], [made('X86', '', ' P0 ;\n LOCK MOV EAX,EBX ;\n', 'exists (x=1)'), 5, /LOCK/],
    [made('X86', 'struct x;', ' P0 ;\n NOP ;\n', 'exists (x=1)'), 3, /type 'struct'/], [made('X86', '', ' P0 ;\n NOP ;\n MOVNTI [x],EAX ;\n', 'exists (x=1)'), 6, /MOVNTI/], [made('X86', '', ' P0 ;\n MOV byte [x],$300 ;\n', 'exists (x=1)'), 5, /300/],
    [made('X86_64', '', ' P0 ;\n l: nop ;\n l: nop ;\n', 'exists (x=1)'), 6, /twice/], [made('X86_64', '', ' P0 ;\n movq %xmm0,(x) ;\n', 'exists (x=1)'), 5, /%xmm0/],
    [made('X86_64', 'int64_t x;', ' P0 | P1 ;\n movq $1,(x) | movl 4(x),%eax ;\n', 'exists (x=1)'), 5, /upper half/], [made('X86', 'IDT[300]=P0:l;', ' P0 ;\n l: NOP ;\n', 'exists (x=1)'), 3, /vector/],
    [made('X86', '0:EAX=P0:m;', ' P0 ;\n l: NOP ;\n', 'exists (x=1)'), 3, /no place/],
    [made('X86', '', ' P0 | P2 ;\n NOP | NOP ;\n', 'exists (x=1)'), 4, /named 'P2'/],
  ])('%# is named with its line', (source, line, message) => {
    let error: unknown
    try {
      runLitmus(source, tso)
    } catch (caught) {
      error = caught
    }
    expect(error).toBeInstanceOf(LitmusError)
    expect((error as LitmusError).message).toMatch(message)
    expect((error as LitmusError).line).toBe(line)
  })

  it.each([
    ['MOV EAX,[x', 18, /^syntax error: '\[x' lacks a '\]'$/], ['MOV  EAX , x]', 21, /^syntax error: 'x\]' lacks a '\['$/], ['l: MOV EAX,(x', 21, /lacks a '\)'/],
    ['MOV EAX,', 18, /an operand is missing/], ['MOV ,EAX', 14, /an operand is missing/], ['MOV EAX,[x+]', 18, /no operand is '\[x\+\]'/], ['MOV [x],$', 18, /no operand is '\$'/],
    ['MOV EAX [x]', 10, /MOV takes 2 operands, here it has 1/], ['MOV XMM0,[x]', 14, /^unsupported: operand 'XMM0'$/], ['FLY [x]', 10, /^unsupported: instruction/],
  ])('a slip of the pen is no lack of support, and has its column: %s', (instruction, column, message) => {
    const source = made('X86', '', ` P0 | P1 ;\n NOP (**) | ${instruction} ;\n`, 'exists (x=1)')
    expect(() => runLitmus(source, tso)).toThrow(expect.objectContaining({ line: 5, column: column + 3, message: expect.stringMatching(message) }))
  })

  it('a mutilated file is a LitmusError or runs, never anything else', () => {
    const random = generator(99)
    const files = readdirSync(new URL('tests/handwritten/', here)).map((name) => textOf(new URL(`tests/handwritten/${name}`, here)))
    for (let k = 0; k < 1500; k++) {
      const chars = [...files[random() % files.length]]
      for (let edits = 1 + (random() % 3); edits > 0; edits--) {
        const at = random() % chars.length
        const kind = random() % 3
        if (kind === 0) chars.splice(at, 1 + (random() % 6))
        else if (kind === 1) chars[at] = String.fromCharCode(32 + (random() % 95))
        else chars.splice(at, 0, '{}()[];|$%,:=~/\\"*P0x'[random() % 21])
      }
      const source = chars.join('')
      try {
        runLitmus(source, tso, { states: 3000 })
      } catch (error) {
        if (!(error instanceof LitmusError)) throw new Error(`${source}\n${(error as Error).stack}`)
      }
    }
  })

  it('prints nothing that a terminal would obey', () => {
    const name = runLitmus('X86 a\x1b[2Jb\n{}\n P0 ;\n NOP ;\nexists true', tso).test.name
    expect(name).toBe('a?[2Jb')
    expect(() => runLitmus(made('X86', '', ' P0 ;\n F\x1b]0;\n', 'exists true'), tso)).toThrow(/^unsupported: instruction 'F\?\]0'$/)
  })

  it('in a loop that does not end is an execution that does not end', () => {
    const { states, reasons } = runLitmus(made('X86', '', ' P0 ;\n l: JMP l ;\n', 'exists (x=0)'), tso)
    expect([states, reasons]).toEqual([[], []])
  })

  it.each([
    ['blanks', `X86 x\n{}\n P0 ;\n LOCK${' '.repeat(400_000)};${' '.repeat(400_000)};\nexists x=0`], ['models', `X86 x\n{}\n P0 ;\n NOP ;\nexists x=0 ${'with a: '.repeat(50_000)}"`],
    ['variables', `X86 x\n{${Array.from({ length: 20_000 }, (_, k) => `int v${k}[9];`).join('')}}\n P0 ;\n NOP ;\nexists x=0`], ['brackets', `X86 x\n{}\n P0 ;\n NOP ;\nexists ${'('.repeat(300_000)}`],
    ['names', `X86 x\n{}\n P0 ;\n MOV [${'y'.repeat(500_000)}],$1 ;\nexists x=0`], ['labels', `X86 x\n{}\n P0 ;\n ${'l:'.repeat(200_000)} ;\nexists x=0`],
    ['columns', `X86 x\n{}\n P0 ${'| '.repeat(400_000)};\nexists x=0`], ['braces', `X86 x\n${'{'.repeat(900_000)}`], ['comments', `X86 x\n${'(*'.repeat(400_000)}`], ['digits', `X86 x\n{}\n P0 ;\n MOV [x],$${'9'.repeat(500_000)} ;\nexists x=0`],
  ])('is refused or run in time that grows with its length: %s', (_, source) => {
    try {
      runLitmus(source, tso, { states: 3000 })
    } catch (error) {
      expect(error).toBeInstanceOf(LitmusError)
      expect((error as LitmusError).message.length).toBeLessThan(300)
    }
  }, 5000)

  it('is bounded when a limit stops it', () => {
    const sb = textOf(new URL('tests/handwritten/SB+lfences.litmus', here))
    const cut = (condition: string, states: number) => {
      const { ok, observation, reasons } = runLitmus(sb.replace(/^exists.*/ms, condition), tso, { states })
      return [ok, observation, reasons.length]
    }
    // What was found can decide; what was not found cannot.
    expect([cut('exists 0:EAX=7', 4), cut('~exists 0:EAX=7', 4), cut('forall x=1', 4)]).toEqual([[null, 'Unknown', 1], [null, 'Unknown', 1], [null, 'Unknown', 1]])
    expect([cut('exists x=1', 14), cut('~exists x=1', 14), cut('forall x=2', 14)]).toEqual([[true, 'Unknown', 1], [false, 'Unknown', 1], [false, 'Unknown', 1]])
    expect(() => parseLitmus('X86 x\n{}'.padEnd(2 << 20))).toThrow(LitmusError)
  })
})
