// docs/isa.md says what the table says, and every encoding has evidence.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { ISA } from '../../src/cpu/isa.ts'
import { encodingOf, isaDoc } from './isaDoc.ts'

it('docs/isa.md is what `npm run docs` writes', () => {
  const text = isaDoc(fileURLToPath(new URL('.', import.meta.url)))
  expect(readFileSync(new URL('../../docs/isa.md', import.meta.url), 'utf8')).toBe(text)
  const rows = text.split('\n').filter((line) => line.startsWith('| `'))
  expect(rows.map((line) => line.split(' | ').slice(0, 2).join(' '))).toHaveLength(ISA.length)
  for (const row of ISA) expect(text).toContain(`| \`${encodingOf(row)}\` | \`${row.mnemonic}`)
  // Nothing without evidence: captured to completion, or completed by the ROM, or in a test of its own.
  const unproven = rows.filter((line) => /(none: .*|all refused) \|  \|  \|$/.test(line))
  // UD2 does nothing but fault; x87 arithmetic is not there.
  expect(unproven.map((line) => line.split('`')[1])).toEqual(['0F 0B', 'D8 /r', 'DA /r', 'DC /r', 'DE /r'])
})
