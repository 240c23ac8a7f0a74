// The ROM of rom/modes.asm: real mode, protected mode, rings, paging, virtual-8086 mode, tasks, debug registers, and back.
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { CPU_CLASSES } from '../../src/cpu/classes.ts'
import { FlatMachine } from './flatMachine.ts'

const rom = readFileSync(new URL('rom/modes.bin', import.meta.url))
const POST = 0x190
const LINE = 0x192

it.each(Object.keys(CPU_CLASSES))('on the %s every part of the ROM passes', (className) => {
  const machine = new FlatMachine(className)
  machine.bus.bytes.set(rom, 0xf0000)
  machine.bus.romStart = 0xf0000
  machine.run(100_000)
  const lines = machine.bus.out_.filter(({ port }) => port === LINE).map(({ value }) => value)
  const codes = machine.bus.out_.filter(({ port }) => port === POST).map(({ value }) => value)
  expect({ lines, codes }).toEqual({ lines: [], codes: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0xff] })
})
