// Boots images for tests: what they say, and how they end.
import { classOf } from '../../src/cpu/classes.ts'
import { FIXED_FLAGS } from '../../src/cpu/undefinedFlags.ts'
import { assembleBytes } from '../../src/guest/asm/index.ts'
import { Run } from '../../src/platform/run.ts'
import { makeScheduler, type Schedule } from '../../src/platform/scheduler.ts'
import type { Sink, SystemOptions } from '../../src/platform/system.ts'

export class Log implements Sink {
  readonly posts: number[] = []
  output = ''
  text(byte: number): void {
    this.output += String.fromCharCode(byte)
  }
  post(code: number): void {
    this.posts.push(code)
  }
}

export const optionsFor = (bytes: Uint8Array, more: Partial<SystemOptions> = {}): SystemOptions => ({
  image: { name: 'image', bytes }, rom: false, vcpus: 1, commandLine: '', modules: [], cpu: classOf('p4'), undefinedFlags: FIXED_FLAGS, memoryBytes: 8 << 20, postPort: 0x80, asciiPort: 0xe9, exitPort: 0xf4, ...more,
})

export function run(options: SystemOptions, schedule: Schedule = 'round-robin', seed = 1, max = 2_000_000) {
  const log = new Log()
  const running = new Run(options, log, makeScheduler(schedule, seed), max)
  while (running.advance());
  return { log, running, outcome: running.outcome() }
}

/** A ROM of `kilobytes` with `code` at its start and a jump to it at the reset vector. */
export function rom(kilobytes: number, code: string): Uint8Array {
  const bytes = new Uint8Array(kilobytes << 10)
  bytes.set(assembleBytes(`bits 16\n${code}`))
  const segment = (0x100000 - bytes.length) >> 4
  bytes.set([0xea, 0, 0, segment & 0xff, segment >> 8], bytes.length - 16)
  return bytes
}
