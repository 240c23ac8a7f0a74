/** docs/isa.md: every encoding of the instruction table, where it exists, and the evidence for it. Written by `npm run docs`. */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { CPU_CLASSES } from '../../src/cpu/classes.ts'
import { GROUPS, groupOf } from '../../src/cpu/groups.ts'
import { isImplemented, neededFeature } from '../../src/cpu/handlers.ts'
import { ISA, type IsaRow } from '../../src/cpu/isa.ts'
import { FlatMachine } from './flatMachine.ts'
import { EXPLANATIONS } from './native/explained.ts'
import { leftOut, rowText } from './native/generate.ts'
import { readVectors } from './native/vectors.ts'

/** @param here folder of this file, ending in a slash */
export function isaDoc(here: string): string {
  const { header, counts } = vectorCounts(here)
  const rom = romCounts(here)
  const executed = JSON.parse(readFileSync(`${here}executed.json`, 'utf8')) as Record<string, string[]>
  const lines = (rows: readonly IsaRow[]) => rows.map((row) => {
    const { all = 0, completed = 0 } = counts.get(rowText(row)) ?? {}
    const vectors = all === 0 ? `none: ${leftOut(row)}` : completed === 0 ? `${all}, all refused` : String(all)
    // These two run the ROM.
    const tests = (executed[rowText(row)] ?? []).filter((name) => name !== 'rom' && name !== 'attempts')
    return `| ${[code(encodingOf(row)), code(`${row.mnemonic} ${row.operands.join(', ')}`.trim()), sinceOf(row), stateOf(row), row.undefined?.doc ?? '', vectors, String(rom.get(row) ?? ''), tests.join(', ')].join(' | ')} |`
  })
  const sections = GROUPS.flatMap(([group]) => {
    const rows = ISA.filter(({ mnemonic }) => groupOf(mnemonic) === group)
    return [`## ${group[0].toUpperCase()}${group.slice(1)}`, '', '| encoding | instruction | since | state | undefined after it | vectors | ROM | tests |', '|---|---|---|---|---|---|---|---|', ...lines(rows), '']
  })
  const captured = [...counts.values()].reduce((sum, { all }) => sum + all, 0)
  return [
    '# Instructions',
    '',
    'Generated from the instruction table (src/cpu/isa.ts) by `npm run docs`; do not edit.',
    '',
    `${ISA.length} encodings. Columns: the CPU class that has it first; its state; what the manual leaves undefined, which comparisons mask and`,
    '`undefinedFlags` chooses; instances captured on a real part in ring 3 (*refused*: it faults there, so only that is shown); how often',
    'the ROM of test/cpu/rom completes it on the p4; files of test/cpu whose own programs complete it. properties/cpu.test.ts draws from all rows.',
    '',
    `${captured} instances of ${counts.size} rows, captured on ${header.cpu} (harness ${header.harness.slice(0, 16)}). The model agrees with all but these:`,
    '',
    ...EXPLANATIONS.map(({ why }) => `- ${why}`),
    '',
    'Prefixes: 26 2E 36 3E 64 65 66 67 F0 F2 F3 in any order and number, 15 bytes in all (more: #GP). LOCK is #UD on what cannot carry it.',
    'Opcodes without a row are #UD.',
    '',
    ...sections,
  ].join('\n')
}

/** Rows that no real part completes in ring 3, and the files of test/cpu that complete them; `refused`: vectors show how they fault there. */
export function unprovenRows(here: string): { row: string; tests: readonly string[]; refused: boolean }[] {
  const { counts } = vectorCounts(here)
  const executed = JSON.parse(readFileSync(`${here}executed.json`, 'utf8')) as Record<string, string[]>
  return ISA.map(rowText).filter((row) => (counts.get(row)?.completed ?? 0) === 0 && row in executed).map((row) => ({ row, tests: executed[row].filter((name) => name !== 'attempts'), refused: counts.has(row) }))
}

const hex = (byte: number) => byte.toString(16).padStart(2, '0').toUpperCase()
const code = (text: string) => `\`${text}\``

/** In the manual's notation: `/digit`, `/r`, `+r`. */
export function encodingOf({ opcode, prefix, digit, modrm, plusR }: IsaRow): string {
  const bytes = [...(prefix === 0 ? [] : [prefix]), ...opcode].map(hex).join(' ')
  return bytes + (digit >= 0 ? ` /${digit}` : modrm ? ' /r' : plusR ? '+r' : '')
}

function sinceOf(row: IsaRow): string {
  const feature = neededFeature(row)
  return feature === null ? '386' : Object.values(CPU_CLASSES).find(({ features }) => features.has(feature))!.name
}

function stateOf({ mnemonic, lockable, opcode }: IsaRow): string {
  if (!isImplemented(mnemonic)) return 'not implemented: #UD, said by name'
  if (mnemonic === 'x87') return [0xd9, 0xdb, 0xdd, 0xdf].includes(opcode[0]) ? 'control and state; arithmetic is #UD, said by name' : 'arithmetic: #UD, said by name'
  return lockable ? 'complete, LOCK' : 'complete'
}

function vectorCounts(here: string) {
  const { header, vectors } = readVectors(gunzipSync(readFileSync(`${here}native/vectors.bin.gz`)))
  const counts = new Map<string, { all: number; completed: number }>()
  for (const { row, before, after } of vectors()) {
    const name = header.rows[row]
    const count = counts.get(name) ?? { all: 0, completed: 0 }
    counts.set(name, count)
    count.all++
    if (after.eip !== before.eip || after.trap === 3) count.completed++
  }
  return { header, counts }
}

/** Instructions that the ROM completes, by row. */
function romCounts(here: string): ReadonlyMap<IsaRow, number> {
  const counts = new Map<IsaRow, number>()
  const machine = new FlatMachine('p4')
  machine.bus.bytes.set(readFileSync(`${here}rom/modes.bin`), 0xf0000)
  machine.bus.romStart = 0xf0000
  for (;;) {
    const outcome = machine.step()
    if (outcome === 'halted' || outcome === 'shutdown') return counts
    const row = outcome === 'ran' ? (machine.op?.row ?? null) : null
    if (row !== null) counts.set(row, (counts.get(row) ?? 0) + 1)
  }
}
