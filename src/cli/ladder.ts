/** One program on every rung of the fetch ladder, and under every named profile. */
import { declaredBy, startCheck, unreached, type CheckOptions, type CheckResult } from '../explore/check.ts'
import { ladderOf, type Ladder, type RungVerdict } from '../patching/ladder.ts'
import { profilesOf, type ProfileVerdict } from '../patching/profiles.ts'
import type { MachineImage } from '../smp/image.ts'
import { makeModel, type KnobValue } from '../smp/model.ts'
import { drive } from './common.ts'

/**
 * A `holds` that is not complete decides nothing about other rungs. On a strong one code may not be reached that a weaker
 * one reaches: that is no weakness of the ladder, as long as some rung reaches it.
 */
const rungVerdict = ({ verdict, vacuous, strength }: CheckResult, reachedElsewhere = true): RungVerdict =>
  verdict === 'violated' ? 'violated' : (verdict === 'holds' || (vacuous && reachedElsewhere)) && strength === 'complete' ? 'holds' : 'unknown'

/**
 * @param first the result under `knobs`, which need not be explored again
 * @param onRung told of every rung that was explored
 */
export async function climb(
  image: MachineImage, knobs: Readonly<Record<string, KnobValue>>, options: CheckOptions, first: CheckResult,
  onRung: (rung: string, result: CheckResult) => void = () => {},
): Promise<Ladder> {
  const results = [first]
  const tried = (rung: string, result: CheckResult) => {
    results.push(result)
    onRung(rung, result)
  }
  const ladder = await ladderOf((rung) => explore(image, { ...knobs, fetch: rung }, options, (result) => tried(rung, result)), { [String(first.models.fetch)]: rungVerdict(first) })
  if (unreached(declaredBy(image), reachedIn(image, results)).length === 0) return ladder
  return { ...ladder, rungs: ladder.rungs.map((one) => (one.verdict === 'holds' ? { ...one, verdict: 'unknown' } : one)), holdsUpTo: [] }
}

/** On any of the rungs. */
function reachedIn(image: MachineImage, results: readonly CheckResult[]) {
  const points = new Map<number, number>()
  const sites = new Map<string, number>()
  for (const { coverage } of results) {
    coverage.points.forEach(({ evaluations }, k) => evaluations > 0 && points.set(image.points[k].id >>> 0, evaluations))
    for (const { site, target, executions } of coverage.sites) sites.set(`${site}>${target}`, executions)
  }
  return { points, sites }
}

/** @param onProfile told of every profile that was explored */
export const tryProfiles = (
  image: MachineImage, knobs: Readonly<Record<string, KnobValue>>, options: CheckOptions, ladder: Ladder,
  onProfile: (profile: string, result: CheckResult) => void = () => {},
): Promise<readonly ProfileVerdict[]> => profilesOf(knobs, ladder, (profile, all) => explore(image, all, options, (result) => onProfile(profile, result), ladder.holdsUpTo.length > 0))

async function explore(image: MachineImage, knobs: Readonly<Record<string, KnobValue>>, options: CheckOptions, told: (result: CheckResult) => void, reachedElsewhere = true): Promise<RungVerdict> {
  const result = await drive(startCheck(image, makeModel(knobs), options), () => {})
  told(result)
  return rungVerdict(result, reachedElsewhere)
}
