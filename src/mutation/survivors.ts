/**
 * Reasons that people give for mutants that hold, in any comment of the sources that a program was compiled from:
 *
 * ```
 * survivor branch never taken, cpu, `if (owner == mine)`: the loop behind it looks again
 * survivor store removed, `lock->owner = 0;`: only debuggers read it          in whatever function that is inlined into
 * ```
 *
 * A line of source is written as it stands there, without what it is indented by.
 */
import type { MachineImage } from '../smp/image.ts'
import type { Origin } from './mutants.ts'

export interface GivenReason {
  readonly file: string
  readonly kind: string
  /** '': any. */
  readonly function: string
  readonly text: string
  readonly reason: string
}

const LINE = /^[\s*/]*survivor ([^,`]+?)(?:, ([^,`]+))?, `(.*?)`: (.+?)(?:\s*\*\/)?$/

/** Every reason in the sources that are known of `image`. */
export function givenReasons({ sources }: MachineImage): GivenReason[] {
  return Object.entries(sources).flatMap(([path, lines]) =>
    lines.flatMap((line) => {
      const match = LINE.exec(line)
      return match === null ? [] : [{ file: path.split('/').pop()!, kind: match[1], function: match[2] ?? '', text: match[3], reason: match[4] }]
    }),
  )
}

export function fits(given: GivenReason, kind: string, origin: Origin): boolean {
  return given.kind === kind && given.text === origin.text && (given.function === '' || given.function === origin.function)
}
