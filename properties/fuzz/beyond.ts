/**
 * Executions that dpor makes beyond one a class where code may be fetched stale. They are what `no-fetch-order` shows itself by: a plan
 * that takes a fetch for independent of the write that it has seen is dropped where it cannot be carried out, and everything is free from
 * there on, so that nothing is lost but work.
 */
import { compare, type EngineFault } from './compare.ts'
import { randomProgram } from './program.ts'

export const BEYOND_PROGRAMS = 25
const KINDS: ReadonlySet<string> = new Set(['code', 'sharedCode'])

export function beyond(programs: number, fault: EngineFault | null): { classes: number; surplus: number } {
  let [classes, surplus, done] = [0, 0, 0]
  for (let seed = 1; done < programs; seed++) {
    const program = randomProgram(seed)
    if (!KINDS.has(program.kind)) continue
    done++
    const outcome = compare(program, fault)
    classes += outcome.classes
    surplus += outcome.surplus
  }
  return { classes, surplus }
}
