/** Every form of the ISA table against nasm's bytes (nasm.fixture.json, made by makeFixture.ts). */
import { Decoder, DecoderOptions, Formatter, FormatterSyntax } from 'iced-x86'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { allForms } from '../../../src/guest/asm/forms.ts'
import { assembleBytes, AssemblyError } from '../../../src/guest/asm/index.ts'
import { allSamples, samplesOf } from './formSamples.ts'
import { toHex } from './helpers.ts'

/** Line, nasm's bytes in 32-bit code, in 16-bit code; '': nasm refuses it. */
type Row = readonly [string, string, string]

const fixture = JSON.parse(
  readFileSync(new URL('nasm.fixture.json', import.meta.url), 'utf8'),
) as readonly Row[]

/** What iced-x86 makes of one instruction, and how many bytes it takes. */
function disassemble(bytes: Uint8Array, bits: number): { text: string; length: number } {
  const decoder = new Decoder(bits, bytes, DecoderOptions.Umov | DecoderOptions.MovTr)
  const formatter = new Formatter(FormatterSyntax.Nasm)
  const instruction = decoder.decode()
  const result = { text: formatter.format(instruction), length: instruction.length }
  for (const object of [instruction, formatter, decoder]) object.free()
  return result
}

function assembleLine(line: string, bits: number): Uint8Array | string {
  try {
    return assembleBytes(`bits ${bits}\n${line}`)
  } catch (error) {
    if (!(error instanceof AssemblyError)) throw error
    return error.message
  }
}

test.each([32, 16])(
  'nasm agrees in %d-bit code: the same bytes, or no more bytes for the same instruction',
  (bits) => {
    const wrong: string[] = []
    let [same, compared] = [0, 0]
    for (const [line, wide, narrow] of fixture) {
      const expected = bits === 32 ? wide : narrow
      if (expected === '') continue
      const theirs = Uint8Array.from(Buffer.from(expected, 'hex'))
      const ours = assembleLine(line, bits)
      compared++
      if (typeof ours === 'string') wrong.push(`${line}: nasm has ${toHex(theirs)}, we say ${ours}`)
      else if (toHex(ours) === toHex(theirs)) same++
      else {
        const [us, them] = [disassemble(ours, bits).text, disassemble(theirs, bits).text]
        if (ours.length > theirs.length || us !== them) {
          wrong.push(`${line}: nasm has ${toHex(theirs)} (${them}), we ${toHex(ours)} (${us})`)
        }
      }
    }
    expect(wrong).toEqual([])
    expect(compared).toBeGreaterThan(2000)
    expect(same / compared).toBeGreaterThan(0.99)
  },
)

test('iced-x86 reads every sample as one whole instruction', () => {
  const wrong = allSamples().flatMap((line) => {
    const bytes = assembleBytes(line)
    const { text, length } = disassemble(bytes, 32)
    return length === bytes.length && !text.startsWith('(bad)') ? [] : [`${line}: ${toHex(bytes)} is ${text}`]
  })
  expect(wrong).toEqual([])
})

test('every form of the table has samples, and the fixture has them (else run makeFixture.ts)', () => {
  expect(allForms().filter((form) => samplesOf(form).length === 0)).toEqual([])
  const known = new Set(fixture.map(([line]) => line))
  expect(allSamples().filter((line) => !known.has(line))).toEqual([])
})
