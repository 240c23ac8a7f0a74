/** What herd prints of one test (herd/top_herd.ml), without its Time and Hash lines. */
import { formatFormula } from '../guest/litmus/formula.ts'
import type { LitmusResult } from './run.ts'

const KINDS = { exists: 'Allowed', '~exists': 'Forbidden', forall: 'Required' } as const

/** herd knows no search that a limit ended. */
const RESULTS: Readonly<Record<string, string>> = { true: 'Ok', false: 'No', null: 'Unknown' }

export function resultText(ok: boolean | null): string {
  return RESULTS[String(ok)]
}

export function formatLitmus({ test, finals, observables, states, ok, observation, positive, negative }: LitmusResult): string {
  const ordered = states.map(({ all }) => all).sort((a, b) => finals.compare(a, b, observables))
  const shown = new Set(ordered.map((state) => finals.format(state, observables)))
  // Witnesses of the condition with its quantifier; the observation is of what stands under it.
  const [witnesses, others] = test.quantifier === '~exists' ? [negative, positive] : [positive, negative]
  return [
    `Test ${test.name} ${KINDS[test.quantifier]}`,
    `States ${shown.size}`,
    ...shown,
    resultText(ok),
    'Witnesses',
    `Positive: ${witnesses} Negative: ${others}`,
    `Condition ${test.quantifier} (${formatFormula(test.condition, (atom) => finals.formatAtom(atom))})`,
    `Observation ${test.name} ${observation} ${positive} ${negative}`,
    '',
  ].join('\n')
}
