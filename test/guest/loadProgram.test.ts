// One assembly text in place of objects, and what cannot be combined with it.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { InputError } from '../../src/guest/inputError.ts'
import type { LoadOptions } from '../../src/guest/loadObjects.ts'
import { loadProgram } from '../../src/guest/loadProgram.ts'
import { makeModel } from '../../src/smp/model.ts'

const input = (name: string, text: string) => ({ name, bytes: new TextEncoder().encode(text) })
const race = readFileSync(new URL('../../examples/race.asm', import.meta.url), 'utf8')

describe('an assembly text', () => {
  it.each([['inc', 'violated'], ['lock inc', 'holds']])('is a program: %s %s', (instruction, verdict) => {
    const image = loadProgram([input('race.asm', race.replace('    inc', `    ${instruction}`))], { title: 'a race' })
    expect([image.title, checkImage(image, makeModel()).verdict]).toEqual(['a race', verdict])
  })

  it.each<[string, string[], LoadOptions, RegExp]>([
    ['with an object', ['race.asm', 'other.o'], {}, /race\.asm: is a program of its own/],
    ['with entries', ['race.asm'], { vcpus: ['worker'] }, /race\.asm: --vcpus worker is for objects/],
    ['with a placement', ['race.asm'], { placements: [{ what: '.text', symbol: false, address: 0x200000 } as never] }, /is for objects/],
  ])('%s is refused', (_name, names, options, message) => {
    const attempt = () => loadProgram(names.map((name) => input(name, race)), options)
    expect(attempt).toThrow(InputError)
    expect(attempt).toThrow(message)
  })

  it.each([
    ['%include "xmcheck.inc"\nglobal a\na: ret', 'bad.asm', /\n`%include` is nasm's, .*: nasm -f elf32 -I include\/ bad\.asm -o bad\.o, then check bad\.o$/], ['extern f\na: call f', 'x.y/bad.asm', /`extern` is nasm's, .* -o x\.y\/bad\.o/],
    ['.vcpu a\na: ret\nXM_VCPUS a, 2', 'bad.asm', /`XM_VCPUS` is nasm's/], ['.globl a\na: ret', 'bad.asm', /`\.globl` is gas's, .*gcc -m32 -Iinclude -c -x assembler-with-cpp bad\.asm/], ['a:\nmovl $1, %eax', 'bad.asm', /`%eax` is gas's/],
    ['int a;', 'a.c', /is not an ELF file; compile it: gcc -m32 .* -c a\.c -o a\.o$/], ['a: ret', 'a.S', /compile it: gcc -m32 -Iinclude -c a\.S -o a\.o$/],
  ])('of another language is named, with what to do: %#', (text, name, message) => {
    expect(() => loadProgram([input(name, text)])).toThrow(message)
  })

  it('with a mistake of its own has no such hint', () => {
    const attempt = () => loadProgram([input('bad.asm', race.replace('inc dword', 'inc qword'))])
    expect(attempt).toThrow(InputError)
    expect(attempt).not.toThrow(/docs\/assembly/)
  })

  it.each(['', '%include "xmcheck.inc"', '.vcpu', '\u0000\u0001', '.vcpu a\na: mov eax, [', 'x'.repeat(100_000)])('that is none gives a clear error: %#', (text) => {
    expect(() => loadProgram([input('bad.asm', text)])).toThrow(InputError)
  })
})
