/**
 * Notices that a vCPU which changes nothing outside its registers comes back to registers that it had before: from there on it goes
 * round for ever (Brent's cycle detection over the ends of slices). The slices' lengths do not matter: each starts where one ended.
 */
export class LoopWatch {
  #seen: Int32Array | null = null
  /** Slices since `#seen`, and how many to wait before a later one takes its place. */
  #steps = 0
  #patience = 1

  /** Something changed that the vCPU may depend on. */
  restart(): void {
    this.#seen = null
  }

  /** At the end of a slice in which nothing changed: whether the registers are those of an earlier one. */
  comesBack(r: Int32Array): boolean {
    if (this.#seen === null) {
      this.#seen = Int32Array.from(r)
      this.#steps = 0
      this.#patience = 1
      return false
    }
    const seen = this.#seen
    if (r.every((word, k) => word === seen[k])) return true
    if (++this.#steps === this.#patience) {
      seen.set(r)
      this.#steps = 0
      this.#patience *= 2
    }
    return false
  }
}
