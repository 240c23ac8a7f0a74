/**
 * What wakes a vCPU that sleeps (XM_BLOCK, HLT), packed into a word for the clocks of a vCPU (layout.ts):
 *
 * ```
 *  31    16 15     8 7         6    0
 * [ vector ][ from  ][ in time ][ how ]
 * ```
 */
export const WAKE_KICK = 1
export const WAKE_IPI = 2
export const WAKE_NMI = 3
/** From a declared source, not from a vCPU. */
export const WAKE_SOURCE = 4
/** It found the vCPU asleep. */
export const WAKE_IN_TIME = 0x80

export function wakeBy(how: number, from: number, vector: number = 0): number {
  return (vector << 16) | (from << 8) | how
}

/** There was a wake-up, and it found the vCPU awake. */
export function cameTooEarly(what: number): boolean {
  return what !== 0 && (what & WAKE_IN_TIME) === 0
}

/**
 * The last wake-up of a vCPU that sleeps, in words. Steps count from 1; 0: it did not happen.
 * @param came step at which it was sent, or arrived from a source
 * @param taken step at which it was used up
 */
export function describeWake(what: number, came: number, taken: number): string {
  if (what === 0) return 'nothing was ever sent to wake it'
  const how = what & 0x7f
  const from = (what >>> 8) & 0xff
  const vector = what >>> 16
  const name = how === WAKE_KICK ? `the kick by vCPU ${from}` : how === WAKE_IPI ? `IPI ${vector} from vCPU ${from}` : how === WAKE_NMI ? `the NMI from vCPU ${from}` : `interrupt ${vector}`
  if (!cameTooEarly(what)) return `it was last woken by ${name} at step ${came}`
  if (taken >= came) return `its last wake-up, ${name}, came too early: at step ${came}, and was taken at step ${taken}, before it slept`
  return `its last wake-up, ${name}, came at step ${came} and is still pending: it cannot be taken`
}
