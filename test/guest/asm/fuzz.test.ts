import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assemble, AssemblyError } from '../../../src/guest/asm/index.ts'

const SEED = 20090517

const word = fc.constantFrom(
  'mov', 'add', 'jmp', 'call', 'nop', 'push', 'times', 'align', 'org', 'section', 'bits', 'equ', 'db', 'dd', 'dq', 'resb',
  'lock', 'rep', 'short', 'far', 'byte', 'dword', 'ptr', 'eax', 'ebx', 'esp', 'al', 'cr0', 'gs', 'st', 'assert', 'ipi', 'kick',
  'log', 'enter', 'leave', '.vcpu', '.site', '.irq', '.object', 'a', 'b', '.l', 'a.l', '$', '$$', '1', '0x7f', '300',
  '0xffffffff', '-', '+', '*', '/', '%', '<<', '>>', '~', '(', ')', '[', ']', ':', ',', '"text"', "'c'", ';', '\n', '\n', '\n',
  'constructor', '__proto__', 'toString', 'a:', 'b:', '.l:', 'strict', 'o16', 'a32', 'next', 'all', 'int3', 'st(1)',
) // prettier-ignore

function judge(source: string): void {
  try {
    assemble(source)
  } catch (error) {
    expect(error).toBeInstanceOf(AssemblyError)
    for (const { line, column, message } of (error as AssemblyError).problems) {
      expect(line).toBeGreaterThan(0)
      expect(column).toBeGreaterThan(0)
      expect(message).not.toMatch(/undefined|NaN|\[object/)
    }
  }
}

test('arbitrary text gives bytes or an AssemblyError', () => {
  fc.assert(fc.property(fc.string({ maxLength: 200, unit: 'binary' }), judge), { seed: SEED, numRuns: 2000 })
})

test('arbitrary words of the language give bytes or an AssemblyError', () => {
  const text = fc.array(word, { maxLength: 60 }).map((words) => words.join(' '))
  fc.assert(fc.property(text, judge), { seed: SEED, numRuns: 5_000 })
})

test.each([
  ['deep parentheses', 'db ' + '('.repeat(100_000)],
  ['a long chain of operators', 'db 1' + '+1'.repeat(100_000)],
  ['signs', 'db ' + '-'.repeat(100_000) + '1'],
  ['a huge number', 'db 0x' + 'f'.repeat(100_000)],
  ['growing products', 'a equ ' + Array(190).fill('0xffffffff').join('*')],
  ['nested times', 'times 60000 '.repeat(4) + 'nop'],
  ['much nothing', 'times 60000 '.repeat(3) + 'resb 0'],
  [
    'a chain of later names',
    Array.from({ length: 500 }, (_, n) => `a${n} equ a${n + 1} + 1`).join('\n') + '\na500 equ 0',
  ],
  ['sizes that chase each other', 'a: times (b - a) & 1 ^ 1 db 0\nb:'],
  ['many places', Array.from({ length: 5000 }, (_, n) => `org ${n * 8192}\nnop`).join('\n')],
  ['many lines', 'jmp a\n'.repeat(20_000) + 'a:'],
])('%s ends soon', { timeout: 20_000 }, (_, source) => judge(source))
