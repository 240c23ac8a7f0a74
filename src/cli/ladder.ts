/** One program on every rung of the fetch ladder. */
import { startCheck, type CheckOptions, type CheckResult } from '../explore/check.ts'
import { ladderOf, type Ladder, type RungVerdict } from '../patching/ladder.ts'
import type { MachineImage } from '../smp/image.ts'
import { makeModel, type KnobValue } from '../smp/model.ts'
import { drive } from './common.ts'

/**
 * A `holds` that is not complete decides nothing about other rungs. On a strong one code may not be reached that a weaker
 * one reaches: that is no weakness of the ladder.
 */
export const rungVerdict = ({ verdict, vacuous, strength }: CheckResult): RungVerdict =>
  verdict === 'violated' ? 'violated' : (verdict === 'holds' || vacuous) && strength === 'complete' ? 'holds' : 'unknown'

/**
 * @param first the result under `knobs`, which need not be explored again
 * @param onRung told of every rung that was explored
 */
export function climb(
  image: MachineImage, knobs: Readonly<Record<string, KnobValue>>, options: CheckOptions, first: CheckResult,
  onRung: (rung: string, result: CheckResult) => void = () => {},
): Promise<Ladder> {
  const explore = async (rung: string): Promise<RungVerdict> => {
    const result = await drive(startCheck(image, makeModel({ ...knobs, fetch: rung }), options), () => {})
    onRung(rung, result)
    return rungVerdict(result)
  }
  return ladderOf(explore, { [String(first.models.fetch)]: rungVerdict(first) })
}
