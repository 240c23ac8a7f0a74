/**
 * Calls from the guest to the checker: `nopl 0x584D0000+number(%eax)`, which does nothing on hardware.
 * Arguments in EAX, EDX, ECX, result in EAX. include/xmcheck.h and include/xmcheck.inc wrap them; this table
 * is the one place where the numbers stand (a test holds the headers against it).
 */
export const GUEST_CALLS = {
  /** The actor ends. The return address below every entry function leads to a stub that makes this call. */
  exit: 0,
  /** EAX = condition, EDX = id of the check point. Violation `assertion` when EAX is 0. */
  assert: 1,
  /** EAX = condition, EDX = id. The execution is cut, without a verdict, when EAX is 0. */
  assume: 2,
  /** EAX = n >= 1, EDX = id. Returns any of 0 .. n-1: a choice that the explorer branches on. */
  choose: 3,
  /** EAX = vCPU number, EDX = vector. Makes the vector pending there; identical ones coalesce. */
  ipi: 4,
  /** EAX = vCPU number. Makes an NMI pending there. */
  nmi: 5,
  /** EDX = id. The program made progress here (liveness). */
  progress: 6,
  /** EDX = id. Counts that this place was reached; one that never is makes a verdict vacuous. */
  reach: 7,
  /** EAX = address of an object: the calling context owns it alone from here (violation `mutual-exclusion`). */
  enter: 8,
  /** EAX = address of an object: no longer owned. */
  leave: 9,
  /** EAX = address, EDX = size in bytes: freed; any later access is a violation `use-after-free`. */
  free: 10,
  /** EAX = address, EDX = size in bytes: live again. */
  alloc: 11,
  /** Blocks until the vCPU has been kicked; a kick that came before counts. Returns at once, consuming it. */
  block: 12,
  /** EAX = vCPU number: kicks it. */
  kick: 13,
  /** Returns the number of the calling vCPU. */
  vcpu: 14,
  /** EAX = value, EDX = address of a NUL-terminated string: shown in timelines. */
  log: 15,
  /** EAX = patch site, EDX = address of its bytes: from here on nobody may execute anything else there (`stale-code`); EDX = 0 ends it. */
  patched: 16,
  /** EAX = address of a byte: blocks until it is not 0 (an event bit that a hypervisor polls), or an interrupt was taken. */
  poll: 17,
  /** EAX = address, EDX = size in bytes: the old translations of these linear pages are gone everywhere; using one is a violation `stale-translation`. */
  unmapped: 18,
  /** EAX = address, EDX = size in bytes: ends that. */
  mapped: 19,
  /** EAX = address of an object: the caller is about to come for it. */
  arrive: 20,
  /** EAX = address of an object: the caller has a place in its queue. Who arrives from here on enters after it (violation `fifo-order`). */
  queued: 21,
  /** EAX = address of an object, EDX = its size in bytes: as `leave`; once another has entered it, the caller touches it no more (`access-after-release`). */
  release: 22,
  /** Blocks until the vCPU has been kicked, a kick that came before counts, or an interrupt was taken. */
  halt: 23,
  /** EAX = address, EDX = size in bytes: code that is being written; executing it is a violation `under-construction`. */
  building: 24,
  /** EAX = address, EDX = size in bytes: it is complete. */
  built: 25,
  /** The vCPU gives up its pCPU, where others wait for one (pcpus.ts); its stores are in memory before. */
  yield: 26,
  /** EAX = address, EDX = size in bytes: an update of these words is queued; reading, walking or writing them is a violation `pending-write`. */
  pending: 27,
  /** EAX = address, EDX = size in bytes: it is carried out, or about to be; ends `lent` and `unfilled` too. */
  settled: 28,
  /** EAX = address, EDX = size in bytes: a queued call refers to these words; writing or freeing them is a violation `argument-changed`. */
  lent: 29,
  /** EAX = address, EDX = size in bytes: a slot that is not filled; reading it is a violation `unfilled-slot`. */
  unfilled: 30,
  /** EAX = address that names a mode, EDX = which of its modes: this vCPU enters it. It is in one at a time (`mode-entered-twice`). */
  modeon: 31,
  /** EAX, EDX as for `modeon`: it leaves it, and has to be in it (`mode-unpaired`). */
  modeoff: 32,
} as const

/** As `GUEST_CALLS` has it; `mark` where there is none of that number. */
export function nameOfCall(call: number): string {
  return Object.entries(GUEST_CALLS).find(([, number]) => number === call)?.[0] ?? 'mark'
}

/** High half of the displacement that marks a call to the checker ("XM"). */
export const GUEST_CALL_TAG = 0x584d
/** Length of the instruction that makes a call. */
export const GUEST_CALL_BYTES = 7
