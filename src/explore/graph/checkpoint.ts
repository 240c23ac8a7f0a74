/**
 * What a graph search has done so far, as a file to go on from (`--resume`): the table of states, the way to where it is, and what
 * waits; beside it what was learnt and reached. Like other checkpoints (checkpoint.ts) it is a claim, as good as the one who keeps it.
 */
import type { KnobValue } from '../../smp/model.ts'
import type { Learnt } from '../../smp/sharing.ts'
import { keptLearnt, readFound, readLearnt } from '../checkpoint.ts'
import type { SavedPass } from './savedPass.ts'
import type { SavedSearch } from '../liveness/search.ts'
import type { SavedGraph } from '../liveness/stateGraph.ts'
import { count, integer, isSealed, list, number, record, seal, text, unseal, CheckpointError, type Raw } from '../sealed.ts'

const MAGIC = 'xmcheck-graph 1\n'

export interface GraphCheckpoint {
  /** checkpoint.ts, keyOf. */
  readonly key: string
  readonly title: string
  readonly knobs: Readonly<Record<string, KnobValue>>
  readonly learnt: Learnt
  readonly search: SavedSearch
  /** Check points and sites to how often they were reached, and executions that an assumption has cut. */
  readonly points: readonly (readonly [number, number])[]
  readonly sites: readonly (readonly [string, number])[]
  readonly cut: number
}

export const isGraphCheckpoint = (file: Uint8Array) => isSealed(MAGIC, file)

export function encodeGraphCheckpoint({ learnt, search, ...rest }: GraphCheckpoint): Uint8Array {
  const { pass, first } = search
  return seal(MAGIC, {
    ...rest,
    learnt: keptLearnt(learnt),
    search: {
      ...search,
      first: first && { ...first, learnt: first.learnt && keptLearnt(first.learnt) },
      pass: pass && {
        ...pass,
        ...bytesOf(pass, PASS_WORDS),
        frames: bytesOf(pass.frames, FRAME_WORDS),
        graph: pass.graph && { ...pass.graph, ...bytesOf(pass.graph, GRAPH_WORDS) },
      },
    },
  })
}

/** @throws CheckpointError */
export function decodeGraphCheckpoint(file: Uint8Array): GraphCheckpoint {
  return unseal(MAGIC, file, (raw) => {
    const search = record(raw.search)
    return {
      key: text(raw.key),
      title: text(raw.title),
      knobs: record(raw.knobs) as Record<string, KnobValue>,
      learnt: readLearnt(record(raw.learnt)),
      search: {
        pass: search.pass === null ? null : readPass(record(search.pass)),
        second: search.second === true,
        first: search.first === null ? null : { ...readFound(record(search.first)), learnt: readLearnt(record(record(search.first).learnt)) },
        events: count(search.events),
        seconds: number(search.seconds),
      },
      points: list(raw.points).map((one) => [integer(list(one)[0]), count(list(one)[1])] as const),
      sites: list(raw.sites).map((one) => [text(list(one)[0]), count(list(one)[1])] as const),
      cut: count(raw.cut),
    }
  })
}

const PASS_WORDS = ['nodes', 'waiting', 'path'] as const
const FRAME_WORDS = ['rows', 'choices'] as const
const GRAPH_WORDS = ['starts', 'counts', 'ended', 'targets', 'labels'] as const

/** Arrays of words as their bytes, which is how msgpack keeps them. */
function bytesOf<K extends string>(from: Readonly<Record<K, Int32Array>>, names: readonly K[]): Record<string, Uint8Array> {
  return Object.fromEntries(names.map((name) => [name, new Uint8Array(from[name].buffer, from[name].byteOffset, from[name].byteLength)]))
}
function wordsOf<K extends string>(from: Raw, names: readonly K[]): Record<K, Int32Array> {
  return Object.fromEntries(names.map((name) => [name, words(from[name])])) as Record<K, Int32Array>
}
function words(value: unknown): Int32Array {
  if (!(value instanceof Uint8Array) || value.length % 4 !== 0) throw new CheckpointError('the checkpoint is damaged')
  return new Int32Array(value.slice().buffer)
}

function readPass(raw: Raw): SavedPass {
  return {
    byCost: raw.byCost === true,
    ...wordsOf(raw, PASS_WORDS),
    floor: count(raw.floor),
    frames: wordsOf(record(raw.frames), FRAME_WORDS),
    kept: raw.kept instanceof Uint8Array ? raw.kept.slice() : new Uint8Array(0),
    graph: raw.graph === null ? null : readGraph(record(raw.graph)),
    level: integer(raw.level),
    events: count(raw.events),
    retaken: count(raw.retaken),
    executions: count(raw.executions),
    least: list(raw.least).map(integer),
    weaknesses: list(raw.weaknesses).map(text),
    sources: list(raw.sources).map(count),
  }
}

function readGraph(raw: Raw): SavedGraph {
  return {
    ...wordsOf(raw, GRAPH_WORDS),
    states: count(raw.states),
    progressed: integer(raw.progressed),
    exited: integer(raw.exited),
    full: raw.full === true,
  }
}
