import { describe, expect, test } from 'vitest'
import { mistakes } from './helpers.ts'

describe('mistakes say where and what to do', () => {
  test.each([
    ['mov eax, nowhere', '1:10 nowhere is not defined anywhere: define it, or correct the name.'],
    ['loop_start: nop\njmp lop_start', '2:5 lop_start is not defined anywhere: did you mean loop_start?'],
    ['mvo eax, 1', '1:1 There is no instruction mvo: did you mean'],
    [
      'nop\n  inc [eax]',
      '2:7 How many bytes does inc access here? Write byte or dword in front of the address.',
    ],
    ['mov al, 300', '1:9 300 does not fit 8 bits'],
    ['mov eax, [esp*2]', '1:10 An address is base + index'],
    ['mov eax, [eax*3 + ebx + ecx]', '1:10 An address is base + index'],
    ['mov eax, [ax]', '1:10 16-bit addresses are bx or bp'],
    ['mov eax, eax + 1', '1:14 Registers cannot be calculated with here'],
    ['mov eax, bx', '1:1 mov does not take eax, bx'],
    ['jmp short a\ntimes 128 nop\na:', '1:5 The target is 128 bytes away'],
    ['db 256', '1:4 256 does not fit 1 bytes'],
    ['db 1 / 0', '1:6 This divides by 0'],
    ['db (1 + 2', '1:10 Expected ) to close this parenthesis'],
    ['db "abc', '1:4 This string has no closing "'],
    ['db 12z', '1:4 "12z" is not a number'],
    ['a: nop\na: nop', '2:1 a is already defined'],
    ['a equ b\nb equ a', '1:1 a has no value, since it depends on itself'],
    ['times n db 0\nn equ n', '1:7 The count of times must be known at this line'],
    ['x: times 1 - (y - x) db 0\ny:', '1:'],
    ['word: nop', '1:1 word is a size and cannot be a label'],
    ['eax: nop', '1:1 eax is a register and cannot be a label'],
    ['align 3', '1:1 3 is not a power of 2'],
    ['bits 64', '1:6 Only 16 and 32 bits exist here'],
    ['mov eax, 1 2', '1:12 Expected the end of the statement, found "2"'],
    ['mov eax, {', '1:10 The character "{" has no meaning here'],
    ['ipi eax, edx\nipi edx, eax', '2:10 These operands would overwrite each other'],
    ['times 2 kick 1', '1:1 times cannot repeat kick'],
    ['exit 3', '1:6 Too many operands: write exit.'],
    ['.vcpu nowhere', '1:7 nowhere is not defined anywhere'],
    ['.vcpux a', '1:1 There is no directive .vcpux: did you mean .vcpu, .pcpus?'],
    ['.vcpu 5', '1:7 There is no code at this address'],
    ['a: nop\n.site a, 5', '2:1 .site has 2 operands: write .site label, size, target, ..., int3.'],
    ['a: nop\n.irq 0, 0x40, a', '1:1 a (vector 64): there is no vCPU 0'],
    ['a: nop\n.vcpu a\n.irq 0, 3, a', '3:9 The vector of an interrupt is 3: it must be 32 to 255.'],
    ['section .a 0x1000\ndd 1\nsection .b 0x1002\ndd 2', '3:1 Section .b overlaps .a'],
    ['org 0xffffffff\ndd 1', '2:4 This runs past the end of the 4 GB address space'],
    ['resb 0x7fffffff', '1:6 The number of elements is 2147483647'],
    ['times 1000000 nop', '1:7 The count of times is 1000000'],
    ['x: equ eax', '1:4 equ gives a name to a number'],
  ])('%s', (source, message) => expect(mistakes(source)[0]).toContain(message))

  test('one run names every mistake, in the order of the lines', () => {
    expect(mistakes('mov eax,\nnop\ndb "x\n').map((text) => text.slice(0, 3))).toEqual(['1:9', '3:4'])
    expect(mistakes('mov eax, a\nmov ebx, b').length).toBe(2)
  })
})
