/** CPU classes: what differs between the parts that a verdict may be asked for. */

/**
 * What a part may or may not have. The names are CPUID's (SDM vol. 2A, CPUID) where it has one; `486` stands for what the
 * Intel486 added without a bit (BSWAP, CMPXCHG, XADD, INVLPG, INVD, WBINVD, CR0.WP/AM/NE, EFLAGS.AC), `nopl` for the
 * multi-byte NOP, `fences` for LFENCE, MFENCE and SFENCE, `rdpmc` for RDPMC and CR4.PCE.
 */
export type Feature =
  | '486' | 'cpuid' | 'vme' | 'de' | 'pse' | 'tsc' | 'msr' | 'pae' | 'cx8' | 'apic' | 'sep' | 'mtrr' | 'pge' | 'cmov' | 'pat'
  | 'fxsr' | 'clfsh' | 'nx' | 'x2apic' | 'nopl' | 'fences' | 'rdpmc'

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
  /** Bytes of one aligned prefetch into the queue; 0: no queue. */
  readonly prefetchBytes: number
  /** CPUID.1:EAX: family, model, stepping. */
  readonly signature: number
  readonly features: ReadonlySet<Feature>
}

const I486: readonly Feature[] = ['486', 'cpuid']
const PENTIUM: readonly Feature[] = [...I486, 'vme', 'de', 'pse', 'tsc', 'msr', 'cx8', 'apic']
const P6: readonly Feature[] = [...PENTIUM, 'pae', 'sep', 'mtrr', 'pge', 'cmov', 'pat', 'fxsr', 'nopl', 'rdpmc', 'fences']
const P4: readonly Feature[] = [...P6, 'clfsh', 'nx', 'x2apic']

export const CPU_CLASSES: Readonly<Record<string, CpuClass>> = {
  '386': {
    name: '386', family: 3, lineBytes: 16, atomicBytes: 4, detectsOwnStores: false, queueBytes: 16, prefetchBytes: 4, signature: 0x308, features: new Set(),
  },
  '486': {
    name: '486', family: 4, lineBytes: 16, atomicBytes: 4, detectsOwnStores: false, queueBytes: 32, prefetchBytes: 16, signature: 0x480, features: new Set(I486),
  },
  pentium: {
    name: 'pentium', family: 5, lineBytes: 32, atomicBytes: 8, detectsOwnStores: true, queueBytes: 0, prefetchBytes: 0, signature: 0x52c, features: new Set(PENTIUM),
  },
  p6: {
    name: 'p6', family: 6, lineBytes: 32, atomicBytes: 0, detectsOwnStores: true, queueBytes: 0, prefetchBytes: 0, signature: 0x6b1, features: new Set(P6),
  },
  p4: {
    name: 'p4', family: 15, lineBytes: 64, atomicBytes: 0, detectsOwnStores: true, queueBytes: 0, prefetchBytes: 0, signature: 0xf43, features: new Set(P4),
  },
}

export function classOf(name: string): CpuClass {
  return CPU_CLASSES[name]
}
