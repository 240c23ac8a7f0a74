/**
 * Setup file of `npm run conformance -- --mutants`: spoils one row of the instruction table in every program that the tests run, as
 * the environment says (`mutant|row`). For rows that no real part completes in ring 3: tests must go red instead of vectors.
 */
import type { Cpu } from '../../src/cpu/cpu.ts'
import type { Op } from '../../src/cpu/decode.ts'
import { EAX, EFLAGS, EIP, ZF } from '../../src/cpu/registers.ts'
import { FlatMachine } from './flatMachine.ts'
import { rowText } from './native/generate.ts'

const completed = (change: (cpu: Cpu) => void) => (cpu: Cpu, run: () => void) => {
  run()
  if (cpu.stop === 0) change(cpu)
}

const ROW_MUTANTS: Readonly<Record<string, (cpu: Cpu, run: () => void, op: Op) => void>> = {
  'no effect': (cpu, _run, op) => (cpu.r[EIP] += op.length),
  'wrong result': completed((cpu) => (cpu.r[EAX] ^= 0x10)),
  'wrong flag': completed((cpu) => (cpu.r[EFLAGS] ^= ZF)),
  'wrong EIP': completed((cpu) => cpu.r[EIP]++),
  'missing fault': (cpu, run, op) => {
    run()
    if (cpu.stop !== 0) cpu.r[EIP] += op.length
    cpu.stop = 0
  },
}

const [mutant, spoiledRow] = (process.env.XMCHECK_SPOIL ?? '').split('|')
FlatMachine.spoil = (cpu, op, run) => (op.row !== null && rowText(op.row) === spoiledRow ? ROW_MUTANTS[mutant](cpu, run, op) : run())
