import type { KnobValue } from './model.ts'

/**
 * What a machine starts from: memory, register blocks and everything the monitors and reports need to know
 * about the program. Plain data (numbers, strings, typed arrays), so that a trace can carry it whole: a
 * trace never needs the object files, the scenario or the sources again.
 */
export interface MachineImage {
  /** One line: what this is, for reports. */
  readonly title: string
  readonly regions: readonly Region[]
  readonly vcpus: readonly VcpuImage[]
  /** Function that runs alone, on vCPU 0, before the vCPUs start; its register block. Null: none. */
  readonly init: Int32Array | null
  /** Function that runs alone, on vCPU 0, after every vCPU has ended and every store has drained. Null: none. */
  readonly final: Int32Array | null
  /** Vectors whose IDT gate leads to a handler of the guest's; an exception with another vector is a violation. */
  readonly handledVectors: readonly number[]
  readonly interrupts: readonly InterruptSource[]
  readonly sites: readonly PatchSite[]
  readonly points: readonly CheckPoint[]
  /** Absent: none. */
  readonly claims?: readonly Claim[]
  /** Named memory for monitors and reports. */
  readonly objects: readonly NamedRange[]
  readonly symbols: readonly Symbol32[]
  readonly lines: readonly LineEntry[]
  /** Texts of the source files that `lines` names, where they could be read: path to lines. */
  readonly sources: Readonly<Record<string, readonly string[]>>
  /** What the image was linked from, so that a trace can be re-applied to a changed object. */
  readonly inputs: readonly InputFile[]
  /** Options of the link that produced it (placement of sections and so on), as text. */
  readonly linkOptions: readonly string[]
  /** Where the hypervisor says who has no pCPU (pcpus.ts); absent: nowhere. */
  readonly stealTime?: StealTime
  /** Settings of the model (model.ts) that the program declares; what the user asks for goes before them. Traces hold the settings that were used instead. */
  readonly knobs?: Readonly<Record<string, KnobValue>>
}

/** Access bits of a region. */
export const READ = 1
export const WRITE = 2
/** What the names of regions begin with that every program finds (guest/environment.ts). */
export const ENVIRONMENT = 'xm:'
export const EXECUTE = 4

/** A stretch of physical memory, in whole 4 KB pages: `start` and `sizeBytes` are multiples of 4096. */
export interface Region {
  readonly name: string
  readonly start: number
  readonly sizeBytes: number
  /** Initial contents; shorter than `sizeBytes`: the rest is 0. */
  readonly bytes: Uint8Array
  /** READ | WRITE | EXECUTE; an access outside every region, or without its bit, is a violation (`wild-access`, `wild-fetch`). */
  readonly access: number
}

export interface VcpuImage {
  /** Name of the entry function. */
  readonly name: string
  /** Register block, REGISTER_WORDS long (cpu/registers.ts): EIP at the entry, ESP at a return address that ends the actor. */
  readonly registers: Int32Array
}

/** An interrupt that may arrive at any instruction boundary of `vcpu` where it is deliverable. */
export interface InterruptSource {
  readonly name: string
  readonly vcpu: number
  /** 0-255, or NMI_VECTOR with `nmi`. */
  readonly vector: number
  readonly nmi: boolean
  /** How many may arrive in one execution; 0: any number. */
  readonly max: number
}

/** An instruction that is rewritten while it may run. */
export interface PatchSite {
  readonly name: string
  readonly address: number
  readonly sizeBytes: number
  /** Where one execution of the site may lead: call and jump targets; `address + sizeBytes` where falling through (a nop) is allowed. */
  readonly targets: readonly number[]
  /** An INT3 at the site is a legal intermediate state. */
  readonly int3: boolean
  /** Instead of targets: the byte strings, `sizeBytes` each, that may stand here; every instruction executed inside the site is one of one of them. */
  readonly forms?: readonly SiteForm[]
  /** Functions of which each pass over the site calls exactly one, once; absent: that is not said. */
  readonly calls?: readonly number[]
}

export interface SiteForm {
  readonly name: string
  readonly bytes: Uint8Array
}

/** KVM's steal time, as far as vCPUs go by it: vCPU n has its byte `preempted` (STEAL_PREEMPTED, STEAL_FLUSH) at `address` + n * `strideBytes`, physical. */
export interface StealTime {
  readonly address: number
  readonly strideBytes: number
}
export const STEAL_PREEMPTED = 1
/** The guest asks that the vCPU's translations be dropped before it runs again. */
export const STEAL_FLUSH = 2
export const STEAL_STRIDE_MAX = 4096

/** The first vCPU whose byte is not memory that can be written; -1: there is none. */
export function stealTimeMistake({ stealTime, vcpus, regions }: { readonly stealTime: StealTime | undefined; readonly vcpus: readonly unknown[]; readonly regions: readonly Region[] }): number {
  if (stealTime === undefined) return -1
  const { address, strideBytes } = stealTime
  const isWritable = (at: number) => regions.some(({ start, sizeBytes, access }) => at >= start && at < start + sizeBytes && (access & WRITE) !== 0)
  return vcpus.findIndex((_, v) => !isWritable((address >>> 0) + v * strideBytes))
}

export const CHECK_POINT_KINDS = ['assert', 'assume', 'choose', 'progress', 'reach', 'fail', 'belief', 'own', 'mode', 'forbids', 'dirty'] as const
export type CheckPointKind = (typeof CHECK_POINT_KINDS)[number]

/** A place in the guest that reports to the checker, `id` is what it passes in EDX (the address of its record); or a claim, which counts where it is judged. */
export interface CheckPoint {
  readonly id: number
  readonly kind: CheckPointKind
  readonly text: string
  readonly file: string
  readonly line: number
}

/** What a guest can believe of a vCPU: names of registers, or parts of them (explore/monitors/beliefs.ts). */
export const BELIEVED = ['cr0', 'cr3', 'cr4', 'ts', 'if', 'iopl', 'dr7', 'fs', 'gs', 'fsBase', 'gsBase', 'ldt', 'ldtBase'] as const
export type Believed = (typeof BELIEVED)[number]

interface ClaimHead extends NamedRange {
  /** Of its check point. */
  readonly id: number
}

/**
 * The guest takes this word, of up to 4 bytes, for a register of `vcpu`. `value` null: `bits` of one are those of the other. Else any of `bits`
 * says that the register is `value`, and none of them that it is not; with `mayBe` they say it only where they are clear.
 */
export interface Belief extends ClaimHead {
  readonly kind: 'belief'
  readonly vcpu: number
  readonly what: Believed
  readonly bits: number
  readonly value: number | null
  readonly mayBe: boolean
}

/** Memory that only `vcpu` accesses. */
export interface OwnMemory extends ClaimHead {
  readonly kind: 'own'
  readonly vcpu: number
}

/** The check point of the mode that XM_FORBIDS names: behind that of the claim. */
export const MODE_POINT = 1

/** While a vCPU is in a mode (`modeon`) that is named by `address`, it executes none of `functions`. */
export interface Forbids extends ClaimHead {
  readonly kind: 'forbids'
  readonly functions: readonly number[]
}

/** Entries of page tables whose dirty bits count: what a walk has set there is not overwritten unread. */
export interface DirtyBits extends ClaimHead {
  readonly kind: 'dirty'
}

/** What a program says of its memory at file scope, for monitors to hold it to. */
export type Claim = Belief | OwnMemory | Forbids | DirtyBits

export interface NamedRange {
  readonly name: string
  readonly address: number
  readonly sizeBytes: number
}

export interface Symbol32 extends NamedRange {
  readonly kind: 'function' | 'object' | 'label'
}

/** From `address` on, up to the next entry, code comes from `file`:`line` (line 0: unknown). Sorted by address. */
export interface LineEntry {
  readonly address: number
  readonly file: string
  readonly line: number
}

export interface InputFile {
  readonly name: string
  readonly bytes: Uint8Array
}
