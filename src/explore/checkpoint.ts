/**
 * What a dpor search has done so far, as a file: to go on from it later (`--resume`), or to put the parts together that
 * several machines have explored (`xmcheck merge`). msgpack, behind a line that says what it is and a sum of what follows:
 * a file that was cut off or damaged is refused. It is a claim of what was explored, as good as the one who keeps it.
 */
import type { MachineImage } from '../smp/image.ts'
import type { KnobValue, Model } from '../smp/model.ts'
import type { Learnt } from '../smp/sharing.ts'
import type { Task } from './dpor/options.ts'
import type { SavedTasks, Shard } from './parallel/taskSearch.ts'
import { noTotals, type Found } from './parallel/taskRun.ts'
import { count, integer, list, number, record, seal, sumOf, text, unseal, type Raw } from './sealed.ts'

export { CheckpointError } from './sealed.ts'

const MAGIC = 'xmcheck-checkpoint 2\n'
export const CHECKPOINT_BYTES_MAX = 1 << 30

export interface Checkpoint {
  /** What is explored: image, model and engine. */
  readonly key: string
  readonly title: string
  readonly knobs: Readonly<Record<string, KnobValue>>
  readonly shard: Shard | null
  /** What must be reached, for a verdict that is not vacuous. */
  readonly declared: { readonly points: MachineImage['points']; readonly sites: readonly DeclaredSite[] }
  readonly state: SavedTasks
}

export interface DeclaredSite {
  readonly name: string
  readonly targets: number
  /** Number of forms; null: it has targets. */
  readonly forms: number | null
}

/** The same for the same image under the same model, and hardly ever otherwise. */
export function keyOf(image: MachineImage, model: Model): string {
  const words: number[] = [...new TextEncoder().encode(JSON.stringify([model.knobs, image.handledVectors, image.interrupts, image.objects, image.points, ...(image.claims ?? [])]))]
  for (const region of image.regions) words.push(region.start, region.sizeBytes, region.access, region.bytes.length, ...sumOf(region.bytes))
  for (const registers of [...image.vcpus.map((vcpu) => vcpu.registers), image.init, image.final]) words.push(registers?.length ?? 0, ...(registers ?? []))
  return sumOf(Int32Array.from(words)).map((lane) => (lane >>> 0).toString(16).padStart(8, '0')).join('')
}

export function encodeCheckpoint({ state, ...rest }: Checkpoint): Uint8Array {
  const { totals, learnt, tasks } = state
  return seal(MAGIC, {
    ...rest,
    state: {
      ...state,
      tasks: tasks.map(({ task, weight }) => [[...task.prefix], [...task.sleep], weight]),
      totals: { ...totals, points: [...totals.points], sites: [...totals.sites], weaknesses: [...totals.weaknesses] },
      learnt: keptLearnt(learnt),
    },
  })
}

/** @throws CheckpointError */
export function decodeCheckpoint(file: Uint8Array): Checkpoint {
  return unseal(MAGIC, file, read)
}

function read(raw: Raw): Checkpoint {
  const state = record(raw.state)
  const declared = record(raw.declared)
  const totals = record(state.totals)
  const sum = noTotals()
  for (const key of ['complete', 'cut', 'discarded', 'redundant', 'endless', 'events', 'repeated', 'cutByAssumption'] as const) sum[key] = count(totals[key])
  for (const pair of list(totals.points)) sum.points.set(count(list(pair)[0]), count(list(pair)[1]))
  for (const pair of list(totals.sites)) sum.sites.set(text(list(pair)[0]), count(list(pair)[1]))
  sum.orders = list(totals.orders).map(integer)
  for (const weakness of list(totals.weaknesses)) sum.weaknesses.add(text(weakness))
  const learnt = record(state.learnt)
  const shard = raw.shard === null ? null : record(raw.shard)
  return {
    key: text(raw.key),
    title: text(raw.title),
    knobs: record(raw.knobs) as Record<string, KnobValue>,
    shard: shard === null ? null : { index: count(shard.index), of: count(shard.of) },
    declared: {
      points: list(declared.points).map((one) => {
        const point = record(one)
        return { id: integer(point.id), kind: text(point.kind) as MachineImage['points'][number]['kind'], text: text(point.text), file: text(point.file), line: count(point.line) }
      }),
      sites: list(declared.sites).map((one) => {
        const site = record(one)
        return { name: text(site.name), targets: count(site.targets), forms: site.forms === null ? null : count(site.forms) }
      }),
    },
    state: {
      tasks: list(state.tasks).map((one) => {
        const [prefix, sleep, weight] = list(one)
        const task: Task = { prefix: list(prefix).map(integer), sleep: list(sleep).map(integer) }
        return { task, weight: number(weight) }
      }),
      totals: sum,
      learnt: readLearnt(learnt),
      waitPlaces: list(state.waitPlaces).map(integer),
      done: number(state.done),
      seconds: number(state.seconds),
      fresh: state.fresh === true,
      found: state.found === null ? null : readFound(record(state.found)),
    },
  }
}

/** What was learnt, in a form that is kept; and back. */
export function keptLearnt({ rows, pages, tablesChange, aliased, interruptible, spins, uncachedLines }: Learnt): Raw {
  return { rows: [...rows], pages: [...pages], tablesChange, aliased, interruptible: [...interruptible], spins: [...spins], uncachedLines: [...uncachedLines] }
}

export function readLearnt(learnt: Raw): Learnt {
  return {
    rows: Int32Array.from(list(learnt.rows).map(integer)),
    pages: Int32Array.from(list(learnt.pages).map(integer)),
    tablesChange: learnt.tablesChange === true,
    aliased: learnt.aliased === true,
    interruptible: Uint8Array.from(list(learnt.interruptible).map(count)),
    spins: Int32Array.from(list(learnt.spins).map(integer)),
    uncachedLines: Int32Array.from(list(learnt.uncachedLines).map(integer)),
  }
}

export function readFound(found: Raw): Found {
  const violation = record(found.violation)
  return {
    violation: { kind: text(violation.kind), message: text(violation.message), vcpu: count(violation.vcpu), eip: count(violation.eip) },
    schedule: list(found.schedule).map(integer),
    ...(found.cycleFrom === undefined ? {} : { cycleFrom: count(found.cycleFrom) }),
  }
}
