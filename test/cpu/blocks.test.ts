// Blocks against handlers: instructions of the captured vectors, strung together, end in the same state either way.
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { classOf } from '../../src/cpu/classes.ts'
import { CodeCache } from '../../src/cpu/codeCache.ts'
import { STACK } from '../../src/cpu/formNumbers.ts'
import * as reg from '../../src/cpu/registers.ts'
import { canRunBlocks, flatSegments } from '../../src/cpu/runBlocks.ts'
import { generator } from '../../src/explore/generator.ts'
import { World } from './protectedMode.ts'
import { Model } from './native/compare.ts'
import { FPU_INITIAL, CODE, DATA, registerValue, type Instance } from './native/layout.ts'
import { readVectors } from './native/vectors.ts'

const { vectors } = readVectors(gunzipSync(readFileSync(new URL('native/vectors.bin.gz', import.meta.url))))
const instructions: Uint8Array[] = []
let selectors: readonly number[] = []
for (const { before } of vectors((number) => number % 41 === 0)) {
  instructions.push(before.code)
  if (selectors.length === 0) selectors = before.selectors
}

/** What compilers write: few instructions with each other's flags, at registers and aligned memory. */
function dense(random: () => number): Uint8Array {
  const modrm = (memory: boolean) => (memory && random() % 3 === 0 ? [0x43 | ((random() & 7) << 3), random() & 0x7c] : [0xc0 | (random() & 0x3f)])
  switch (random() % 11) {
    case 0: return Uint8Array.from([((random() & 7) << 3) | (random() & 3), ...modrm(true)])
    case 1: return Uint8Array.from([0x83, 0xc0 | (random() & 0x3f), random()])
    case 2: return Uint8Array.from([0xc1, 0xc0 | (random() & 0x3f), random() & 35])
    case 3: return Uint8Array.from([0xd3, 0xc0 | (random() & 0x3f)])
    case 4: return Uint8Array.from([0x40 | (random() & 15)])
    case 5: return Uint8Array.from([0x0f, 0x90 | (random() & 15), ...modrm(false)])
    case 6: return Uint8Array.from([0x0f, 0x40 | (random() & 15), ...modrm(true)])
    case 7: return Uint8Array.from([0x0f, [0xaf, 0xb6, 0xb7, 0xbe, 0xbf][random() % 5], ...modrm(true)])
    case 8: return Uint8Array.from([0x88 | (random() & 3), ...modrm(true)])
    case 9: return Uint8Array.from([0xf7, 0xd0 | (random() & 0xf)])
    default: return Uint8Array.from([0x85 - (random() & 1), ...modrm(true)])
  }
}

function program(random: () => number, pick: () => Uint8Array): Instance {
  const parts = Array.from({ length: 2 + (random() % 10) }, pick)
  const registers = Array.from({ length: 8 }, (_, r) => registerValue(random(), r))
  // EBX and ESP lead to memory more often than not.
  registers[3] = DATA + (random() & 0x1ffc) - (random() % 8 === 0 ? random() & 3 : 0)
  registers[4] = DATA + 0x1000 + (random() & 0x7c)
  const place = CODE + 0x100 + (random() & 0xff)
  const code = Uint8Array.from(parts.flatMap((part) => [...part]))
  return { code, place, eip: place, eflags: random() & 0x8d5, registers, selectors, planted: new Uint8Array(0), plantedAt: 0, fpu: FPU_INITIAL }
}

describe('blocks', () => {
  it.each([
    ['captured', 3000],
    ['dense', 5000],
  ] as const)('of %s instructions do what their handlers do', { timeout: 60_000 }, (kind, count) => {
    const random = generator(kind.length)
    const model = new Model()
    const vector = () => instructions[random() % instructions.length]
    for (let n = 0; n < count; n++) {
      const before = program(random, kind === 'dense' ? () => dense(random) : vector)
      const inBlocks = model.run(before, 'blocks').after
      const byHandlers = model.run(before, 'handlers').after
      if (JSON.stringify(inBlocks) === JSON.stringify(byHandlers)) continue
      const code = Array.from(before.code, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
      expect(inBlocks, `program ${n}: ${code}`).toEqual(byHandlers)
    }
  })
})

describe('what must be looked at between instructions', () => {
  const cpuWith = (word: number, value: number) => {
    const { cpu } = new World('p4').machine
    cpu.r[word] = value
    return cpu
  }

  it.each([
    ['TF', reg.EFLAGS, reg.TF], ['an STI shadow', reg.SHADOW, reg.SHADOW_STI], ['a MOV SS shadow', reg.SHADOW, reg.SHADOW_MOV_SS],
    ['a breakpoint', reg.DR7, 1], ['an event', reg.EVENT, reg.EVENT_VALID | 3], ['HLT', reg.ACTIVITY, reg.HALTED],
    ['a base of CS', reg.SEG_BASE + reg.CS, 0x1000], ['a limit of CS', reg.SEG_LIMIT + reg.CS, 0xffff], ['16-bit code', reg.SEG_ATTR + reg.CS, 0x9b],
  ])('%s keeps blocks from running', (_name, word, value) => {
    expect([canRunBlocks(cpuWith(reg.EAX, 1)), canRunBlocks(cpuWith(word, value))]).toEqual([true, false])
  })

  it('segments are flat where offsets are addresses that may be written', () => {
    expect(flatSegments(cpuWith(reg.EAX, 1).r) & 0xff).toBe(0x3d)
    for (const [word, value] of [[reg.SEG_BASE + reg.DS, 16], [reg.SEG_LIMIT + reg.DS, 0xfffff], [reg.SEG_ATTR + reg.DS, 0xc091], [reg.SEG_ATTR + reg.DS, 0xc097], [reg.SEG_ATTR + reg.DS, 0xc013]])
      expect(flatSegments(cpuWith(word, value).r) & (1 << reg.DS)).toBe(0)
    expect(flatSegments(cpuWith(reg.SEG_ATTR + reg.SS, 0x93).r) & STACK).toBe(0)
  })
})

describe('the code cache', () => {
  const memory = new Uint8Array(0x2000)
  const cache = new CodeCache(memory, 0, 2, classOf('p4'))

  it('compares with memory after a write, and keeps a block that was not touched', () => {
    memory.set([0x40, 0x41, 0xc3], 0x100)
    const block = cache.at(0x100, 0x100, true)!
    expect(block.ops).toHaveLength(3)
    cache.written(0)
    memory[0x200] = 1
    expect(cache.at(0x100, 0x100, true)).toBe(block)
    cache.written(0)
    memory[0x101] = 0x42
    const changed = cache.at(0x100, 0x100, true)!
    expect(changed).not.toBe(block)
    expect(changed.ops[1].op.a.value).toBe(2)
  })

  it('gives no block that crosses a page, and one for each code size', () => {
    memory.set([0xb8, 0, 0, 0, 0, 0xc3], 0xffe)
    expect(cache.at(0xffe, 0xffe, true)).toBeNull()
    memory.set([0xb8, 1, 2, 3, 4, 0xc3], 0x300)
    expect(cache.at(0x300, 0x300, true)!.first.length).toBe(5)
    expect(cache.at(0x300, 0x300, false)!.first.length).toBe(3)
  })
})
