// Searches that are shared out and kept, as users do it: threads, a kill -9, several machines.
import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { BIN, commandIn, emptyDirectory, ROOT } from './command.ts'

const directory = emptyDirectory()
const xmcheck = commandIn(directory)
for (const name of ['explore/readers-n16', 'explore/treiber_push-n3', 'explore/fib-n2', 'explore/sb_ring-n8', 'ticket-broken', 'textpoke'])
  copyFileSync(join(ROOT, 'examples', `${name}.o`), join(directory, `${name.split('/').pop()}.o`))

const json = (...args: string[]) => {
  const { code, out } = xmcheck(...args, '--json')
  return { code, ...JSON.parse(out) }
}

it('explores the same with workers', () => {
  const alone = json('check', 'treiber_push-n3.o', '--engine', 'dpor')
  expect(alone).toMatchObject({ code: 0, verdict: 'holds', strength: 'complete', executions: 60 })
  expect(json('check', 'treiber_push-n3.o', '--workers', '2')).toMatchObject({ code: 0, verdict: 'holds', strength: 'complete', executions: 60, others: alone.others })
  expect(json('check', 'ticket-broken.o', '--workers', '2')).toMatchObject({ code: 1, verdict: 'violated', violation: { trace: 'out/check/ticket-broken.xmt' } })
  expect(xmcheck('replay', 'out/check/ticket-broken.xmt').code).toBe(1)
})

it('goes on after a kill -9', async () => {
  const args = [BIN, 'check', 'readers-n16.o', '--resume', 'kept.xmc', '--json']
  const killed = spawn(process.execPath, args, { cwd: directory, stdio: 'ignore' })
  const over = new Promise((resolve) => killed.on('exit', resolve))
  while (!existsSync(join(directory, 'kept.xmc')) && killed.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 10))
  killed.kill('SIGKILL')
  await over
  expect(json('check', 'readers-n16.o', '--resume', 'kept.xmc', '--workers', '2')).toMatchObject({ code: 0, verdict: 'holds', strength: 'complete', executions: 65536 })
  // Nothing is left to do.
  expect(json('check', 'readers-n16.o', '--resume', 'kept.xmc')).toMatchObject({ code: 0, executions: 65536 })
}, 180_000)

it('goes on with a graph search after a kill -9', async () => {
  const args = [BIN, 'check', 'sb_ring-n8.o', '--engine', 'graph', '--resume', 'graph.xmc', '--json']
  const killed = spawn(process.execPath, args, { cwd: directory, stdio: 'ignore' })
  const over = new Promise((resolve) => killed.on('exit', resolve))
  while (!existsSync(join(directory, 'graph.xmc')) && killed.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 10))
  killed.kill('SIGKILL')
  await over
  const same = { code: 0, verdict: 'holds', strength: 'complete', engine: 'graph', states: 65536, events: 524288 }
  expect(json('check', 'sb_ring-n8.o', '--engine', 'graph', '--resume', 'graph.xmc')).toMatchObject(same)
  // What the file is of says which engine goes on with it.
  expect(json('check', 'sb_ring-n8.o', '--resume', 'graph.xmc')).toMatchObject(same)
  for (const wrong of [
    ['check', 'sb_ring-n8.o', '--engine', 'dpor', '--resume', 'graph.xmc'], ['check', 'sb_ring-n8.o', '--memory', 'sc', '--engine', 'graph', '--resume', 'graph.xmc'],
    ['check', 'fib-n2.o', '--engine', 'graph', '--resume', 'graph.xmc'], ['check', 'fib-n2.o', '--engine', 'graph', '--shard', '1/2', '--resume', 'new.xmc'], ['merge', 'graph.xmc'],
    ['check', 'fib-n2.o', '--engine', 'random', '--resume', 'new.xmc'],
  ]) {
    const { code, err, out } = xmcheck(...wrong)
    expect([wrong.join(' '), code, out, err.trimEnd().split('\n').length]).toEqual([wrong.join(' '), 2, '', 1])
  }
}, 180_000)

it('puts parts together', () => {
  for (const part of ['1', '2']) expect(json('check', 'fib-n2.o', '--shard', `${part}/2`, '--resume', `${part}.xmc`)).toMatchObject({ code: 3, verdict: 'unknown' })
  expect(json('merge', '1.xmc', '2.xmc')).toMatchObject({ code: 0, verdict: 'holds', strength: 'complete', executions: 20 })
  expect(json('merge', '1.xmc')).toMatchObject({ code: 3, verdict: 'unknown', reasons: ['missing: part 2 of 2'] })
  const bad = readFileSync(join(directory, '1.xmc'))
  bad[bad.length >> 1] ^= 4
  writeFileSync(join(directory, 'bad.xmc'), bad)
  for (const wrong of [
    ['merge', 'bad.xmc'], ['merge', '1.xmc', '1.xmc'], ['check', 'fib-n2.o', '--resume', 'bad.xmc'], ['check', 'treiber_push-n3.o', '--shard', '1/2', '--resume', '1.xmc'],
    ['check', 'fib-n2.o', '--shard', '2/2', '--resume', '1.xmc'], ['check', 'fib-n2.o', '--shard', '1/2'], ['check', 'fib-n2.o', '--workers', '2', '--engine', 'graph'],
  ]) {
    const { code, err, out } = xmcheck(...wrong)
    expect([wrong.join(' '), code, out, err.trimEnd().split('\n').length]).toEqual([wrong.join(' '), 2, '', 1])
  }
}, 180_000)

it.each(['graph', 'dpor', 'random'])('says unknown when memory is short: %s', (engine) => {
  const found = json('check', 'fib-n2.o', '--engine', engine, '--memory-limit', '8')
  expect(found).toMatchObject({ code: 3, verdict: 'unknown' })
  expect(found.reasons.join()).toContain('more than 8 MB')
})

it('says so where dpor cannot do it', () => {
  expect(json('check', 'textpoke.o', '--workers', '2', '--cpu', '486')).toMatchObject({ code: 3, verdict: 'unknown' })
})
