/**
 * Makes nasm.fixture.json: every sample line with the bytes that nasm gives it in 32-bit and in 16-bit code
 * ("": it refuses the line). Run it when the ISA table has grown. Needs nasm (2.16):
 *
 *   npx esbuild test/guest/asm/makeFixture.ts --bundle --platform=node --format=esm --outfile=/tmp/make.mjs
 *   node /tmp/make.mjs > test/guest/asm/nasm.fixture.json
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { allSamples } from './formSamples.ts'

/** Every line gets its own stretch, so that `$+n` means the same everywhere. */
const STRETCH_BYTES = 32
const folder = mkdtempSync(join(tmpdir(), 'fixture'))

/** Bytes of each line, or null where nasm refuses one of them; then its errors name the lines. */
function nasm(lines: readonly string[], bits: number): { bytes: Uint8Array | null; bad: Set<number> } {
  const text = lines.map((line, n) => `s${n}: ${line}\ne${n}: times ${STRETCH_BYTES}-($-s${n}) db 0xcc`)
  const lengths = lines.map((_, n) => `db e${n}-s${n}`)
  const source = join(folder, 'lines.asm')
  const output = join(folder, 'lines.bin')
  writeFileSync(source, [`bits ${bits}`, ...text, ...lengths].join('\n') + '\n')
  const run = spawnSync('nasm', ['-f', 'bin', '-Ox', '-w-all', '-w+number-overflow', '-o', output, source], {
    encoding: 'utf8',
  })
  // Numbers that nasm cuts to size with a warning are mistakes to us.
  const bad = [...run.stderr.matchAll(/lines\.asm:(\d+): (?:error|warning)/g)].map((match) =>
    Math.floor((Number(match[1]) - 2) / 2),
  )
  if (bad.length > 0) return { bytes: null, bad: new Set(bad) }
  if (run.status !== 0) throw new Error(run.stderr)
  return { bytes: readFileSync(output), bad: new Set() }
}

/** Bytes of each line in hexadecimal; '' for those that nasm refuses. */
function expectations(all: readonly string[], bits: number): Map<string, string> {
  let lines = all
  for (;;) {
    const { bytes, bad } = nasm(lines, bits)
    if (bytes) {
      const found = new Map(all.map((line) => [line, '']))
      lines.forEach((line, n) => {
        const length = bytes[lines.length * STRETCH_BYTES + n]
        found.set(
          line,
          Buffer.from(bytes.subarray(n * STRETCH_BYTES, n * STRETCH_BYTES + length)).toString('hex'),
        )
      })
      process.stderr.write(
        `${bits} bits: ${lines.length} lines, ${all.length - lines.length} refused by nasm\n`,
      )
      return found
    }
    lines = lines.filter((_, n) => !bad.has(n))
  }
}

const lines = allSamples()
const [wide, narrow] = [expectations(lines, 32), expectations(lines, 16)]
const rows = lines.map((line) => JSON.stringify([line, wide.get(line), narrow.get(line)]))
process.stdout.write(`[\n${rows.join(',\n')}\n]\n`)
