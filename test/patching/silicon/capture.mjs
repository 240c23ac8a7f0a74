// Compiles the tests, runs them on two cores of this machine, and adds what was seen to the data of this part.
//
//     node test/patching/silicon/capture.mjs [--seconds N] [--test NAME] [--assemble]
//
// --seconds: for each test (1). --assemble: only tests.S to tests.o. This needs gcc -m32 and an x86 host that runs 32-bit code.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const option = (name, fallback) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : fallback)
const gcc = (...args) => execFileSync('gcc', ['-m32', ...args], { cwd: here, stdio: 'inherit' })

gcc('-Wa,-I,../../../include', '-c', 'tests.S', '-o', 'tests.o')
if (process.argv.includes('--assemble')) process.exit(0)

const build = mkdtempSync(join(tmpdir(), 'silicon-'))
const lines = []
try {
  gcc('-O2', '-Wall', '-Wextra', '-no-pie', '-static', '-pthread', 'harness.c', 'tests.o', '-o', join(build, 'harness'))
  const test = option('--test', null)
  const out = execFileSync(join(build, 'harness'), [option('--seconds', '1'), ...(test === null ? [] : [test])], { maxBuffer: 1 << 26, encoding: 'utf8' })
  lines.push(...out.trim().split('\n').map((line) => JSON.parse(line)))
} finally {
  rmSync(build, { recursive: true })
}

const info = readFileSync('/proc/cpuinfo', 'utf8')
const field = (name) => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(info)?.[1] ?? ''
const cpu = {
  vendor: field('vendor_id'), name: field('model name'), family: Number(field('cpu family')), model: Number(field('model')), stepping: Number(field('stepping')),
  microcode: field('microcode'),
}
/** FNV-1a, as outcomes.ts has it. */
let hash = 0x811c9dc5
for (const byte of readFileSync(join(here, 'tests.o'))) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
const part = { cpu, hypervisor: field('flags').split(' ').includes('hypervisor'), object: hash.toString(16).padStart(8, '0') }

const path = join(here, 'seen', `${cpu.vendor}-${cpu.family}-${cpu.model}-${cpu.stepping}.jsonl`)
const before = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n').map((line) => JSON.parse(line)) : []
// What another object did says nothing about this one.
const known = new Map(before[0]?.object === part.object ? before.slice(1).map((line) => [line.test, line]) : [])
for (const { test, words, rounds, outcomes } of lines) {
  const earlier = known.get(test) ?? { rounds: 0, outcomes: {} }
  const sum = { ...earlier.outcomes }
  for (const [outcome, count] of Object.entries(outcomes)) sum[outcome] = (sum[outcome] ?? 0) + count
  known.set(test, { test, words, rounds: earlier.rounds + rounds, outcomes: Object.fromEntries(Object.entries(sum).sort(([a], [b]) => (a < b ? -1 : 1))) })
}
mkdirSync(join(here, 'seen'), { recursive: true })
writeFileSync(path, [part, ...known.values()].map((line) => JSON.stringify(line)).join('\n') + '\n')
const sum = [...known.values()].reduce((total, line) => total + line.rounds, 0)
process.stdout.write(`${path}: ${known.size} tests, ${sum} rounds\n`)
