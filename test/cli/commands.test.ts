// The command as its users run it: the bundle, in a directory with nothing of ours.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { BIN, commandIn, emptyDirectory, ENVIRONMENT, ROOT } from './command.ts'

const directory = emptyDirectory()
const xmcheck = commandIn(directory)
for (const name of ['ticket', 'ticket-broken', 'sb', 'sb-fence', 'textpoke', 'textpoke-nosync']) copyFileSync(join(ROOT, 'examples', `${name}.o`), join(directory, `${name}.o`))

const json = (...args: string[]) => {
  const { code, out } = xmcheck(...args, '--json')
  return { code, ...JSON.parse(out) }
}

it('says its version', () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  expect(xmcheck('--version')).toEqual({ code: 0, out: `${version}\n`, err: '' })
})

it('has the same exit code when nobody reads to the end', () => {
  const run = spawnSync('sh', ['-c', `{ "$0" "$1" check sb.o; echo $? >&3; } 3>&2 | :`, process.execPath, BIN], { cwd: directory, encoding: 'utf8', env: ENVIRONMENT })
  expect(run.stderr).toBe('1\n')
})

describe('check', () => {
  it('gives the documented exit codes and fields', () => {
    expect(json('check', 'sb-fence.o')).toMatchObject({ code: 0, version: 1, verdict: 'holds', strength: 'complete', engine: 'graph', bounds: {}, violation: null })
    const violated = json('check', 'sb.o')
    expect(violated).toMatchObject({ code: 1, verdict: 'violated', violation: { kind: 'assertion', trace: 'out/check/sb.xmt' } })
    for (const field of ['states', 'executions', 'events', 'seconds', 'models', 'coverage']) expect(violated).toHaveProperty(field)
    expect(existsSync(join(directory, 'out/check/sb.xmt'))).toBe(true)
    expect(xmcheck('check', 'sb.o', '--expect', 'violated').code).toBe(0)
    expect(xmcheck('check', 'sb.o', '--memory', 'sc', '--expect', 'violated').code).toBe(1)
    expect(json('check', 'sb-fence.o', '--engine', 'random', '--seed', '9')).toMatchObject({ code: 3, verdict: 'holds', strength: 'sampled' })
    expect(json('check', 'ticket.o', '--preemptions', '1')).toMatchObject({ code: 3, verdict: 'holds', strength: 'bounded', bounds: { preemptions: 1 } })
  })

  it('takes the number of pCPUs from the program, where it is not asked for', () => {
    copyFileSync(join(ROOT, 'test/guest/fixtures/pcpus-nasm.o'), join(directory, 'pcpus.o'))
    const pcpus = (...args: string[]) => json('check', 'pcpus.o', ...args).models.pcpus
    expect([pcpus(), pcpus('--profile', 'p6'), pcpus('--set', 'pcpus=0')]).toEqual([1, 1, 0])
    expect(json('check', 'ticket.o', '--set', 'pcpus=1', '--engine', 'dpor')).toMatchObject({ code: 3, verdict: 'unknown', reasons: [expect.stringContaining('dpor does not handle fewer pCPUs')] })
  })

  it('says what goes on for ever, and what was not judged', () => {
    copyFileSync(join(ROOT, 'examples', 'explore', 'lostwake.o'), join(directory, 'lostwake.o'))
    expect(json('check', 'sb-fence.o').liveness.covered).toBe('termination')
    expect(json('check', 'lostwake.o', '--liveness', 'off', '--engine', 'graph')).toMatchObject({ verdict: 'holds', liveness: { covered: 'none' } })
    expect(json('check', 'sb-fence.o', '--engine', 'portfolio', '--executions', '20')).toMatchObject({ code: 3, executions: 20, guarantees: [{ depth: 1 }, { depth: 2 }, { depth: 3 }], liveness: { covered: 'none' } })
    const checked = json('check', 'lostwake.o')
    expect(checked).toMatchObject({ code: 1, violation: { kind: 'lost-wakeup', trace: 'out/check/lostwake.xmt' } })
    const replayed = xmcheck('replay', 'out/check/lostwake.xmt').out
    expect(replayed).toContain(checked.violation.message)
    expect(replayed).toMatch(/step \d+ repeats for ever\n.*every check hash equal; violated: lost-wakeup/)
    expect(json('check', 'sb.o', '--schedule', 'share:y share:x run0 drain1')).toMatchObject({ code: 3, verdict: 'unknown', reasons: [expect.stringContaining('ends before the program does')] })
    expect(xmcheck('check', 'sb.o', '--schedule', 'share:y share:x run0 drain1').out).not.toContain('xmcheck replay')
    expect(xmcheck('check', 'sb.o', '--schedule', json('check', 'sb.o').schedule).out).toContain('violated: assertion')
    const schedule = /Schedule: ([^]*)$/.exec(xmcheck('explain', 'out/check/lostwake.xmt').out)![1]
    expect(xmcheck('check', 'lostwake.o', '--schedule', schedule)).toMatchObject({ code: 1, out: expect.stringContaining('violated: lost-wakeup') })
  })

  it('names the biggest sources of a state space that is too large', () => {
    const { code, out } = xmcheck('check', 'ticket.o', '--states', '500')
    expect(code).toBe(3)
    expect(out).toMatch(/\d+ % of the states come from preemptions; to limit them: --preemptions K/)
  })

  it('says what a verdict on code that is rewritten takes for granted', () => {
    copyFileSync(join(ROOT, 'examples', 'textpoke.o'), join(directory, 'textpoke.o'))
    const assumed = /real cores were seen to fetch it more loosely than fetch=/
    const some = ['--states', '50', '--engine', 'graph']
    expect(xmcheck('check', 'textpoke.o', ...some).out).toMatch(assumed)
    expect(xmcheck('check', 'textpoke.o', ...some, '--profile', 'measured').out).not.toMatch(assumed)
    expect(xmcheck('check', 'sb-fence.o').out).not.toMatch(assumed)
  })

  it('takes the knobs of a profile, and flags before it', () => {
    expect(json('check', 'sb.o', '--profile', '486').models).toMatchObject({ cpu: '486', fetch: 'ordered:16' })
    expect(json('check', 'sb.o', '--profile', '486', '--fetch', 'byte', '--set', 'storeBuffer=3').models).toMatchObject({ cpu: '486', fetch: 'byte', storeBuffer: 3 })
  })

  it('says of each profile of a ladder why it does not hold, once', () => {
    writeFileSync(join(directory, 'newer.asm'), '.vcpu a, 2\n.final f\na: mov eax, 1\nlock xadd [x], eax\nret\nf: cmp dword [x], 2\nsete al\nassert eax, "both"\nret\nsection .data\nx: dd 0\n')
    const { out } = xmcheck('check', 'newer.asm', '--ladder')
    expect(out).toMatch(/\n {2}386 +violated: unhandled-exception: exception 6 \(#UD\) at a\+0x5 has no handler \(the 386 has no xadd\)\n {2}486 +holds\n/)
    expect(out).toMatch(/\nExplain one: xmcheck explain out\/check\/newer\.asm-386\.xmt\n/)
    expect(existsSync(join(directory, 'out/check/newer.asm-386.xmt'))).toBe(true)
    const again = xmcheck('check', 'sb.o', '--ladder').out
    expect(again.match(/^ {2}\S+ +violated: assertion: .* `seen_x \|\| seen_y` failed$/gm)).toHaveLength(1)
    expect(again).toMatch(/^ {2}486 +violated, as above$/m)
  })

  it.each([[], ['--json']])('a verdict stands where its trace cannot be written %s', (...flags) => {
    const { code, err, out } = xmcheck('check', 'sb.o', '--out', '/proc/none/such', ...flags)
    expect(code).toBe(1)
    expect(err).toMatch(/^the trace is not saved: .* cannot be written/)
    expect(out).toMatch(flags.length === 0 ? /^violated: assertion/ : /"trace":null/)
    expect(out).not.toContain('/proc')
  })

  it.each([
    ['check'], ['check', 'none.o'], ['check', 'sb.o', '--engine', 'magic'], ['check', 'sb.o', '--seed', 'x'], ['check', 'sb.o', '--set', 'nothing=1'],
    ['check', 'sb.o', '--fetch', 'ordered:3'], ['check', 'sb.o', '--time', '-1'], ['check', 'sb.o', '--at', '5'], ['check', 'sb.o', '--profile', 'z80'],
    ['check', 'sb.o', '--engine', 'random', '--states', '5'], ['check', 'sb.o', '--schedule', 'jump'], ['replay', 'sb.o'], ['explain', 'sb.o'], ['minimize', 'none'],
    ['relink', '--from', '5'], ['nonsense'],
    ['check', 'sb.o', '--engine', 'dpor', '--liveness', 'progress'], ['check', 'sb.o', '--executions', '5'], ['check', 'sb.o', '--liveness', 'some'],
    ['check', 'sb.o', '--schedule', 'run0', '--ladder'], ['bench', 'explore', 'none.o'],
  ])('%s %s %s %s is a usage error', (...args) => {
    const { code, err, out } = xmcheck(...args)
    expect([code, out]).toEqual([2, ''])
    expect(err.split('\n').length).toBeLessThan(5)
  })
})

describe('traces', () => {
  it('replay, explain, minimise and re-apply from the trace alone', () => {
    expect(xmcheck('check', 'textpoke-nosync.o', '--out', 'traces').code).toBe(1)
    const trace = 'traces/textpoke-nosync.xmt'
    const empty = mkdtempSync(join(directory, 'empty-'))
    copyFileSync(join(directory, trace), join(empty, 't.xmt'))
    const replay = commandIn(empty)('replay', 't.xmt', '--json')
    expect(replay.code).toBe(1)
    expect(JSON.parse(replay.out)).toMatchObject({ divergence: null, violation: { kind: 'assertion' } })
    const { out: text } = xmcheck('explain', trace, '--text')
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(72)
    expect(text).toMatch(/Deciding: step \d+|It decides\./)
    const line = text.slice(text.lastIndexOf('Schedule:'))
    expect(json('check', 'textpoke-nosync.o', '--schedule', line)).toMatchObject({ code: 1, verdict: 'violated', violation: { kind: 'assertion' } })
    // As a mail program would quote it.
    expect(xmcheck('check', 'textpoke-nosync.o', '--schedule', line.replace(/^/gm, '> ')).code).toBe(1)
    expect(json('minimize', trace)).toMatchObject({ code: 0, minimal: true, violation: { kind: 'assertion' } })
    expect(xmcheck('replay', trace, '--with', 'textpoke-nosync.o')).toMatchObject({ code: 1 })
    const fixed = xmcheck('replay', trace, '--with', 'textpoke.o')
    expect(fixed.code).toBe(4)
    expect(fixed.out).toMatch(/no longer possible with the changed code, from step 3 on: in the recording vCPU 0 does `drain call_it\+0x1` next, in the changed code it goes round at \S+ \(textpoke\.c:\d+\) until another vCPU does something\.\nThat proves nothing yet, .* xmcheck check textpoke\.o/)
  })

  it('pass with the fixed object where the schedule still applies', () => {
    expect(xmcheck('check', 'sb.o').code).toBe(1)
    const passes = json('replay', 'out/check/sb.xmt', '--with', 'sb-fence.o')
    expect(passes).toMatchObject({ code: 0, outcome: 'passes' })
    expect(passes.extra).toBeGreaterThan(0)
  })

  it('say so when they were tampered with, or are damaged', () => {
    xmcheck('check', 'sb.o')
    const bytes = readFileSync(join(directory, 'out/check/sb.xmt'))
    writeFileSync(join(directory, 'cut.xmt'), bytes.subarray(0, bytes.length / 2))
    expect(xmcheck('replay', 'cut.xmt')).toMatchObject({ code: 2, out: '' })
    writeFileSync(join(directory, 'empty.xmt'), '')
    expect(xmcheck('minimize', 'empty.xmt')).toMatchObject({ code: 2, out: '' })
  })
})

describe('relink', () => {
  it('fits a terminal, says what the rungs are, and ends in the answer', () => {
    const { out } = xmcheck('relink', '--at', '0x40001e', '--memory', 'sc')
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
    expect(out).toMatch(/\n {2}independent:N +the same, each chunk on its own\n/)
    expect(out).toMatch(/\nAnswer: [^]*\n {2}yes: offset at 0x40001e\n[^]*\n {2}offset at 0x40001e: no up to independent:64, yes from ordered:32 on\n.*\n$/)
  })
  it('judges a layout of the user, by every engine alike', () => {
    const graph = json('relink', '--at', '0x40001e', '--fetch', 'ordered:16')
    expect(graph).toMatchObject({ code: 0, cells: [{ verdict: 'violated', vcpus: 2 }, { vcpus: 3 }, { vcpus: 4 }] })
    const random = json('relink', '--at', '0x40001e', '--fetch', 'ordered:16', '--engine', 'random', '--seed', '3')
    expect(random).toMatchObject({ code: 0, cells: [{ verdict: 'violated', strength: 'sampled' }, {}, {}] })
    expect(json('relink', '--at', '0x400012', '--fetch', 'ordered:16', '--time', '9', '--seed', '5')).toMatchObject({ code: 0, cells: [{ verdict: 'holds', strength: 'complete' }, {}, {}] })
  })
})

describe('list', () => {
  it('names knobs, rungs, monitors, profiles and scenarios', () => {
    const list = json('list')
    expect(list.monitors.map((monitor: { name: string }) => monitor.name)).toContain('lifetime')
    for (const field of ['knobs', 'rungs', 'cpus', 'profiles', 'scenarios']) expect(list[field].length).toBeGreaterThan(0)
  })
})
