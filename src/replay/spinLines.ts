/** Lines of a timeline in which a vCPU looks at the same again and again, told as one. */
import type { TimelineLine } from './timeline.ts'

/** Turns that are told one by one; events of a turn. */
const TURNS_TOLD = 4
const TURN_LINES_MAX = 8
const GIVES_UP = ', then gives up'

interface Entry extends TimelineLine {
  text: string
  readonly eip: number
}

export class SpinLines {
  readonly #lines: Entry[] = []
  readonly #linesMax: number
  /** The turns that go on: lines of one, how many there were, and what of the next has come. */
  #turn: readonly Entry[] = []
  #turns = 0
  #next: Entry[] = []
  /** By vCPU: the line that tells of its turns, until it is seen whether it found what it looked for. */
  readonly #untold = new Map<number, { readonly line: Entry; readonly places: ReadonlySet<number> }>()

  /** @param linesMax what is kept, from the end */
  constructor(linesMax: number) {
    this.#linesMax = linesMax
  }

  /** @param eip of the instruction */
  add(line: TimelineLine, eip: number): void {
    const entry = { ...line, eip }
    if (this.#turns > 0) {
      if (isSame(entry, this.#turn[this.#next.length])) {
        this.#next.push(entry)
        if (this.#next.length < this.#turn.length) return
        this.#turns++
        this.#turn = this.#next
        this.#next = []
        return
      }
      this.#close()
    }
    this.#push(entry)
    for (let length = 1; length <= TURN_LINES_MAX && this.#turns === 0; length++) this.#open(length)
  }

  /** @param eipOf where each vCPU stands at the end */
  finish(eipOf: (vcpu: number) => number): readonly TimelineLine[] {
    this.#close()
    for (const [vcpu, { line, places }] of this.#untold) if (!places.has(eipOf(vcpu))) line.text += GIVES_UP
    return this.#lines.slice(-this.#linesMax)
  }

  #push(entry: Entry): void {
    const { vcpu, eip } = entry
    const untold = this.#untold.get(vcpu)
    if (untold !== undefined) {
      if (!untold.places.has(eip)) untold.line.text += GIVES_UP
      this.#untold.delete(vcpu)
    }
    this.#lines.push(entry)
    if (this.#lines.length > this.#linesMax * 2) this.#lines.splice(0, this.#linesMax)
  }

  /** The last lines are turns of so many lines each: from now on they are counted. */
  #open(length: number): void {
    const lines = this.#lines
    const from = lines.length - TURNS_TOLD * length
    if (from < 0 || lines.at(-1)!.vcpu !== lines.at(-length)!.vcpu) return
    for (let k = from + length; k < lines.length; k++) if (!isSame(lines[k], lines[k - length])) return
    this.#turn = lines.slice(from, from + length)
    this.#turns = TURNS_TOLD
    this.#next = []
  }

  #close(): void {
    if (this.#turns > TURNS_TOLD) {
      const last = this.#turn.at(-1)!
      const line = { ...last, text: `spins ${this.#turns} iterations` }
      this.#lines.push(line)
      this.#untold.set(last.vcpu, { line, places: new Set(this.#turn.map(({ eip }) => eip)) })
    }
    this.#turns = 0
    for (const entry of this.#next.splice(0)) this.#push(entry)
  }
}

function isSame(one: Entry, other: Entry): boolean {
  return one.vcpu === other.vcpu && one.eip === other.eip && one.text === other.text
}
