/** Identification, counters and model-specific registers. */
import type { Cpu } from '../cpu.ts'
import { GP } from '../exceptions.ts'
import { cplOf } from '../modes.ts'
import {
  CR4, CR4_PCE, CR4_TSD, EAX, EBX, ECX, EDX, EFER_NXE, MSR_APIC_BASE, MSR_EFER, MSR_PAT_HI, MSR_PAT_LO, MSR_SYSENTER_CS, MSR_SYSENTER_EIP,
  MSR_SYSENTER_ESP,
} from '../registers.ts'
import type { Feature } from '../classes.ts'
import { serializing, type Handler, type HandlerRow } from './handler.ts'
import { privileged } from './system.ts'

// --- CPUID ----------------------------------------------------------------------------------------------

/** Bits of CPUID.1:EDX by feature; bit 0 (FPU) is always set. MCE and MCA are not there: nothing ever checks in. */
const EDX_BITS: readonly (readonly [number, Feature])[] = [
  [1, 'vme'], [2, 'de'], [3, 'pse'], [4, 'tsc'], [5, 'msr'], [6, 'pae'], [8, 'cx8'], [9, 'apic'], [11, 'sep'], [13, 'pge'],
  [15, 'cmov'], [16, 'pat'], [19, 'clfsh'], [24, 'fxsr'],
]
const APIC_BIT = 1 << 9
const ECX_X2APIC = 1 << 21
const EXTENDED_EDX_NX = 1 << 20
/** Structured extended features: of them IA32_TSC_ADJUST alone, where the bus has it. */
const STRUCTURED_FEATURES = 7
const TSC_ADJUST_BIT = 1 << 1
const TSC_ADJUST = 0x3b
/** Extended topology enumeration (SDM vol. 2A, CPUID), and its type of the thread level. */
const TOPOLOGY = 0xb
const THREADS = 1
/** Physical and linear address bits (leaf 80000008). */
const ADDRESS_BITS = 32 | (32 << 8)

/** "GenuineIntel" in EBX, EDX, ECX: the classes are Intel's parts, and software keys what it knows of them by this name. */
const GENU = 0x756e6547
const INEI = 0x49656e69
const NTEL = 0x6c65746e

/** MTRRs are the bus's: they are there when it answers for their capabilities. */
const MTRR_BIT = 1 << 12
const MTRR_CAPABILITIES = 0xfe

/** A local APIC that is disabled by IA32_APIC_BASE is not announced (SDM vol. 3A 11.4.3). */
function featureBits({ cls: { features }, r, bus }: Cpu): number {
  let bits = features.has('mtrr') && bus.readMsr(MTRR_CAPABILITIES) ? 1 | MTRR_BIT : 1
  for (const [bit, feature] of EDX_BITS) if (features.has(feature)) bits |= 1 << bit
  return (r[MSR_APIC_BASE] & 0x800) === 0 ? bits & ~APIC_BIT : bits
}

/** EAX, EBX, ECX, EDX of a leaf. */
function leaf(cpu: Cpu, number: number, subleaf: number): readonly [number, number, number, number] {
  const { features, signature } = cpu.cls
  const extended = features.has('nx') ? 0x80000008 : 0
  const x2apic = features.has('x2apic')
  switch (number >>> 0) {
    case STRUCTURED_FEATURES:
      if (x2apic && subleaf === 0 && cpu.bus.readMsr(TSC_ADJUST)) return [0, TSC_ADJUST_BIT, 0, 0]
      break
    case TOPOLOGY:
      // One thread a core, one core a package; EDX is the x2APIC id, whatever the level asked for.
      if (x2apic) return [0, subleaf === 0 ? 1 : 0, subleaf === 0 ? THREADS << 8 : subleaf & 0xff, cpu.apicId]
      break
    case 1:
      return [signature, (features.has('apic') ? cpu.apicId << 24 : 0) | (features.has('clfsh') ? (cpu.cls.lineBytes / 8) << 8 : 0), features.has('x2apic') ? ECX_X2APIC : 0, featureBits(cpu)]
    case 0x80000000:
      if (extended !== 0) return [extended, 0, 0, 0]
      break
    case 0x80000001:
      if (extended !== 0) return [signature, 0, 0, EXTENDED_EDX_NX]
      break
    case 0x80000008:
      if (extended !== 0) return [ADDRESS_BITS, 0, 0, 0]
      break
    case 0:
      return [x2apic ? TOPOLOGY : 1, GENU, NTEL, INEI]
  }
  return [0, 0, 0, 0]
}

const cpuid = serializing((cpu) => {
  const r = cpu.r
  const [eax, ebx, ecx, edx] = leaf(cpu, r[EAX], r[ECX])
  r[EAX] = eax
  r[EBX] = ebx
  r[ECX] = ecx
  r[EDX] = edx
})

// --- counters -------------------------------------------------------------------------------------------

const rdtsc: Handler = (cpu) => {
  const r = cpu.r
  if ((r[CR4] & CR4_TSD) !== 0 && cplOf(r) !== 0) return cpu.fault(GP, 0)
  const low = cpu.bus.tsc()
  if (cpu.stop !== 0) return
  r[EAX] = low
  r[EDX] = cpu.bus.high
}

/** Two counters, which nothing can start: their event selectors are not there. */
const rdpmc: Handler = (cpu) => {
  const r = cpu.r
  if ((r[CR4] & CR4_PCE) === 0 && cplOf(r) !== 0) return cpu.fault(GP, 0)
  if (r[ECX] >>> 0 > 1) return cpu.fault(GP, 0)
  r[EAX] = 0
  r[EDX] = 0
}

// --- MSRs -----------------------------------------------------------------------------------------------

const TSC = 0x10
const APIC_BASE = 0x1b
/** Microcode revision: reads 0, takes an update without effect. */
const BIOS_UPDATE = 0x79
const BIOS_SIGNATURE = 0x8b
const SYSENTER_CS = 0x174
const SYSENTER_ESP = 0x175
const SYSENTER_EIP = 0x176
const PAT = 0x277
const EFER = 0xc0000080
/** SYSCALL enable: parts with NX have the bit, and SYSCALL in 64-bit mode only. */
const EFER_SCE = 1

const apicBaseBits = (cpu: Cpu) => 0xfffff900 | (cpu.cls.features.has('x2apic') ? 0x400 : 0)

const rdmsr: Handler = privileged((cpu) => {
  const r = cpu.r
  const { features } = cpu.cls
  const answer = (low: number, high = 0) => {
    r[EAX] = low
    r[EDX] = high
  }
  const msr = r[ECX] >>> 0
  if (msr === TSC && features.has('tsc')) {
    const low = cpu.bus.tsc()
    return cpu.stop === 0 ? answer(low, cpu.bus.high) : undefined
  }
  if (msr === APIC_BASE && features.has('apic')) return answer(r[MSR_APIC_BASE])
  if (msr === BIOS_SIGNATURE && features.has('pae')) return answer(0)
  if (msr === SYSENTER_CS && features.has('sep')) return answer(r[MSR_SYSENTER_CS])
  if (msr === SYSENTER_ESP && features.has('sep')) return answer(r[MSR_SYSENTER_ESP])
  if (msr === SYSENTER_EIP && features.has('sep')) return answer(r[MSR_SYSENTER_EIP])
  if (msr === PAT && features.has('pat')) return answer(r[MSR_PAT_LO], r[MSR_PAT_HI])
  if (msr === EFER && features.has('nx')) return answer(r[MSR_EFER])
  const found = cpu.bus.readMsr(msr)
  if (cpu.stop !== 0) return
  if (!found) return unknown(cpu, msr)
  answer(cpu.bus.low, cpu.bus.high)
})

function unknown(cpu: Cpu, msr: number): void {
  cpu.fault(GP, 0)
  cpu.remark = `xmcheck has no MSR 0x${msr.toString(16)} here`
}

/** Whether all four memory types of a PAT half exist (SDM vol. 3A 13.12.2). */
function validPat(half: number): boolean {
  for (let n = 0; n < 4; n++) {
    const type = (half >>> (n * 8)) & 0xff
    if (type > 7 || type === 2 || type === 3) return false
  }
  return true
}

const wrmsr: Handler = privileged(
  serializing((cpu) => {
    const r = cpu.r
    const { features } = cpu.cls
    const msr = r[ECX] >>> 0
    const low = r[EAX]
    const high = r[EDX]
    if (msr === APIC_BASE && features.has('apic')) {
      const enabled = (low & 0x800) !== 0
      const x2apic = (low & 0x400) !== 0
      const before = r[MSR_APIC_BASE] & 0xc00
      // x2APIC is entered from xAPIC and left by disabling only (SDM vol. 3A 11.12.5).
      const barred = (x2apic && (!enabled || before === 0)) || (enabled && !x2apic && before === 0xc00)
      if (high !== 0 || (low & ~apicBaseBits(cpu)) !== 0 || barred) return cpu.fault(GP, 0)
      r[MSR_APIC_BASE] = low
      cpu.bus.writeMsr(msr, low, high)
    } else if ((msr === BIOS_SIGNATURE || msr === BIOS_UPDATE) && features.has('pae')) {
      // No microcode to update.
    } else if (msr === SYSENTER_CS && features.has('sep')) r[MSR_SYSENTER_CS] = low
    else if (msr === SYSENTER_ESP && features.has('sep')) r[MSR_SYSENTER_ESP] = low
    else if (msr === SYSENTER_EIP && features.has('sep')) r[MSR_SYSENTER_EIP] = low
    else if (msr === PAT && features.has('pat')) {
      if (!validPat(low) || !validPat(high)) return cpu.fault(GP, 0)
      cpu.bus.gateInvalidation()
      if (cpu.stop !== 0) return
      r[MSR_PAT_LO] = low
      r[MSR_PAT_HI] = high
      cpu.bus.retarget()
    } else if (msr === EFER && features.has('nx')) {
      if ((low & ~(EFER_SCE | EFER_NXE)) !== 0 || high !== 0) return cpu.fault(GP, 0)
      cpu.bus.gateInvalidation()
      if (cpu.stop !== 0) return
      r[MSR_EFER] = low
      cpu.bus.retarget()
    } else {
      const known = cpu.bus.writeMsr(msr, low, high)
      if (cpu.stop === 0 && !known) unknown(cpu, msr)
    }
  }),
)

export const MSR: readonly HandlerRow[] = [
  ['cpuid', cpuid],
  ['rdtsc', rdtsc],
  ['rdpmc', rdpmc],
  ['rdmsr', rdmsr],
  ['wrmsr', wrmsr],
]
