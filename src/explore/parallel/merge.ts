/** What the parts of a search say together. */
import { Sharing, type Learnt } from '../../smp/sharing.ts'
import type { Checkpoint } from '../checkpoint.ts'
import type { Verdict } from '../verdict.ts'
import { addTotals, noTotals, type Totals } from './taskRun.ts'
import { taskVerdict } from './taskSearch.ts'

export interface NamedPart {
  readonly name: string
  readonly part: Checkpoint
}

export interface Merged {
  readonly verdict: Verdict
  readonly totals: Totals
  /** What all parts know together. */
  readonly learnt: Learnt
  readonly waitPlaces: readonly number[]
  /** Every part knew all of it from its start on. */
  readonly agreed: boolean
}

/** `mistake`: the files do not belong together. */
export function mergeParts(files: readonly NamedPart[]): Merged | { readonly mistake: string } {
  const [first] = files
  const of = first.part.shard?.of
  const seen = new Map<number, string>()
  for (const { name, part } of files) {
    if (part.shard === null || of === undefined) return { mistake: `${name}: it is a whole search, no part of one (--shard)` }
    if (part.key !== first.part.key) return { mistake: `${name}: it is of another program or model than ${first.name}` }
    if (part.shard.of !== of) return { mistake: `${name}: it is a part of ${part.shard.of}, ${first.name} one of ${of}` }
    const other = seen.get(part.shard.index)
    if (other !== undefined) return { mistake: `${name}: it is part ${part.shard.index}, as ${other} is` }
    seen.set(part.shard.index, name)
  }
  const missing = Array.from({ length: of! }, (_, k) => k + 1).filter((index) => !seen.has(index))
  const problems = missing.length === 0 ? [] : [`missing: part ${missing.slice(0, 10).join(', ')}${missing.length > 10 ? ', ...' : ''} of ${of}`]
  const totals = noTotals()
  let seconds = 0
  for (const { name, part } of files) {
    addTotals(totals, part.state.totals)
    seconds += part.state.seconds
    if (part.state.tasks.length > 0 || part.state.fresh === true) problems.push(`${name}: not explored to its end; go on with --resume`)
  }
  const { learnt, waitPlaces, agreed } = unite(files.map(({ part }) => part))
  if (!agreed) problems.push('the parts have learnt different things about what is shared: xmcheck merge --teach, then run them again')
  const found = files.find(({ part }) => part.state.found !== null)?.part.state.found ?? null
  const verdict = taskVerdict(totals, found, problems[0] ?? null, seconds)
  const reasons = found === null ? [...verdict.reasons.slice(0, 1), ...problems.slice(1), ...verdict.reasons.slice(1)] : []
  return { verdict: { ...verdict, reasons }, totals, learnt, waitPlaces, agreed }
}

/** What is known together; and whether each knew everything that matters of it. */
function unite(parts: readonly Checkpoint[]): { learnt: Learnt; waitPlaces: number[]; agreed: boolean } {
  const granules = Math.max(...parts.map(({ state }) => granulesOf(state.learnt)))
  const vcpus = Math.max(...parts.map(({ state }) => state.learnt.interruptible.length))
  const all = new Sharing(granules, vcpus)
  for (const { state } of parts) all.learn(state.learnt)
  const waitPlaces = [...new Set(parts.flatMap(({ state }) => state.waitPlaces))]
  const agreed = parts.every(({ state }) => {
    const own = new Sharing(granules, vcpus)
    own.learn(state.learnt)
    return !own.learn(all.learnt()) && state.waitPlaces.length === waitPlaces.length
  })
  return { learnt: all.learnt(), waitPlaces, agreed }
}

function granulesOf({ rows }: Learnt): number {
  let last = -1
  for (let at = 0; at < rows.length; at += 5) last = Math.max(last, rows[at])
  return last + 1
}
