/** Exception vectors (SDM vol. 3A table 7-1) and how two of them combine. Names that a flag or a segment also has end in `_`. */
export const DE = 0
export const DB = 1
export const NMI_ = 2
export const BP = 3
export const OF_ = 4
export const BR = 5
export const UD = 6
export const NM = 7
export const DF_ = 8
export const TS_ = 10
export const NP = 11
export const SS_ = 12
export const GP = 13
export const PF_ = 14
export const MF = 16
export const AC_ = 17

/** By vector. */
export const EXCEPTION_NAMES: readonly string[] = [
  '#DE', '#DB', 'NMI', '#BP', '#OF', '#BR', '#UD', '#NM', '#DF', 'CSO', '#TS', '#NP', '#SS', '#GP', '#PF', '', '#MF', '#AC', '#MC',
]

/** Bit sets over vectors: those that push an error code, and the contributory ones (SDM vol. 3A table 7-4). */
const WITH_ERROR = (1 << DF_) | (1 << TS_) | (1 << NP) | (1 << SS_) | (1 << GP) | (1 << PF_) | (1 << AC_)
const CONTRIBUTORY = (1 << DE) | (1 << TS_) | (1 << NP) | (1 << SS_) | (1 << GP)

export function hasErrorCode(vector: number): boolean {
  return vector < 32 && ((WITH_ERROR >>> vector) & 1) !== 0
}

/** Whether the exception `second`, raised while `first` is delivered, makes a double fault (SDM vol. 3A table 7-5). */
export function combinesToDoubleFault(first: number, second: number): boolean {
  const contributory = ((CONTRIBUTORY >>> second) & 1) !== 0
  if (first === PF_) return contributory || second === PF_
  return first < 32 && ((CONTRIBUTORY >>> first) & 1) !== 0 && contributory
}
