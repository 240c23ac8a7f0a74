/** Model-specific registers of one vCPU that belong to the board's software more than to the CPU: plain storage with rules. */
export interface Words {
  readonly low: number
  readonly high: number
}

export interface MsrBank {
  /** Null: no such register. */
  read(msr: number): Words | null
  /** False: no such register, or not with this value (#GP). */
  write(msr: number, low: number, high: number): boolean
  /** What software can see of them, for state hashes. */
  words(): Iterable<number>
}
