/** Every form of the ISA table against nasm's bytes (nasm.fixture.json, made by makeFixture.ts). */
import { Decoder, DecoderOptions, Formatter, FormatterSyntax } from 'iced-x86'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { allForms } from '../../../src/guest/asm/forms.ts'
import { assembleBytes, AssemblyError } from '../../../src/guest/asm/index.ts'
import { allSamples, samplesOf } from './formSamples.ts'
import { toHex } from './helpers.ts'

interface Fixture {
  readonly nasm: readonly (readonly [string, string])[]
  readonly refused: readonly string[]
}

const fixture = JSON.parse(readFileSync(new URL('nasm.fixture.json', import.meta.url), 'utf8')) as Fixture

/** What iced-x86 makes of one instruction, and how many bytes it takes. */
function disassemble(bytes: Uint8Array): string {
  const decoder = new Decoder(32, bytes, DecoderOptions.Umov | DecoderOptions.MovTr)
  const formatter = new Formatter(FormatterSyntax.Nasm)
  const instruction = decoder.decode()
  const text = `${formatter.format(instruction)} (${instruction.length} bytes)`
  for (const object of [instruction, formatter, decoder]) object.free()
  return text
}

/** Meaning without the length; whether the operand size prefix is empty talk. */
function meaning(bytes: Uint8Array): string {
  return disassemble(bytes).replace(/ \(\d+ bytes\)$/, '')
}

test('nasm agrees: the same bytes, or no more bytes for the same instruction', () => {
  const wrong: string[] = []
  let same = 0
  for (const [line, expected] of fixture.nasm) {
    const theirs = Uint8Array.from(Buffer.from(expected, 'hex'))
    let ours: Uint8Array
    try {
      ours = assembleBytes(line)
    } catch (error) {
      if (!(error instanceof AssemblyError)) throw error
      wrong.push(`${line}: nasm has ${toHex(theirs)}, we say ${error.message}`)
      continue
    }
    if (toHex(ours) === toHex(theirs)) same++
    else if (ours.length > theirs.length || meaning(ours) !== meaning(theirs)) {
      wrong.push(
        `${line}: nasm has ${toHex(theirs)} (${meaning(theirs)}), we ${toHex(ours)} (${meaning(ours)})`,
      )
    }
  }
  expect(wrong).toEqual([])
  expect(same / fixture.nasm.length).toBeGreaterThan(0.98)
})

test('iced-x86 reads every sample as one whole instruction', () => {
  const wrong = allSamples().flatMap((line) => {
    const bytes = assembleBytes(line)
    const text = disassemble(bytes)
    return text.endsWith(`(${bytes.length} bytes)`) && !text.startsWith('(bad)')
      ? []
      : [`${line}: ${toHex(bytes)} is ${text}`]
  })
  expect(wrong).toEqual([])
})

test('every form of the table has samples, and the fixture covers the table', () => {
  expect(allForms().filter((form) => samplesOf(form).length === 0)).toEqual([])
  const known = new Set([...fixture.nasm.map(([line]) => line), ...fixture.refused])
  expect(allSamples().filter((line) => !known.has(line))).toEqual([])
})
