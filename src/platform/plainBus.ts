/**
 * The memory port of a guest program that runs alone, for real: every access is done at once, on the pages of its
 * image. The cache of decoded code hears of every write to a page that code was decoded from.
 *
 * ```
 *  pages[physical >>> 12]   0: unmapped; else offset of the page in `bytes` | 8 | READ WRITE EXECUTE (smp/image.ts)
 *                           | DIRECT_WRITE where it can be written and no code was decoded from it
 * ```
 */
import type { Bus } from '../cpu/bus.ts'
import { STOP_VIOLATION } from '../cpu/bus.ts'
import { CodeCache, type Block } from '../cpu/codeCache.ts'
import type { Cpu } from '../cpu/cpu.ts'
import { DIRECT_WRITE, type DirectMemory } from '../cpu/directMemory.ts'
import type { CpuClass } from '../cpu/classes.ts'
import { GUEST_CALLS } from '../smp/guestCalls.ts'
import { EXECUTE, READ, WRITE, type MachineImage } from '../smp/image.ts'
import { PageMap, PAGE_BYTES } from '../smp/memory.ts'
import { ImmediateBus } from './immediateBus.ts'

const MAPPED = 8
const IN_PAGE = PAGE_BYTES - 1

/** Why a plain run stopped before its end; `kind` as the machine names the same violation. */
export interface PlainStop {
  readonly kind: 'wild-access' | 'wild-fetch' | 'assertion' | 'assumption' | 'unhandled-exception' | 'triple-fault' | 'halted' | 'not-alone' | 'limit'
  readonly message: string
}

export class PlainBus extends ImmediateBus implements Bus, DirectMemory {
  cpu!: Cpu
  readonly bytes: Uint8Array
  readonly halves: Uint16Array
  readonly words: Int32Array
  readonly pages = new Int32Array(1 << 20)
  readonly code: CodeCache
  /** The program has made its last call. */
  ended = false
  stop: PlainStop | null = null

  constructor(image: MachineImage, cls: CpuClass) {
    super()
    const map = new PageMap(image.regions)
    this.bytes = new Uint8Array(map.sizeBytes)
    this.words = new Int32Array(this.bytes.buffer)
    this.halves = new Uint16Array(this.bytes.buffer)
    this.code = new CodeCache(this.bytes, 0, map.sizeBytes / PAGE_BYTES, cls)
    for (const { start, sizeBytes, bytes } of image.regions) {
      for (let at = 0; at < sizeBytes; at += PAGE_BYTES) {
        const access = map.access(start + at)
        this.pages[(start + at) >>> 12] = map.find(start + at) | MAPPED | access | ((access & WRITE) !== 0 ? DIRECT_WRITE : 0)
      }
      for (let at = 0; at < bytes.length; at += PAGE_BYTES) this.bytes.set(bytes.subarray(at, at + PAGE_BYTES), map.find(start + at))
    }
  }

  /** Index in `bytes`, or -1 with a stop. */
  #find(physical: number, access: number): number {
    const entry = this.pages[physical >>> 12]
    if ((entry & access) !== 0) return (entry & ~IN_PAGE) | (physical & IN_PAGE)
    this.refuse('wild-access', `${access === WRITE ? 'writes' : 'reads'} memory at 0x${(physical >>> 0).toString(16)}, which ${entry === 0 ? 'nothing is mapped at' : 'may not be'}`)
    return -1
  }

  #findWritable(physical: number): number {
    const at = this.#find(physical, WRITE)
    if (at >= 0 && (this.pages[physical >>> 12] & DIRECT_WRITE) === 0) this.code.written(at >>> 12)
    return at
  }

  /** The block at a physical address; null: nothing may be executed there, or the instruction goes on in the next page. */
  blockAt(physical: number, code32: boolean): Block | null {
    const entry = this.pages[physical >>> 12]
    if ((entry & EXECUTE) === 0) return null
    // From here on writes of the page do not go past the cache.
    this.pages[physical >>> 12] &= ~DIRECT_WRITE
    return this.code.at((entry & ~IN_PAGE) | (physical & IN_PAGE), physical, code32)
  }

  refuse(kind: PlainStop['kind'], message: string): void {
    this.cpu.stop = STOP_VIOLATION
    this.stop ??= { kind, message }
  }

  read8(physical: number): number {
    const at = this.#find(physical, READ)
    return at < 0 ? 0 : this.bytes[at]
  }
  read16(physical: number): number {
    const at = this.#find(physical, READ)
    return at < 0 ? 0 : this.bytes[at] | (this.bytes[at + 1] << 8)
  }
  read32(physical: number): number {
    const at = this.#find(physical, READ)
    if (at < 0) return 0
    if ((at & 3) === 0) return this.words[at >> 2]
    const { bytes } = this
    return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
  }
  read64(physical: number): number {
    this.high = this.read32((physical + 4) | 0)
    return this.read32(physical)
  }
  write8(physical: number, value: number): void {
    const at = this.#findWritable(physical)
    if (at >= 0) this.bytes[at] = value
  }
  write16(physical: number, value: number): void {
    const at = this.#findWritable(physical)
    if (at < 0) return
    this.bytes[at] = value
    this.bytes[at + 1] = value >>> 8
  }
  write32(physical: number, value: number): void {
    const at = this.#findWritable(physical)
    if (at < 0) return
    if ((at & 3) === 0) this.words[at >> 2] = value
    else for (let b = 0; b < 4; b++) this.bytes[at + b] = value >>> (8 * b)
  }
  write64(physical: number, low: number, high: number): void {
    this.write32(physical, low)
    this.write32((physical + 4) | 0, high)
  }

  walkOr(physical: number, bits: number): void {
    const value = this.read32(physical)
    if (this.cpu.stop === 0) this.write32(physical, value | bits)
  }

  // As in the explored machine (smp/vcpuBus.ts): no device on the ports, one value of the TSC, no MSRs but the CPU's.
  in(_port: number, sizeBytes: number): number {
    return sizeBytes === 4 ? -1 : (1 << (sizeBytes * 8)) - 1
  }
  out(): void {}
  tsc(): number {
    this.high = 0
    return 0
  }
  readMsr(): boolean {
    return false
  }
  writeMsr(): boolean {
    return false
  }
  /** The calls that mean something for a program alone (smp/guestServices.ts has all); data choices take the first way. */
  guestCall(call: number, eax: number, edx: number): number {
    switch (call) {
      case GUEST_CALLS.exit:
        this.ended = true
        return eax
      case GUEST_CALLS.assert:
        if (eax === 0) this.refuse('assertion', `assertion 0x${(edx >>> 0).toString(16)} failed`)
        return eax
      case GUEST_CALLS.assume:
        if (eax === 0) this.refuse('assumption', 'an assumption does not hold')
        return eax
      case GUEST_CALLS.choose:
      case GUEST_CALLS.vcpu:
        return 0
      case GUEST_CALLS.ipi:
      case GUEST_CALLS.nmi:
      case GUEST_CALLS.kick:
      case GUEST_CALLS.block:
      case GUEST_CALLS.halt:
        this.refuse('not-alone', `calls the checker for interrupts or kicks (call ${call}), which a program alone has nobody for`)
        return 0
      default:
        return eax
    }
  }
}
