/**
 * One protocol under every named reading of the manuals and of parts (smp/model.ts, PROFILES): CPU classes 386 to P6, what Intel and
 * AMD promise of cross-modification, what parts were seen to do. A profile that differs in nothing but the rung of `fetch` follows
 * from the fetch ladder; the others are explored.
 */
import { makeModel, PROFILES, type KnobValue } from '../smp/model.ts'
import type { Ladder, RungVerdict } from './ladder.ts'

type Knobs = Readonly<Record<string, KnobValue>>

export interface ProfileVerdict {
  readonly profile: string
  readonly verdict: RungVerdict
  /** It follows from the ladder. */
  readonly derived: boolean
}

/** The knobs of `profile`, whose settings go before `knobs`. */
export const knobsUnder = (profile: string, knobs: Knobs): Knobs => ({ ...knobs, ...PROFILES[profile].knobs })

const sameButFetch = (a: Knobs, b: Knobs) => {
  const [left, right] = [makeModel({ ...a, fetch: 'strict' }).knobs, makeModel({ ...b, fetch: 'strict' }).knobs]
  return Object.keys(left).every((name) => left[name] === right[name])
}

/** @param explore the verdict under all knobs of a profile */
export async function profilesOf(
  knobs: Knobs, ladder: Ladder, explore: (profile: string, knobs: Knobs) => Promise<RungVerdict> | RungVerdict,
): Promise<readonly ProfileVerdict[]> {
  const verdicts: ProfileVerdict[] = []
  for (const profile of Object.keys(PROFILES)) {
    const all = knobsUnder(profile, knobs)
    const { fetch } = makeModel(all).knobs
    const known = sameButFetch(all, knobs) ? ladder.rungs.find((one) => one.rung === fetch)?.verdict : undefined
    verdicts.push({ profile, verdict: known ?? (await explore(profile, all)), derived: known !== undefined })
  }
  return verdicts
}

/** One line for people. */
export function formatProfiles(verdicts: readonly ProfileVerdict[]): string {
  const of = (verdict: RungVerdict) => verdicts.filter((one) => one.verdict === verdict).map((one) => one.profile)
  const parts = [['holds on', of('holds')], ['violated on', of('violated')], ['unknown on', of('unknown')]] as const
  return parts.filter(([, names]) => names.length > 0).map(([text, names]) => `${text} ${names.join(', ')}`).join('; ')
}
