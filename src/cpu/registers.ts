/**
 * The register block of one vCPU: `REGISTER_WORDS` consecutive 32-bit words of the machine's state, which
 * handlers read and write as a plain `Int32Array`. The order is fixed: traces and checkpoints hold it.
 */
export const EAX = 0
export const ECX = 1
export const EDX = 2
export const EBX = 3
export const ESP = 4
export const EBP = 5
export const ESI = 6
export const EDI = 7
export const EIP = 8
export const EFLAGS = 9
/** The general registers, EIP and EFLAGS come first. */
export const MAIN_REGISTERS = 10
/** What the vCPU does: one of the `ACTIVE`... values below. */
export const ACTIVITY = 10
/** Bit 0: interrupts are inhibited for one instruction (STI); bit 1: by MOV/POP SS; bit 2: NMIs are blocked until IRET. */
export const SHADOW = 11
/** An event that is being delivered, see `EVENT_VALID`; 0 when none. */
export const EVENT = 12
/** Its error code. */
export const EVENT_ERROR = 13
/** Always 0: what forms.ts reads for a register that an address does not have. */
export const ZERO = 15
/** Segment selectors, in the manual's encoding order ES CS SS DS FS GS, then TR and LDTR. */
export const SELECTOR = 16
/** Hidden parts: base, limit (in bytes, already scaled), attributes (descriptor bits 40-47 and 52-55 as bits 0-7 and 12-15). */
export const SEG_BASE = 24
export const SEG_LIMIT = 32
export const SEG_ATTR = 40
export const GDT_BASE = 48
export const GDT_LIMIT = 49
export const IDT_BASE = 50
export const IDT_LIMIT = 51
export const CR0 = 52
export const CR2 = 53
export const CR3 = 54
export const CR4 = 55
/** DR0-DR3, then DR6 and DR7. */
export const DR0 = 56
export const DR6 = 60
export const DR7 = 61
/** Four PDPTE registers of PAE paging, low and high word each. */
export const PDPTE = 62
export const MSR_SYSENTER_CS = 70
export const MSR_SYSENTER_ESP = 71
export const MSR_SYSENTER_EIP = 72
export const MSR_EFER = 73
export const MSR_PAT_LO = 74
export const MSR_PAT_HI = 75
export const MSR_APIC_BASE = 76
/** x87 control state: CW, SW, TW (full 16-bit tag word), FIP, FCS, FDP, FDS, FOP. */
export const FPU_CW = 80
export const FPU_SW = 81
export const FPU_TW = 82
export const FPU_IP = 83
export const FPU_CS = 84
export const FPU_DP = 85
export const FPU_DS = 86
export const FPU_OP = 87
/** Eight x87 registers, three words each (64-bit significand low, high; sign and exponent). */
export const FPU_ST = 88
export const MXCSR = 112
export const REGISTER_WORDS = 120

/** Segment register numbers. */
export const ES = 0
export const CS = 1
export const SS = 2
export const DS = 3
export const FS = 4
export const GS = 5
export const TR = 6
export const LDTR = 7

export const ACTIVE = 0
export const HALTED = 1
export const SHUTDOWN = 2
export const WAIT_FOR_SIPI = 3

/** SHADOW bits. */
export const SHADOW_STI = 1
export const SHADOW_MOV_SS = 2
export const SHADOW_NMI = 4
/** Data breakpoints that MOV SS or POP SS hit (DR6 bits 0-3 from this bit on); they are reported after the next instruction. */
export const SHADOW_HITS_SHIFT = 8

/**
 * EVENT: bits 0-7 vector, 8-10 type, bit 11 has error code, bit 31 valid (the layout of a VM-entry
 * interruption-information field, SDM vol. 3C 25.8.3). Type: 0 external interrupt, 2 NMI, 3 hardware
 * exception (fault or trap), 4 software interrupt (INT n), 5 INT1, 6 software exception (INT3, INTO).
 * Bits 12-15 are ours: bytes by which EIP goes back when a software event (4-6) cannot be delivered.
 * Bit 16: a fault, which pushes RF set (SDM vol. 3A 19.3.1.1).
 */
export const EVENT_VALID = 0x80000000 | 0
export const EVENT_HAS_ERROR = 0x800
export const EVENT_EXTERNAL = 0 << 8
export const EVENT_NMI = 2 << 8
export const EVENT_EXCEPTION = 3 << 8
export const EVENT_INT_N = 4 << 8
export const EVENT_INT1 = 5 << 8
export const EVENT_INT3 = 6 << 8
export const EVENT_TYPE = 7 << 8
export const EVENT_LENGTH_SHIFT = 12
export const EVENT_FAULT = 1 << 16

/** CR0 bits. */
export const CR0_PE = 1 << 0
export const CR0_MP = 1 << 1
export const CR0_EM = 1 << 2
export const CR0_TS = 1 << 3
export const CR0_ET = 1 << 4
export const CR0_NE = 1 << 5
export const CR0_WP = 1 << 16
export const CR0_AM = 1 << 18
export const CR0_NW = 1 << 29
export const CR0_CD = 1 << 30
export const CR0_PG = 1 << 31

/** CR4 bits. */
export const CR4_VME = 1 << 0
export const CR4_PVI = 1 << 1
export const CR4_TSD = 1 << 2
export const CR4_DE = 1 << 3
export const CR4_PSE = 1 << 4
export const CR4_PAE = 1 << 5
export const CR4_PGE = 1 << 7
export const CR4_PCE = 1 << 8
export const CR4_OSFXSR = 1 << 9

/** EFER bits. */
export const EFER_NXE = 1 << 11

/** Segment attributes (SEG_ATTR): descriptor bits 40-47 and 52-55. */
export const ATTR_ACCESSED = 1 << 0
/** Writable data, readable code. */
export const ATTR_RW = 1 << 1
/** Conforming code, expand-down data. */
export const ATTR_CONFORMING = 1 << 2
export const ATTR_EXPAND_DOWN = 1 << 2
export const ATTR_CODE = 1 << 3
/** S: a code or data segment, not a system one. */
export const ATTR_SEGMENT = 1 << 4
export const ATTR_DPL_SHIFT = 5
export const ATTR_PRESENT = 1 << 7
/** D of code, B of a stack: 32 bits. */
export const ATTR_BIG = 1 << 14
export const ATTR_GRANULAR = 1 << 15

/** EFLAGS bits. */
export const CF = 1 << 0
export const PF = 1 << 2
export const AF = 1 << 4
export const ZF = 1 << 6
export const SF = 1 << 7
export const TF = 1 << 8
export const IF = 1 << 9
export const DF = 1 << 10
export const OF = 1 << 11
export const IOPL = 3 << 12
export const NT = 1 << 14
export const RF = 1 << 16
export const VM = 1 << 17
export const AC = 1 << 18
export const VIF = 1 << 19
export const VIP = 1 << 20
export const ID = 1 << 21
