/** CPU classes: what differs between the parts that a verdict may be asked for. */
export interface CpuClass {
  readonly name: string
  readonly family: number
  readonly lineBytes: number
  /** Naturally aligned accesses up to this size are one event; 0: anything inside a line (SDM vol. 3A 9.1.1). */
  readonly atomicBytes: number
  /** Compares stores with what it has fetched (Pentium and later, SDM vol. 3A 11.6). */
  readonly detectsOwnStores: boolean
  /** Prefetch queue that own stores do not reach, in bytes; 0: none. */
  readonly queueBytes: number
}

export const CPU_CLASSES: Readonly<Record<string, CpuClass>> = {
  '386': { name: '386', family: 3, lineBytes: 16, atomicBytes: 4, detectsOwnStores: false, queueBytes: 16 },
  '486': { name: '486', family: 4, lineBytes: 16, atomicBytes: 4, detectsOwnStores: false, queueBytes: 32 },
  pentium: { name: 'pentium', family: 5, lineBytes: 32, atomicBytes: 8, detectsOwnStores: true, queueBytes: 0 },
  p6: { name: 'p6', family: 6, lineBytes: 32, atomicBytes: 0, detectsOwnStores: true, queueBytes: 0 },
  p4: { name: 'p4', family: 15, lineBytes: 64, atomicBytes: 0, detectsOwnStores: true, queueBytes: 0 },
}

export function classOf(name: string): CpuClass {
  return CPU_CLASSES[name]
}
