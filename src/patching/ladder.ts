/**
 * The fetch ladder of a protocol: which assumption about instruction fetch it needs. Violations persist on weaker
 * rungs and proofs on stronger ones, so that few rungs have to be explored; the answer is the boundary in between.
 */
import { parseRung, rungImplies, RUNGS } from '../smp/model.ts'

export type RungVerdict = 'holds' | 'violated' | 'unknown'

export interface Boundary {
  /** The strongest assumptions under which it is violated; empty: it never is. */
  readonly violatedFrom: readonly string[]
  /** The weakest under which it holds; empty: it never does. */
  readonly holdsUpTo: readonly string[]
}

export interface Ladder extends Boundary {
  /** Every rung, strongest first; `derived`: it follows from another one. */
  readonly rungs: readonly { readonly rung: string; readonly verdict: RungVerdict; readonly derived: boolean }[]
}

const implies = (a: string, b: string) => rungImplies(parseRung(a)!, parseRung(b)!)

/**
 * @param explore the verdict of one rung; `unknown` decides nothing
 * @param known verdicts that are known already
 */
export async function ladderOf(explore: (rung: string) => Promise<RungVerdict> | RungVerdict, known: Readonly<Record<string, RungVerdict>> = {}): Promise<Ladder> {
  const found = new Map<string, { verdict: RungVerdict; derived: boolean }>()
  const learn = (rung: string, verdict: RungVerdict) => {
    found.set(rung, { verdict, derived: false })
    for (const other of RUNGS) {
      if (found.get(other) !== undefined) continue
      if (verdict === 'violated' && implies(rung, other)) found.set(other, { verdict, derived: true })
      if (verdict === 'holds' && implies(other, rung)) found.set(other, { verdict, derived: true })
    }
  }
  for (const [rung, verdict] of Object.entries(known)) if (verdict !== 'unknown') learn(rung, verdict)
  // The rung in the middle of what is open decides the most.
  for (;;) {
    const open = RUNGS.filter((rung) => !found.has(rung))
    if (open.length === 0) break
    const value = (rung: string) => Math.min(open.filter((other) => implies(rung, other)).length, open.filter((other) => implies(other, rung)).length)
    const next = open.reduce((best, rung) => (value(rung) > value(best) ? rung : best))
    learn(next, await explore(next))
  }
  const rungs = RUNGS.map((rung) => ({ rung, ...found.get(rung)! }))
  return { rungs, ...boundaryOf(rungs) }
}

/** Where the verdicts of some rungs change. */
export function boundaryOf(rungs: readonly { readonly rung: string; readonly verdict: RungVerdict }[]): Boundary {
  const of = (verdict: RungVerdict) => rungs.filter((one) => one.verdict === verdict).map((one) => one.rung)
  const strictly = (a: string, b: string) => a !== b && implies(a, b)
  const violated = of('violated')
  const holds = of('holds')
  return {
    violatedFrom: violated.filter((rung) => !violated.some((other) => strictly(other, rung))),
    holdsUpTo: holds.filter((rung) => !holds.some((other) => strictly(rung, other))),
  }
}

/** One line for people. */
export function formatLadder({ violatedFrom, holdsUpTo, rungs }: Ladder): string {
  const open = rungs.filter((one) => one.verdict === 'unknown').map((one) => one.rung)
  const parts = [
    violatedFrom.length === 0 ? 'violated on no rung' : `violated from ${violatedFrom.join(', ')} on`,
    holdsUpTo.length === 0 ? 'holds on no rung' : `holds up to ${holdsUpTo.join(', ')}`,
  ]
  if (open.length > 0) parts.push(`unknown on ${open.join(', ')}`)
  return parts.join('; ')
}
