/**
 * Random small programs for the comparison of the engines with brute force: a list of items a vCPU, from which parts
 * can be taken away, and the text that they stand for. Two renderings of the same program:
 *
 * - `loops`: as it is run, with its spin loops;
 * - `awaits`: each loop that only waits is one turn of it, and an assumption that it was not in vain. Its executions
 *   are those in which no turn was, so its classes are what an exploration that takes loops for waits makes.
 */
import { makeModel, type Model } from '../../src/smp/model.ts'
import { Dice } from './dice.ts'
import { REGISTERS, type Item, type Style } from './items.ts'
import { KINDS, type Parts } from './kinds.ts'

export interface Program {
  readonly kind: string
  readonly vcpus: readonly (readonly Item[])[]
  readonly parts: Parts
  readonly model: Model
}

/** Bytes of memory that the final state consists of, from `words` on. */
export const WORDS_BYTES = 256
const DATA = [
  'section .data', 'align 64', 'words:', 'x: dd 0', 'y: dd 0', 'l: dd 0', 'f: dd 0', 'times 46 db 0',
  // Crosses a cache line on every class.
  'z: dd 0', 'align 64', `out: times ${(WORDS_BYTES - 128) / 4} dd 0`,
]

export function textOf({ vcpus, parts }: Program, style: Style): string {
  const code = vcpus.flatMap((items, v) => [
    `.vcpu p${v}`, `p${v}:`,
    ...items.flatMap((item, k) => item(`${v}_${k}`, style)),
    ...REGISTERS.map((register, k) => `    mov [out + ${v * 16 + k * 4}], ${register}`),
    '    ret',
  ])
  return [...(parts.head ?? []), ...code, ...DATA, ...(parts.data ?? []), ''].join('\n')
}

/** dpor explores one execution a class of it, not at least one. */
export function isExact({ kind, parts, model }: Program): boolean {
  return parts.branches !== true || (model.fetch.kind === 'coherent' && model.cpu.queueBytes === 0 && (kind === 'code' || kind === 'sharedCode'))
}

const NAMES = Object.keys(KINDS)

/** The program of a seed. */
export function randomProgram(seed: number): Program {
  const dice = new Dice(seed)
  const kind = dice.of(NAMES)
  const parts = KINDS[kind](dice)
  const memory = dice.chance(25) ? 'sc' : 'tso'
  const fetch = kind === 'paging' ? 'coherent' : dice.of(['coherent', 'coherent', 'single', 'ordered:16', 'ordered:4', 'byte'])
  return { kind, vcpus: parts.bodies, parts, model: makeModel({ memory, cpu: 'p4', fetch, ...parts.knobs }) }
}

/** Smaller programs, each with one item or one vCPU less. */
export function* smaller(program: Program): Generator<Program> {
  for (let v = 0; v < program.vcpus.length; v++) {
    if (program.vcpus.length > 2) yield { ...program, vcpus: program.vcpus.filter((_, w) => w !== v) }
    for (let k = 0; k < program.vcpus[v].length; k++)
      yield { ...program, vcpus: program.vcpus.map((body, w) => (w === v ? body.filter((_, j) => j !== k) : body)) }
  }
}
