import { Code, Decoder, DecoderOptions } from 'iced-x86'
import { describe, expect, it } from 'vitest'
import { decode } from '../../src/cpu/decode.ts'

const ROUNDS = Number(process.env.XMCHECK_DECODE_ROUNDS ?? 30_000)

describe('decoder', () => {
  it.each([32, 16])('lengths agree with iced-x86 on random bytes, %i-bit code', (bits) => {
    const bytes = new Uint8Array(16)
    let state = 1
    const random = () => {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      return state & 0xff
    }
    const wrong: string[] = []
    let compared = 0
    for (let k = 0; k < ROUNDS; k++) {
      for (let b = 0; b < 15; b++) bytes[b] = random()
      const op = decode(bytes, 0, 15, bits === 32)
      // C4, C5 and 62 with a register are VEX and EVEX to iced, #UD to an i386.
      if (op.row === null || (op.mod === 3 && ['les', 'lds', 'bound'].includes(op.row.mnemonic))) continue
      const instruction = new Decoder(bits, bytes.subarray(0, 15), DecoderOptions.None).decode()
      const known = instruction.code !== Code.INVALID
      const length = instruction.length
      instruction.free()
      if (!known) continue
      compared++
      if (op.length !== length) wrong.push(`${Buffer.from(bytes).toString('hex')}: ${op.row.mnemonic} ${op.length}, iced ${length}`)
    }
    expect(wrong.slice(0, 10)).toEqual([])
    expect(compared).toBeGreaterThan(ROUNDS / 3)
  })
})
