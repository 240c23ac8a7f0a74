/** A pass that was left, to go on with. It comes from a file, so it may say anything. */
import type { SavedGraph } from '../liveness/stateGraph.ts'
import { CHOICE_WORDS, END, FIRST, FRAME_WORDS, NEXT, STATE } from './frames.ts'
import type { NodeTable } from './nodeTable.ts'

/** A pass at work, as plain data: all that is needed to go on. Nodes and choices are numbers. */
export interface SavedPass {
  readonly byCost: boolean
  readonly nodes: Int32Array
  /** Nodes that wait, with their cost: cost, node, alternating, in order. */
  readonly waiting: Int32Array
  readonly path: Int32Array
  readonly floor: number
  readonly frames: { readonly rows: Int32Array; readonly choices: Int32Array }
  readonly kept: Uint8Array
  readonly graph: SavedGraph | null
  /** `level` and what was counted. */
  readonly level: number
  readonly events: number
  readonly retaken: number
  readonly executions: number
  /** A violation: node, choice, cost; empty: there is none. */
  readonly least: readonly number[]
  readonly weaknesses: readonly string[]
  /** sources.ts. */
  readonly sources: readonly number[]
}

/** @throws RangeError where `is` is false */
export function fits(is: boolean): void {
  if (!is) throw new RangeError('the saved search does not fit')
}

/** Nodes, frames and choices that are named are there, and in their order; what they mean the machine will say. @throws RangeError */
export function checkPlaces({ path, floor, frames, waiting, least }: SavedPass, table: NodeTable): void {
  const isNode = (node: number) => node >= 0 && node < table.count
  fits(path.length > 0 && path[0] === 0 && path.every((node, k) => isNode(node) && (k === 0 || table.parent(node) === path[k - 1])))
  const depth = frames.rows.length / FRAME_WORDS
  fits(Number.isInteger(depth) && floor >= 0 && (depth === 0 ? floor <= path.length : floor >= 1 && floor + depth - 1 === path.length))
  for (let k = 0; k < depth; k++) {
    const row = k * FRAME_WORDS
    const [next, first, end] = [frames.rows[row + NEXT], frames.rows[row + FIRST], frames.rows[row + END]]
    const before = k === 0 ? 0 : frames.rows[row - FRAME_WORDS + END]
    fits(first === before && next >= first && next <= end && end <= frames.choices.length)
    fits((next - first) % CHOICE_WORDS === 0 && (end - first) % CHOICE_WORDS === 0)
    fits(frames.rows[row + STATE] === table.state(path[floor - 1 + k]))
  }
  for (let k = 0; k < waiting.length; k += 2) fits(isNode(waiting[k + 1]))
  fits(least.length === 0 || (least.length === 3 && isNode(least[0])))
}
