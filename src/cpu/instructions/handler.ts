/** What an instruction's semantics are made of: a function of the vCPU and the decoded operation. */
import type { Cpu } from '../cpu.ts'
import type { Op } from '../decode.ts'

export type Handler = (cpu: Cpu, op: Op) => void
/** Mnemonic, handler. */
export type HandlerRow = readonly [string, Handler]

/** Linear and far instructions that end with a serialising action (SDM vol. 3A 9.3). */
export const serializing = (apply: Handler): Handler => (cpu, op) => {
  cpu.bus.serialize()
  if (cpu.stop === 0) apply(cpu, op)
}
