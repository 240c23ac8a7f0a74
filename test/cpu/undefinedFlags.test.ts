// Undefined flags: marked in the table, chosen by a knob, the same again on replay.
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { ISA } from '../../src/cpu/isa.ts'
import * as reg from '../../src/cpu/registers.ts'
import { UNDEFINED } from '../../src/cpu/undefined.ts'
import { formatUndefinedFlags, parseUndefinedFlags } from '../../src/cpu/undefinedFlags.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { checkImage, decodeTrace, encodeTrace, makeModel, recordTrace, replayTrace } from '../../src/index.ts'
import { rerun } from '../../src/platform/run.ts'
import { decodeRunTrace, encodeRunTrace } from '../../src/platform/runTrace.ts'
import { Log, optionsFor, rom, run } from '../platform/boot.ts'
import { differences, Model } from './native/compare.ts'
import { explain } from './native/explained.ts'
import { readVectors } from './native/vectors.ts'

describe('the choice of undefined flags', () => {
  it('has three spellings', () => {
    for (const text of ['fixed', 'zero', 'random:0', 'random:4294967295']) expect(formatUndefinedFlags(parseUndefinedFlags(text)!)).toBe(text)
    for (const text of ['', 'random', 'random:', 'random:-1', 'random:4294967296', 'zero:1', 'keep']) expect(parseUndefinedFlags(text)).toBe(null)
    expect(() => makeModel({ undefinedFlags: 'none' })).toThrow('undefinedFlags=none: undefinedFlags is fixed, zero or random:SEED')
  })

  it('is of the flags that the rule of a mnemonic names', () => {
    const names = { CF: reg.CF, PF: reg.PF, AF: reg.AF, ZF: reg.ZF, SF: reg.SF, OF: reg.OF }
    for (const [mnemonic, { doc, of }] of Object.entries(UNDEFINED)) {
      const named = Object.entries(names).reduce((mask, [name, flag]) => mask | (doc.includes(name) || doc.includes('everything') ? flag : 0), 0)
      let possible = 0
      for (let count = 0; count < 32; count++) for (const bits of [8, 16, 32]) possible |= of(count, bits, false).flags
      expect([mnemonic, possible]).toEqual([mnemonic, named])
    }
  })

  it.each(['zero', 'random:1', 'random:2'])('%s: changes undefined flags, and nothing that real parts define', (text) => {
    const { header, vectors } = readVectors(gunzipSync(readFileSync(new URL('native/vectors.bin.gz', import.meta.url))))
    const [fixed, chosen] = [new Model(), new Model(parseUndefinedFlags(text)!)]
    const loose = new Set(ISA.filter((row) => row.undefined !== null).map(({ mnemonic }) => mnemonic))
    const changed = new Set<string>()
    for (const { row, before, after } of vectors((index) => index % 61 === 0)) {
      const { after: got, op } = chosen.run(before)
      const wrong = differences(before, after, got, op)
      expect(wrong.length === 0 || explain(header.rows[row], before, after, got) !== null, `${header.rows[row]}: ${wrong.join('; ')}`).toBe(true)
      if (fixed.run(before).after.eflags !== got.eflags) changed.add(header.rows[row].split(' ')[0])
    }
    expect([...changed].filter((mnemonic) => !loose.has(mnemonic))).toEqual([])
    // All but BSWAP, whose result is undefined and not a flag.
    if (text !== 'zero') expect([...loose].filter((mnemonic) => !changed.has(mnemonic))).toEqual(['bswap'])
  })
})

describe('code that depends on an undefined flag', () => {
  // AF after AND; OF after a shift by 2.
  const careless = '.vcpu go\ngo: mov eax, 5\nand eax, 3\nlahf\nmovzx eax, ah\nand eax, 16\nxor eax, 16\nassert "AF is clear"\nmov eax, 1\nshl eax, 2\nsetno al\nmovzx eax, al\nassert "OF is clear"\nret'
  const careful = '.vcpu go\ngo: mov eax, 5\nand eax, 3\nsetnz al\nmovzx eax, al\nassert "ZF"\nmov eax, 1\nshl eax, 2\nsetnz al\nmovzx eax, al\nassert "ZF"\nret'
  const image = assembleImage(careless, { title: 'careless' })

  it('holds with the fixed choice, and is found by a random one', () => {
    const verdicts = (text: string, choices: readonly string[]) => choices.map((undefinedFlags) => checkImage(assembleImage(text, { title: 'flags' }), makeModel({ undefinedFlags })).verdict)
    const random = Array.from({ length: 8 }, (_, seed) => `random:${seed}`)
    expect(verdicts(careless, ['fixed', 'zero'])).toEqual(['holds', 'holds'])
    expect(new Set(verdicts(careless, random))).toEqual(new Set(['holds', 'violated']))
    expect(new Set(verdicts(careful, random))).toEqual(new Set(['holds']))
  })

  it('replays by what its trace says of the choice', () => {
    for (let seed = 0; seed < 8; seed++) {
      const model = makeModel({ undefinedFlags: `random:${seed}` })
      const result = checkImage(image, model)
      if (result.verdict !== 'violated') continue
      const trace = decodeTrace(encodeTrace(recordTrace(image, model, result.sharing, result.schedule!)))
      expect(trace.knobs.undefinedFlags).toBe(`random:${seed}`)
      expect(replayTrace(trace)).toMatchObject({ divergence: null, violation: trace.violation })
      expect(replayTrace({ ...trace, knobs: { ...trace.knobs, undefinedFlags: 'fixed' } }).divergence).not.toBeNull()
    }
  })

  it('runs and replays as a booted image', () => {
    const bytes = rom(64, 'mov cx, 300\nagain: mov ax, cx\nand ax, 3\npushf\npop dx\nadd bx, dx\nloop again\nmov ax, bx\nout 0x80, al\ncli\nhlt')
    const posts = new Set<number>()
    for (let seed = 0; seed < 4; seed++) {
      const options = optionsFor(bytes, { rom: true, undefinedFlags: parseUndefinedFlags(`random:${seed}`)! })
      const { running, outcome, log } = run(options)
      posts.add(log.posts[0])
      const trace = decodeRunTrace(encodeRunTrace(options, running.recording, outcome))
      expect(trace.options.undefinedFlags).toEqual(options.undefinedFlags)
      const again = rerun(trace.options, new Log(), trace.recording)
      expect([again.divergence, again.system.hash()]).toEqual([null, outcome.hash])
    }
    expect(posts.size).toBeGreaterThan(1)
  })
})
