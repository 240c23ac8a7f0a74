/**
 * What the catalogue expects, and the one comparator. It knows no entry: a verdict is held against the word that
 * the catalogue has for the variant, and nothing else.
 */

export interface Expectation {
  readonly id: string
  readonly title: string
  readonly kind: string
  readonly variants: readonly { readonly name: string; readonly verdict: ExpectedVerdict }[]
}

export type ExpectedVerdict = 'holds' | 'violated' | 'measure'

/** What one case of a variant came to. */
export interface Outcome {
  readonly verdict: 'holds' | 'violated' | 'unknown'
  readonly strength: 'complete' | 'bounded' | 'sampled'
  readonly bounds: Readonly<Record<string, number>>
  /** Bounds that the entry itself states. */
  readonly stated: Readonly<Record<string, number>>
  readonly metrics: Readonly<Record<string, number>>
}

/**
 * Whether the cases of a variant came to what is expected: `holds` has to be `complete`, or bounded by nothing but what
 * the entry states; `measure` has to have measured something.
 */
export function agrees(expected: ExpectedVerdict, outcomes: readonly Outcome[]): boolean {
  return outcomes.length > 0 && outcomes.every((outcome) => agreesOne(expected, outcome))
}

function agreesOne(expected: ExpectedVerdict, { verdict, strength, bounds, stated, metrics }: Outcome): boolean {
  if (expected === 'measure') return Object.keys(metrics).length > 0
  if (verdict !== expected) return false
  if (expected === 'violated' || strength === 'complete') return true
  return strength === 'bounded' && Object.keys(bounds).length > 0 && Object.entries(bounds).every(([name, bound]) => stated[name] === bound)
}

/** Reads the expectations out of the catalogue's data. @throws TypeError where it is not of that shape */
export function readExpectations(data: unknown): Expectation[] {
  const { entries } = data as { entries: readonly Expectation[] }
  return entries.map(({ id, title, kind, variants }) => ({ id, title, kind, variants: variants.map(({ name, verdict }) => ({ name, verdict })) }))
}
