// The blocks of include/xmpatch.h, compiled: what holds with each, and what does not without a part of it.
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { loadObjects } from '../../src/guest/loadObjects.ts'
import { makeModel } from '../../src/smp/model.ts'

const object = { name: 'blocks.o', bytes: new Uint8Array(readFileSync(new URL('blocks.o', import.meta.url))) }

/** Kind of the violation; `none`: everything was searched, and there is none. */
function judge(patcher: string, executor: string, fetch: string): string {
  const image = loadObjects([object], { vcpus: [patcher, executor] })
  const result = checkImage(image, makeModel({ fetch }), { engine: patcher.startsWith('batch') ? 'dpor' : 'graph' })
  return result.violation?.kind ?? (result.strength === 'complete' ? 'none' : result.strength)
}

it.each([
  ['relink_first', 'executor', 'ordered:4', 'none'],
  ['relink_first', 'executor', 'byte', 'illegal-target'],
  ['relink_second', 'executor', 'coherent', 'illegal-target'],
  ['batch_without_first', 'executor_of_second', 'independent:16', 'illegal-target'],
  ['batch_without_second', 'executor_of_second', 'independent:16', 'illegal-target'],
  ['stop', 'executor_stopped', 'byte', 'none'],
  ['stop', 'executor_stopped_without_sync', 'single', 'illegal-target'],
  ['guarded', 'executor', 'coherent', 'torn-instruction'],
])('%s, %s on rung %s: %s', (patcher, executor, fetch, expected) => expect(judge(patcher, executor, fetch)).toBe(expected), 120_000)
