/**
 * All mutable machine state: one `Int32Array`, changed through `set`, which appends to one undo log and
 * updates an incremental hash. Nothing else holds machine state, so backtracking, hashing, checkpoints and
 * the determinism check are properties of this file alone.
 *
 * ```
 * words   [ 0 .............................. hashed ) [ hashed .............. length )
 *           architectural and ghost state: in hash      clocks, counters, derived: not in hash
 * log     ... index value index value | h0 h1 ...       newest last; `mark` writes the lanes, `undoTo` restores
 * ```
 *
 * The hash is the XOR over words of `mix(index, value)`, a keyed 2 x 32 bit finaliser; a word that is 0
 * contributes 0, so untouched memory costs nothing. With n states the odds of any collision are below
 * n^2 / 2^65.
 */
export class Store {
  readonly w: Int32Array
  /** Words below this index are part of the hash. */
  readonly hashed: number
  /** The two hash lanes. */
  h0 = 0
  h1 = 0
  #log = new Int32Array(1 << 12)
  #top = 0

  /** @param length words in all; @param hashed words, from 0, that belong to the hash */
  constructor(length: number, hashed: number = length) {
    this.w = new Int32Array(length)
    this.hashed = hashed
  }

  /** Sets word `i` to `value`, logged and hashed. */
  set(i: number, value: number): void {
    const old = this.w[i]
    value |= 0
    if (old === value) return
    if (this.#top + 2 > this.#log.length) this.#grow()
    this.#log[this.#top++] = i
    this.#log[this.#top++] = old
    if (i < this.hashed) this.#rehash(i, old, value)
    this.w[i] = value
  }

  /** Sets `count` words from `i` to the values in `from`, logged and hashed. */
  setAll(i: number, from: Int32Array, count: number): void {
    for (let k = 0; k < count; k++) this.set(i + k, from[k])
  }

  /**
   * Logs and hashes what was written straight into `w` since `before` was copied from it: the register
   * block of a vCPU is a plain array to the instruction handlers, and enters the log only here.
   * @param base first word; @param before the block as it was, `count` words
   */
  commit(base: number, before: Int32Array, count: number): void {
    const w = this.w
    for (let k = 0; k < count; k++) {
      const old = before[k]
      const value = w[base + k]
      if (old === value) continue
      if (this.#top + 2 > this.#log.length) this.#grow()
      this.#log[this.#top++] = base + k
      this.#log[this.#top++] = old
      if (base + k < this.hashed) this.#rehash(base + k, old, value)
    }
  }

  /**
   * Sets words as `set` would, from rows that were worked out before: index, old value (which the word must have), new
   * value, three words each. @param h0 change of the hash, as are `h1`
   */
  redo(rows: Int32Array, from: number, count: number, h0: number, h1: number): void {
    while (this.#top + count * 2 > this.#log.length) this.#grow()
    const w = this.w
    const log = this.#log
    let top = this.#top
    const end = from + count * 3
    for (let row = from; row < end; row += 3) {
      const index = rows[row]
      log[top++] = index
      log[top++] = rows[row + 1]
      w[index] = rows[row + 2]
    }
    this.#top = top
    this.h0 ^= h0
    this.h1 ^= h1
  }

  /** Where the log ends now. */
  get top(): number {
    return this.#top
  }

  /** The changes since the log ended at `top`, oldest first: word and what it held before. No mark lies between. */
  forEachSince(top: number, visit: (index: number, old: number) => void): void {
    for (let at = top; at < this.#top; at += 2) visit(this.#log[at], this.#log[at + 1])
  }

  /** The changes of the log between two tops, oldest first. */
  forEachBetween(from: number, to: number, visit: (index: number, old: number) => void): void {
    for (let at = from; at < to; at += 2) visit(this.#log[at], this.#log[at + 1])
  }

  /** A point that `undoTo` can return to. */
  mark(): number {
    if (this.#top + 2 > this.#log.length) this.#grow()
    this.#log[this.#top++] = this.h0
    this.#log[this.#top++] = this.h1
    return this.#top
  }

  /** Restores words and hash to what they were when `mark()` returned `point`, and drops the point. */
  undoTo(point: number): void {
    const log = this.#log
    let top = this.#top
    while (top > point) {
      top -= 2
      this.w[log[top]] = log[top + 1]
    }
    this.h1 = log[point - 1]
    this.h0 = log[point - 2]
    this.#top = point - 2
  }

  /** Forgets the log: what was set so far becomes the initial state. */
  seal(): void {
    this.#top = 0
  }

  /** Entries in the log, in words. */
  get logWords(): number {
    return this.#top
  }

  /** The hash computed from nothing, as [h0, h1]: what `h0`, `h1` must equal at any time. */
  fullHash(): [number, number] {
    let h0 = 0
    let h1 = 0
    for (let i = 0; i < this.hashed; i++) {
      if (this.w[i] === 0) continue
      h0 ^= mix0(i, this.w[i])
      h1 ^= mix1(i, this.w[i])
    }
    return [h0, h1]
  }

  #rehash(i: number, old: number, value: number): void {
    if (old !== 0) {
      this.h0 ^= mix0(i, old)
      this.h1 ^= mix1(i, old)
    }
    if (value !== 0) {
      this.h0 ^= mix0(i, value)
      this.h1 ^= mix1(i, value)
    }
  }

  #grow(): void {
    const log = new Int32Array(this.#log.length * 2)
    log.set(this.#log)
    this.#log = log
  }
}

/** Finalisers after MurmurHash3's fmix32, with a different key schedule for each lane. */
export function mix0(i: number, value: number): number {
  let h = Math.imul(value ^ Math.imul(i, 0x9e3779b1), 0x85ebca6b) + i
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

export function mix1(i: number, value: number): number {
  let h = Math.imul(value, 0x27d4eb2f) + Math.imul(i ^ 0x165667b1, 0x9e3779b1)
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d)
  h = Math.imul(h ^ (h >>> 12) ^ i, 0x297a2d39)
  return h ^ (h >>> 15)
}
