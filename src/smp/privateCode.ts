/**
 * Blocks of code that a vCPU may run without looking up between instructions (cpu/runBlocks.ts): it has fetched all of it before, and
 * nobody else's stores can be seen in it. Memory changes by undoing too, and what is shared is learnt as one goes, so a block is
 * looked at again in every step that uses it, and after every visible access.
 */
import { CodeCache, type Block } from '../cpu/codeCache.ts'
import type { Cpu } from '../cpu/cpu.ts'
import type { DirectMemory } from '../cpu/directMemory.ts'
import { EIP } from '../cpu/registers.ts'
import { runBlocks, type Code } from '../cpu/runBlocks.ts'
import type { Board } from './board.ts'
import { EXECUTE } from './image.ts'
import { PAGE_BYTES, type Memory } from './memory.ts'
import type { Sharing } from './sharing.ts'
import type { VcpuBus } from './vcpuBus.ts'

/** Every access goes to the bus, which decides whether it is an event. */
const NOTHING_DIRECT: DirectMemory = { pages: new Int32Array(0), bytes: new Uint8Array(0), halves: new Uint16Array(0), words: new Int32Array(0) }
const NO_SEGMENT = 0

export class PrivateCode implements Code {
  readonly cache: CodeCache
  readonly #cpu: Cpu
  readonly #bus: VcpuBus
  readonly #memory: Memory
  readonly #sharing: Sharing
  readonly #bit: number
  /** Fetches are noted: the vCPUs run. */
  #noted = true
  #trusted = false

  constructor(vcpu: number, cpu: Cpu, bus: VcpuBus, { memory, sharing }: Board) {
    this.#cpu = cpu
    this.#bus = bus
    this.#memory = memory
    this.#sharing = sharing
    this.#bit = 1 << vcpu
    this.cache = new CodeCache(memory.u8, memory.firstByte, memory.map.sizeBytes / PAGE_BYTES, cpu.cls)
  }

  /** Runs blocks from EIP on, at most `budget` instructions; returns how many completed, `cpu.stop` says why not more. */
  run(budget: number, noted: boolean): number {
    const cpu = this.#cpu
    this.#noted = noted
    if (!this.#trusted) this.cache.distrust()
    this.#trusted = true
    cpu.stop = 0
    const block = this.find(cpu.r[EIP])
    return block === null ? 0 : runBlocks(cpu, block, budget, this, NOTHING_DIRECT, NO_SEGMENT)
  }

  find(eip: number): Block | null {
    const memory = this.#memory
    const at = memory.index(eip)
    if (at < 0 || !this.#isPrivate(memory.granule(at)) || !memory.allows(eip, EXECUTE)) return null
    const block = this.cache.at(at - memory.firstByte, eip, true)
    if (block === null) return null
    const last = memory.granule(at + block.bytes.length - 1)
    for (let g = memory.granule(at); g <= last; g++)
      if (!this.#isPrivate(g)) {
        // It must be asked for again.
        block.version = -1
        return null
      }
    return block
  }

  /** Memory may have changed, or what is shared: a block that runs ends, and each is looked at again before it runs. */
  distrust(): void {
    this.#trusted = false
    this.cache.running.stale = true
  }

  attempt(): void {
    this.#bus.beginAttempt()
  }

  #isPrivate(granule: number): boolean {
    return !this.#noted || ((this.#sharing.fetchers[granule] & this.#bit) !== 0 && this.#sharing.shared[granule] === 0)
  }
}
