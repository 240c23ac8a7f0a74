import { describe, expect, test } from 'vitest'
import { assemble } from '../../../src/guest/asm/index.ts'
import { hex, toHex } from './helpers.ts'

describe('data', () => {
  test.each([
    ['db 1, 0x1f, 1fh, 0b101, 101b, 17o, 0o17, 1_0', '01 1f 1f 05 05 0f 0f 0a'],
    ['db "ab", \'c\', `\\n\\xff\\0`', '61 62 63 0a ff 00'],
    ['dw "abc", -1', '61 62 63 00 ff ff'],
    ['dd 1, ?', '01 00 00 00 00 00 00 00'],
    ['dq 0x00cf9a000000ffff', 'ff ff 00 00 00 9a cf 00'],
    ['dd "abcd" + 1', '62 62 63 64'],
    ['dd 2 + 3 * 4, (2 + 3) * 4, -7 / 2, -7 % 2', '0e 00 00 00 14 00 00 00 fd ff ff ff ff ff ff ff'],
    ['db 1 << 3 | 1, ~0 & 0x0f, 6 ^ 3, 200 >> 2', '09 0f 05 32'],
    ['resb 2\nresw 1\ndb 1', '00 00 00 00 01'],
    ['times 3 db 1, 2', '01 02 01 02 01 02'],
    ['times 2 times 2 db 7', '07 07 07 07'],
    ['db 1\nalign 4\ndb 2', '01 90 90 90 02'],
    ['db 1\nalign 4, 0xcc\ndb 2', '01 cc cc cc 02'],
    ['db 1\nalign 4, db 0\ndb 2', '01 00 00 00 02'],
    ['times 6-($-$$) db 9', '09 09 09 09 09 09'],
    ['five equ 5\ndb five ; comment\n# comment', '05'],
    ['x dd y - x\ny db 1', '04 00 00 00 01'],
  ])('%s', (source, bytes) => expect(hex(source)).toBe(bytes))
})

describe('labels and placement', () => {
  test('local labels belong to the label before them', () => {
    expect(hex('a:\n.x: db 1\nb:\n.x: db b.x - a.x, .x - b')).toBe('01 01 00')
  })

  test('sections without an address follow each other; a section is continued where it stopped', () => {
    const { segments, labels } = assemble(
      'db 1\nsection .data\nx: db 2\nsection .text\ny: db 3\nsection .patch 0x103d rwx\nz: db 4',
      { origin: 0x1000 },
    )
    expect(segments.map(({ name, address, bytes, access }) => [name, address, toHex(bytes), access])).toEqual(
      [
        ['.text', 0x1000, '01 03', 'rwx'],
        ['.data', 0x1010, '02', 'rw'],
        ['.patch', 0x103d, '04', 'rwx'],
      ],
    )
    expect(labels.get('x')!.address).toBe(0x1010)
    expect(labels.get('y')!.address).toBe(0x1001)
    expect(labels.get('z')!.address).toBe(0x103d)
  })

  test('org moves within a section, to any alignment', () => {
    const { segments, labels } = assemble('org 0x103d\nsite: db 1\norg 0x2000\nafter: db 2')
    expect(segments.map(({ address }) => address)).toEqual([0x103d, 0x2000])
    expect(labels.get('after')!.address).toBe(0x2000)
  })

  test('lines name the source line of every byte-producing statement', () => {
    expect(assemble('nop\n\nx: nop\n  dd 1').lines).toEqual([
      { address: 0, line: 1 },
      { address: 1, line: 3 },
      { address: 2, line: 4 },
    ])
  })

  test('symbols from outside define names and replace equ', () => {
    expect(hex('size equ 4\ndb size, other', { symbols: { size: 5, other: 6 } })).toBe('05 06')
  })

  test('sizes of labels reach to the next label that is not local', () => {
    const { labels } = assemble('a: dd 1\n.l: dd 2\nb: dd 3')
    expect([...labels.values()].map(({ name, sizeBytes, kind }) => [name, sizeBytes, kind])).toEqual([
      ['a', 8, 'function'],
      ['a.l', 0, 'label'],
      ['b', 4, 'function'],
    ])
  })
})

describe('instructions', () => {
  test.each([
    // The shortest of several encodings.
    ['add eax, 5', '83 c0 05'],
    ['add eax, 0x12345678', '05 78 56 34 12'],
    ['add eax, -1', '83 c0 ff'],
    ['add eax, 0xffffffff', '83 c0 ff'],
    ['add eax, strict dword 5', '05 05 00 00 00'],
    ['mov eax, [0x1234]', 'a1 34 12 00 00'],
    ['mov ebx, [0x1234]', '8b 1d 34 12 00 00'],
    ['push 5', '6a 05'],
    ['push 0x80', '68 80 00 00 00'],
    ['push word 5', '66 6a 05'],
    ['inc eax', '40'],
    ['shl eax, 1', 'd1 e0'],
    ['xchg eax, ebx', '93'],
    // Addresses.
    ['mov eax, [ebp]', '8b 45 00'],
    ['mov eax, [esp]', '8b 04 24'],
    ['mov eax, [eax+esp]', '8b 04 04'],
    ['mov eax, [ebx*2]', '8b 04 1b'],
    ['mov eax, [ebp*2]', '8b 04 6d 00 00 00 00'],
    ['mov eax, [ebx*4+0x80]', '8b 04 9d 80 00 00 00'],
    ['mov eax, [ebx+ecx*8-128]', '8b 44 cb 80'],
    ['mov eax, [ebx+ebx*4]', '8b 04 9b'],
    ['mov eax, [ebx*5]', '8b 04 9b'],
    ['mov eax, [dword ebx+4]', '8b 83 04 00 00 00'],
    ['mov eax, [byte ebx]', '8b 43 00'],
    ['mov ebx, [bx+si]', '67 8b 18'],
    ['mov ebx, [bp]', '67 8b 5e 00'],
    ['mov ebx, [gs:4]', '65 8b 1d 04 00 00 00'],
    ['mov ebx, gs:[4]', '65 8b 1d 04 00 00 00'],
    ['mov ebx, dword ptr fs:[ecx]', '64 8b 19'],
    // Prefixes.
    ['lock inc dword [ebx]', 'f0 ff 03'],
    ['rep movsd', 'f3 a5'],
    ['repne scasb', 'f2 ae'],
    ['gs lodsb', '65 ac'],
    // Jumps.
    ['jmp $', 'eb fe'],
    ['jmp near $', 'e9 fb ff ff ff'],
    ['jmp 8:0x1234', 'ea 34 12 00 00 08 00'],
    ['jmp far [ebx]', 'ff 2b'],
    ['call [ebx]', 'ff 13'],
    ['jmp dword [ebx]', 'ff 23'],
    ['call $+5', 'e8 00 00 00 00'],
    // Labels keep their full width.
    ['add ebx, x\nx:', '81 c3 06 00 00 00'],
    ['mov ebx, [ecx+x]\nx:', '8b 99 06 00 00 00'],
    ['add ebx, y-x\nx: db 1\ny:', '83 c3 01 01'],
    // 16-bit code.
    ['bits 16\nmov ax, 1\nmov eax, 1', 'b8 01 00 66 b8 01 00 00 00'],
    ['bits 16\njmp dword 8:0x12345', '66 ea 45 23 01 00 08 00'],
    ['bits 16\nmov eax, [ebx]', '66 67 8b 03'],
    ['bits 16\njmp $', 'eb fe'],
    // NOPs of a length.
    ['nop', '90'],
    ['nop 5', '0f 1f 44 00 00'],
    ['nop 11', '66 0f 1f 84 00 00 00 00 00 66 90'],
  ])('%s', (source, bytes) => expect(hex(source)).toBe(bytes))

  test('jumps are short where that reaches, and near where not', () => {
    expect(hex('jmp a\ntimes 127 db 0\na:').startsWith('eb 7f')).toBe(true)
    expect(hex('jmp a\ntimes 128 db 0\na:').startsWith('e9 80 00 00 00')).toBe(true)
    expect(hex('a: times 126 db 0\njmp a').endsWith('eb 80')).toBe(true)
    expect(hex('a: times 127 db 0\njmp a').endsWith('e9 7c ff ff ff')).toBe(true)
  })

  test('a jump that grows makes others grow', () => {
    // Each is short until the one behind it has become near.
    const count = 12
    const jumps = Array.from({ length: count }, (_, n) => `j${n}: jmp t${n}\ntimes 120 db 0`)
    const targets = Array.from({ length: count }, (_, n) => `t${n}: nop`)
    const bytes = hex([...jumps, ...targets].join('\n')).split(' ')
    expect(bytes.length).toBe(count * (5 + 120) + count)
  })
})

describe('calls to the checker', () => {
  test.each([
    ['exit', '0f 1f 80 00 00 4d 58'],
    ['kick 1', 'b8 01 00 00 00 0f 1f 80 0d 00 4d 58'],
    ['kick', '0f 1f 80 0d 00 4d 58'],
    ['assert "x"', 'ba 01 00 00 00 0f 1f 80 01 00 4d 58'],
    ['assume ecx, "x"', '89 c8 ba 01 00 00 00 0f 1f 80 02 00 4d 58'],
    ['assert al, "x"', '0f b6 c0 ba 01 00 00 00 0f 1f 80 01 00 4d 58'],
    ['ipi ebx, eax', '89 c2 89 d8 0f 1f 80 04 00 4d 58'],
    ['ipi edx, 0x40', '89 d0 ba 40 00 00 00 0f 1f 80 04 00 4d 58'],
    ['enter 0x1000', 'b8 00 10 00 00 0f 1f 80 08 00 4d 58'],
    ['xm_leave', '0f 1f 80 09 00 4d 58'],
    ['leave', 'c9'],
    ['enter 8, 1', 'c8 08 00 01'],
  ])('%s', (source, bytes) => expect(hex(source)).toBe(bytes))
})
