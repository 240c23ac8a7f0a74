// Boot sectors: what little of a BIOS there is, and images that are something else.
import { describe, expect, it } from 'vitest'
import { assembleBytes } from '../../src/guest/asm/index.ts'
import { optionsFor, run } from './boot.ts'

const boot = (code: string, memoryMegabytes = 8) => run(optionsFor(assembleBytes(`bits 16\n${code}\ncli\nhlt`), { memoryBytes: memoryMegabytes << 20 }))
const words = (log: { posts: number[] }) => log.posts.flatMap((low, k) => (k % 2 === 0 ? [low | (log.posts[k + 1] << 8)] : []))
const post16 = (register: string) => `mov ax, ${register}\nout 0x80, al\nmov al, ah\nout 0x80, al\n`
const carry = 'setc al\nout 0x80, al\n'

describe('the BIOS', () => {
  it('prints', () => {
    expect(boot('mov ax, 0x0e48\nint 0x10\nmov ax, 0x0e69\nint 0x10').log.output).toBe('Hi')
  })
  it('tells how much memory there is', () => {
    expect(words(boot(`int 0x12\n${post16('ax')}mov ah, 0x88\nint 0x15\n${post16('ax')}mov ax, 0xe801\nint 0x15\n${post16('dx')}`, 32).log)).toEqual([639, 31 << 10, 256])
  })
  it('hands out the memory map, entry by entry', () => {
    const next = 'mov eax, 0xe820\nmov edx, 0x534d4150\nmov ecx, 20\nmov di, 0x1000\nint 0x15\n'
    const { log } = boot(`xor ebx, ebx\n${next}${post16('[0x1008]')}${post16('[0x1010]')}${next}${next}${next}${post16('[0x1002]')}${post16('[0x100a]')}${post16('bx')}`)
    // 639 KB that are free; the last entry: from 1 MB on, 7 MB, and no more.
    expect(words(log)).toEqual([0xfc00, 1, 0x10, 0x70, 0])
  })
  it('has no disk, no key, and fails what it does not know', () => {
    expect(boot(`clc\nmov ah, 2\nint 0x13\n${carry}clc\nmov ah, 0xc0\nint 0x15\n${carry}mov ah, 1\nint 0x16\nsetz al\nout 0x80, al`).log.posts).toEqual([1, 1, 1])
  })
  it('halts at exceptions and vectors that nobody serves, and waits for keys', () => {
    for (const code of ['xor dx, dx\ndiv dx', 'int 0x21', 'mov ah, 0\nint 0x16', 'ud2']) {
      const { log, outcome } = boot(`${code}\nmov al, 1\nout 0x80, al`)
      expect([code, log.posts, outcome.exit.kind]).toEqual([code, [], 'halted'])
    }
  })
})

describe('what is no flat image', () => {
  const padded = (at: number, bytes: readonly number[]) => Uint8Array.from({ length: 4096 }, (_, k) => bytes[k - at] ?? 0x90)
  const dwords = (...values: number[]) => values.flatMap((value) => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff))
  it.each<[string, Uint8Array]>([
    ['Multiboot 2', padded(64, dwords(0xe85250d6, 0, 16, -(0xe85250d6 + 16)))], ['Linux kernel', padded(0x202, [...'HdrS'].map((letter) => letter.charCodeAt(0)))], ['EFI', padded(0, [0x4d, 0x5a])],
  ])('%s is named', (name, bytes) => {
    expect(() => run(optionsFor(bytes))).toThrow(name)
  })
})
