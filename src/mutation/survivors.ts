/**
 * Reasons that people give for mutants that hold, in any comment of the sources that a program was compiled from:
 *
 * ```
 * survivor branch never taken, cpu, `if (owner == mine)`: the loop behind it looks again
 * survivor store removed, `lock->owner = 0;`: only debuggers read it          in whatever function that is inlined into
 * ```
 *
 * A line of source is written as it stands there, without what it is indented by; `...` at its end stands for the rest.
 */
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

/** Every reason in these sources. @param sources texts by path */
export function givenReasons(sources: Readonly<Record<string, string>>): GivenReason[] {
  return Object.entries(sources).flatMap(([path, source]) =>
    source.split('\n').flatMap((line) => {
      const match = LINE.exec(line)
      return match === null ? [] : [{ file: path.split('/').pop()!, kind: match[1], function: match[2] ?? '', text: match[3], reason: match[4] }]
    }),
  )
}

export function fits(given: GivenReason, kind: string, origin: Origin): boolean {
  const sameText = given.text.endsWith('...') ? origin.text.startsWith(given.text.slice(0, -3)) : given.text === origin.text
  return given.kind === kind && sameText && (given.function === '' || given.function === origin.function)
}
