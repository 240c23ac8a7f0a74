/** One program on every rung of the fetch ladder, and under every named profile. */
import { startCheck, type CheckOptions, type CheckResult } from '../explore/check.ts'
import { ladderOf, type Ladder, type RungVerdict } from '../patching/ladder.ts'
import { profilesOf, type ProfileVerdict } from '../patching/profiles.ts'
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
  return ladderOf((rung) => explore(image, { ...knobs, fetch: rung }, options, (result) => onRung(rung, result)), { [String(first.models.fetch)]: rungVerdict(first) })
}

/** @param onProfile told of every profile that was explored */
export const tryProfiles = (
  image: MachineImage, knobs: Readonly<Record<string, KnobValue>>, options: CheckOptions, ladder: Ladder,
  onProfile: (profile: string, result: CheckResult) => void = () => {},
): Promise<readonly ProfileVerdict[]> => profilesOf(knobs, ladder, (profile, all) => explore(image, all, options, (result) => onProfile(profile, result)))

async function explore(image: MachineImage, knobs: Readonly<Record<string, KnobValue>>, options: CheckOptions, told: (result: CheckResult) => void): Promise<RungVerdict> {
  const result = await drive(startCheck(image, makeModel(knobs), options), () => {})
  told(result)
  return rungVerdict(result)
}
