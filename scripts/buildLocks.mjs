// Writes the table of docs/locks.md: states, executions and seconds of every lock for 2, 3 and 4 vCPUs, and for 2 and 3 that share a pCPU.
// node scripts/buildLocks.mjs [--time SECONDS] [LOCK ...]: locks that are not named keep their lines. With the defaults it takes half an hour.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const page = join(root, 'docs', 'locks.md')
const LOCKS = /^ \* objects: (.*)$/m.exec(readFileSync(join(root, 'examples/locks/check.c'), 'utf8'))[1].split(' ')
const words = process.argv.slice(2)
const at = words.indexOf('--time')
const seconds = at < 0 ? '60' : words.splice(at, 2)[1]
const named = words.length === 0 ? LOCKS : words

function check(object, engine, pcpus) {
  const command = ['check', object, '--engine', engine, '--set', `pcpus=${pcpus}`, '--time', seconds, '--json', '--out', '/dev/null']
  const options = { cwd: root, maxBuffer: 1 << 26, stdio: ['ignore', 'pipe', 'ignore'] }
  try {
    return JSON.parse(execFileSync(process.execPath, [join(root, 'bin', 'xmcheck.mjs'), ...command], options))
  } catch (error) {
    return JSON.parse(error.stdout)
  }
}
const strength = ({ verdict, strength, bounds, reasons }) => {
  if (verdict === 'holds' && strength === 'complete') return 'holds, complete'
  if (reasons.some((one) => one.includes('does not handle'))) return reasons.find((one) => one.includes('does not handle')).replace(/;.*/, '')
  const bound = Object.entries(bounds).map(([name, value]) => `at most ${value} ${name}`)
  const why = reasons.map((one) => (one.includes('limit') || one.includes('time was over') ? `stopped after ${seconds} s` : one.includes('buffer was full') ? 'store buffers of 16' : null)).filter((one) => one !== null)
  return [`${verdict}, ${strength}`, ...bound, ...new Set(why)].join('; ')
}
const count = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ' ')

const text = readFileSync(page, 'utf8')
const [before, rest] = text.split('<!-- table -->\n')
const [table, after] = rest.split('<!-- end -->\n')
const rows = new Map(table.split('\n').filter((line) => /^\| [A-Z]/.test(line)).map((line) => [line.split(' | ').slice(0, 3).join(' | '), line]))
for (const lock of named)
  for (const [vcpus, pcpus] of [[2, 0], [2, 1], [3, 0], [3, 1], [4, 0]])
    for (const engine of pcpus === 0 ? ['graph', 'dpor'] : ['graph']) {
      const result = check(`examples/locks/objects/check-${lock}${vcpus === 2 ? '' : `-CPUS_${vcpus}`}.o`, engine, pcpus)
      const key = `| ${lock} | ${vcpus}${pcpus === 0 ? '' : ` on ${pcpus} pCPU`} | ${engine}`
      const amount = engine === 'graph' ? `${count(result.states)} states` : `${count(result.executions)} executions`
      const refused = result.reasons.some((one) => one.includes('does not handle'))
      rows.set(key, `${key} | ${refused ? '' : amount} | ${refused ? '' : result.seconds.toFixed(1)} | ${strength(result)} |`)
      console.log(rows.get(key))
      write()
    }

function write() {
  const order = (line) => {
    const [, lock, vcpus, engine] = line.split('|').map((cell) => cell.trim())
    return LOCKS.indexOf(lock) * 100 + parseInt(vcpus) * 10 + (vcpus.includes('on') ? 2 : engine === 'graph' ? 0 : 1)
  }
  const lines = [...rows.values()].sort((a, b) => order(a) - order(b))
  const head = '| lock | vCPUs | engine | size | seconds | verdict |\n|---|---|---|---|---|---|\n'
  writeFileSync(page, `${before}<!-- table -->\n${head}${lines.join('\n')}\n<!-- end -->\n${after}`)
}
