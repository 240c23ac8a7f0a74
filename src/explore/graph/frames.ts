import { HELD_UP, NOWHERE } from '../liveness/stateGraph.ts'

/** Of a row: next choice, first, and behind the last, as places in `choices`; number of the state, and what else `push` is told. */
export const [NEXT, FIRST, END, STATE, KEEPS, ENDED, FRAME_WORDS] = [0, 1, 2, 3, 4, 5, 6]
export const CHOICE_WORDS = 3

/**
 * The nodes of a descent, as a stack of two arrays: per node a row, and its choices, each with the transition that it became, where
 * these are kept (stateGraph.ts: target, label).
 */
export class Frames {
  /** Nodes on the stack. */
  length = 0
  rows = new Int32Array(64 * FRAME_WORDS)
  /** Choice, target, label. */
  choices = new Int32Array(1024 * CHOICE_WORDS)

  /** @param keeps its transitions are kept; @param ended vCPUs that have ended, as bits; @param taken of the `count` choices are to be taken, the others are held up */
  push(state: number, keeps: boolean, ended: number, list: Int32Array, taken: number, count: number): void {
    const at = this.length * FRAME_WORDS
    if (at + FRAME_WORDS > this.rows.length) this.rows = doubled(this.rows)
    const first = this.length === 0 ? 0 : this.rows[at - FRAME_WORDS + END]
    const end = first + count * CHOICE_WORDS
    while (end > this.choices.length) this.choices = doubled(this.choices)
    for (let k = 0, to = first; k < count; k++, to += CHOICE_WORDS) {
      this.choices[to] = this.choices[to + 2] = list[k]
      this.choices[to + 1] = k < taken ? NOWHERE : HELD_UP
    }
    const rows = this.rows
    rows[at + NEXT] = rows[at + FIRST] = first
    rows[at + END] = end
    rows[at + STATE] = state
    rows[at + KEEPS] = keeps ? 1 : 0
    rows[at + ENDED] = ended
    this.length++
  }
}

function doubled(array: Int32Array): Int32Array<ArrayBuffer> {
  const bigger = new Int32Array(array.length * 2)
  bigger.set(array)
  return bigger
}
