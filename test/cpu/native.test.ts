// Register and flag results against a real CPU: test/cpu/native/capture.sh made the vectors.
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import type { Bus } from '../../src/cpu/bus.ts'
import { classOf } from '../../src/cpu/classes.ts'
import { Cpu } from '../../src/cpu/cpu.ts'
import { decode } from '../../src/cpu/decode.ts'
import { AF, CF, CS, EAX, ECX, EDX, EFLAGS, OF, PF, REGISTER_WORDS, SEG_LIMIT, SF, ZF } from '../../src/cpu/registers.ts'

type Vector = [string, number, number, number, number, number, number, number, number]
const vectors = JSON.parse(gunzipSync(readFileSync(new URL('native/vectors.json.gz', import.meta.url))).toString()) as Vector[]

/** Flags that the manual leaves undefined (SDM vol. 2, "Flags Affected"), never what was seen to differ. */
function undefinedFlags(mnemonic: string, count: number, bits: number): number {
  switch (mnemonic) {
    case 'and': case 'or': case 'xor': case 'test': return AF
    case 'mul': case 'imul': return SF | ZF | AF | PF
    case 'bt': case 'bts': case 'btr': case 'btc': return OF | SF | AF | PF
    case 'rol': case 'ror': case 'rcl': case 'rcr': return count === 1 ? 0 : OF
    case 'shl': case 'shr': case 'sal': case 'sar': return count === 0 ? 0 : AF | (count === 1 ? 0 : OF) | (count >= bits ? CF : 0)
    case 'shld': case 'shrd': return count === 0 ? 0 : count > bits ? OF | SF | ZF | AF | PF | CF : AF | (count === 1 ? 0 : OF)
    default: return 0
  }
}

it('results and defined flags equal those of the real CPU', () => {
  const words = new Int32Array(REGISTER_WORDS)
  // Register instructions never reach the bus.
  const cpu = new Cpu(words, 0, {} as Bus, classOf('p4'))
  const wrong: string[] = []
  for (const [hex, a, c, d, f, a2, c2, d2, f2] of vectors) {
    const bytes = Uint8Array.from(Buffer.from(hex.padEnd(30, '0'), 'hex'))
    const op = decode(bytes, 0, 15, true)
    words.fill(0)
    words[EAX] = a
    words[ECX] = c
    words[EDX] = d
    words[EFLAGS] = f | 2
    words[SEG_LIMIT + CS] = -1
    cpu.execute(op)
    const count = op.row === null ? 0 : ((op.c.kind !== 0 ? cpuCount(op.c.kind, op.c.value, c) : cpuCount(op.b.kind, op.b.value, c)) & 31)
    const defined = (CF | PF | AF | ZF | SF | OF) & ~undefinedFlags(op.row?.mnemonic ?? '', count, op.a.size * 8)
    const same = words[EAX] === (a2 | 0) && words[ECX] === (c2 | 0) && words[EDX] === (d2 | 0) && (words[EFLAGS] & defined) === (f2 & defined)
    if (op.length * 2 !== hex.length || !same || cpu.stop !== 0)
      wrong.push(`${op.row?.mnemonic} ${hex} eax=${hexOf(a)} ecx=${hexOf(c)} edx=${hexOf(d)} fl=${hexOf(f)}: got ${[words[EAX], words[ECX], words[EDX], words[EFLAGS] & 0x8d5].map(hexOf).join(' ')}, real ${[a2, c2, d2, f2].map(hexOf).join(' ')}`)
  }
  expect(wrong.slice(0, 20)).toEqual([])
  expect(vectors.length).toBeGreaterThan(4000)
})

function cpuCount(kind: number, value: number, ecx: number): number {
  return kind === 3 ? value : ecx
}
function hexOf(value: number): string {
  return (value >>> 0).toString(16)
}
