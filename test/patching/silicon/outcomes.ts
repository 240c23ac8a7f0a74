/** What was seen on real cores (seen/*.jsonl), and what the model allows for the same object code. */
import { finalStates } from '../../../src/explore/finalStates.ts'
import { loadObjects } from '../../../src/guest/loadObjects.ts'
import type { MachineImage } from '../../../src/smp/image.ts'
import type { Machine } from '../../../src/smp/machine.ts'
import type { Model } from '../../../src/smp/model.ts'

/** One line of a file. */
export interface Seen {
  readonly test: string
  /** How many words the writing and the reading function leave. */
  readonly words: readonly [number, number]
  readonly rounds: number
  /** Words that the two threads left, hexadecimal, to the number of rounds that ended so. */
  readonly outcomes: Readonly<Record<string, number>>
}

/** The first line. */
export interface Part {
  readonly cpu: { readonly vendor: string; readonly name: string; readonly family: number; readonly model: number; readonly stepping: number; readonly microcode: string }
  readonly hypervisor: boolean
  /** FNV-1a of tests.o: what ran. */
  readonly object: string
}

export interface Recording {
  readonly part: Part
  readonly seen: readonly Seen[]
}

export function readRecording(text: string): Recording {
  const [part, ...seen] = text.trim().split('\n').map((line) => JSON.parse(line) as unknown)
  return { part: part as Part, seen: seen as Seen[] }
}

export function fnv1a(bytes: Uint8Array): string {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash.toString(16).padStart(8, '0')
}

/** A thread that did not come to its end: which signal it was is the operating system's business. */
const FAULT = 'fault'
const isFault = (word: string) => word.startsWith('fa1700')

/** The words of an outcome as they are compared. */
export const canonical = (outcome: string) => (outcome.split(' ').some(isFault) ? FAULT : outcome)

export interface Allowed {
  readonly outcomes: ReadonlySet<string>
  readonly reasons: readonly string[]
  readonly states: number
}

/** The two threads of test `name`. */
export function imageOf(object: Uint8Array, name: string): MachineImage {
  return loadObjects([{ name: 'tests.o', bytes: object }], { title: name, vcpus: [`${name}_w`, `${name}_r`] })
}

export function allowed(image: MachineImage, model: Model, words: readonly [number, number]): Allowed {
  const at = ['seen_w', 'seen_r'].map((name) => image.symbols.find((symbol) => symbol.name === name)!.address)
  const read = ({ memory }: Machine) =>
    at.flatMap((address, half) => Array.from({ length: words[half] }, (_, n) => (memory.load(memory.index(address + 4 * n), 4) >>> 0).toString(16))).join(' ')
  const found = finalStates(image, model, read)
  return { outcomes: new Set([...found.outcomes, ...(found.violations.size > 0 ? [FAULT] : [])]), reasons: found.reasons, states: found.states }
}

/** Outcomes that were seen and are not allowed. */
export function refutations(seen: Pick<Seen, 'outcomes'>, { outcomes }: Allowed): string[] {
  return Object.keys(seen.outcomes).filter((outcome) => !outcomes.has(canonical(outcome)))
}
