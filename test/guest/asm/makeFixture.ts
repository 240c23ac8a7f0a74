/**
 * Makes nasm.fixture.json: every sample line with the bytes that nasm gives it. Needs nasm (2.16):
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
function nasm(lines: readonly string[]): { bytes: Uint8Array | null; bad: Set<number> } {
  const text = lines.map((line, n) => `s${n}: ${line}\ne${n}: times ${STRETCH_BYTES}-($-s${n}) db 0xcc`)
  const lengths = lines.map((_, n) => `db e${n}-s${n}`)
  const source = join(folder, 'lines.asm')
  const output = join(folder, 'lines.bin')
  writeFileSync(source, ['bits 32', ...text, ...lengths].join('\n') + '\n')
  const run = spawnSync('nasm', ['-f', 'bin', '-Ox', '-w-all', '-o', output, source], { encoding: 'utf8' })
  if (run.status === 0) return { bytes: readFileSync(output), bad: new Set() }
  const numbers = [...run.stderr.matchAll(/lines\.asm:(\d+): error/g)].map((match) =>
    Math.floor((Number(match[1]) - 2) / 2),
  )
  if (numbers.length === 0) throw new Error(run.stderr)
  return { bytes: null, bad: new Set(numbers) }
}

let lines = allSamples()
const refused: string[] = []
for (;;) {
  const { bytes, bad } = nasm(lines)
  if (bytes) {
    const known = lines.map((line, n) => {
      const length = bytes[lines.length * STRETCH_BYTES + n]
      return [
        line,
        Buffer.from(bytes.subarray(n * STRETCH_BYTES, n * STRETCH_BYTES + length)).toString('hex'),
      ]
    })
    const rows = known.map((row) => JSON.stringify(row)).join(',\n')
    process.stdout.write(`{ "nasm": [\n${rows}\n], "refused": ${JSON.stringify(refused)} }\n`)
    break
  }
  refused.push(...lines.filter((_, n) => bad.has(n)))
  lines = lines.filter((_, n) => !bad.has(n))
}
process.stderr.write(`${lines.length} lines, ${refused.length} refused by nasm\n`)
