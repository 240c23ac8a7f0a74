/**
 * Runs the program of a machine image with one vCPU alone and for real: init function, vCPU, final function. The same
 * registers and memory as the explored machine ends in (smp/machine.ts), without its choices, log and hashes.
 */
import { STOP_FAULT } from '../cpu/bus.ts'
import type { Block, CodeCache } from '../cpu/codeCache.ts'
import { Cpu } from '../cpu/cpu.ts'
import { decode, type Op } from '../cpu/decode.ts'
import { ACTIVE, ACTIVITY, ATTR_BIG, CR0, CR0_PG, CS, EIP, EVENT, EVENT_VALID, REGISTER_WORDS, SEG_ATTR, SHUTDOWN } from '../cpu/registers.ts'
import { canRunBlocks, flatSegments, runBlocks, type Code } from '../cpu/runBlocks.ts'
import { InputError } from '../guest/inputError.ts'
import { EXECUTE, type MachineImage } from '../smp/image.ts'
import { PAGE_BYTES } from '../smp/memory.ts'
import type { Model } from '../smp/model.ts'
import { PlainBus, type PlainStop } from './plainBus.ts'

/** Instructions between two checks of a recording. */
export const CHECK_EVERY = 10_000
const IN_PAGE = PAGE_BYTES - 1

/** What a run did, to be compared with when it is done again. */
export interface PlainRecording {
  /** Instructions of each slice; all but the last have the same number. */
  readonly slices: number[]
  /** Hash of the registers after each. */
  readonly checks: number[]
}

export class PlainRun implements Code {
  readonly bus: PlainBus
  readonly cache: CodeCache
  readonly cpu: Cpu
  /** Instructions completed. */
  instructions = 0
  /** Functions still to run, first to last. */
  readonly #phases: Int32Array[]
  readonly #handled: ReadonlySet<number>
  readonly #scratch = new Uint8Array(16)

  /** @throws InputError where the program has more than one vCPU */
  constructor(image: MachineImage, model: Model) {
    if (image.vcpus.length !== 1) throw new InputError(image.title, `has ${image.vcpus.length} vCPUs`, 'a program that runs alone has one: name it with --vcpus')
    this.#phases = [...(image.init === null ? [] : [image.init]), image.vcpus[0].registers, ...(image.final === null ? [] : [image.final])]
    this.#handled = new Set(image.handledVectors)
    this.bus = new PlainBus(image, model.cpu)
    this.cache = this.bus.code
    this.cpu = new Cpu(new Int32Array(REGISTER_WORDS), 0, this.bus, model.cpu, model.undefinedFlags)
    this.bus.cpu = this.cpu
    this.bus.ended = true
  }

  get stopped(): PlainStop | null {
    return this.bus.stop
  }
  /** The program has run to its end. */
  get ended(): boolean {
    return this.bus.ended && this.#phases.length === 0
  }

  /** Executes at most `count` instructions; fewer at the end, or where the program stops. Returns how many. */
  advance(count: number): number {
    const before = this.instructions
    while (this.instructions - before < count && this.bus.stop === null) {
      if (this.bus.ended) {
        const next = this.#phases.shift()
        if (next === undefined) break
        this.cpu.r.set(next)
        this.bus.ended = false
      }
      this.#run(count - (this.instructions - before))
    }
    return this.instructions - before
  }

  #run(count: number): void {
    const { cpu, bus } = this
    const { r } = cpu
    let done = 0
    while (done < count) {
      if ((r[CR0] & CR0_PG) === 0 && canRunBlocks(cpu)) {
        const block = this.find(r[EIP])
        if (block !== null) {
          done += runBlocks(cpu, block, count - done, this, bus, flatSegments(r))
          if (cpu.stop !== 0) {
            if (!this.#fault()) break
            continue
          }
          if (done === count) break
        }
      }
      // What may not stand in a block, or no block fits in.
      const op = this.#fetch()
      bus.locked = false
      if (op !== null) cpu.execute(op)
      if (cpu.stop === 0) done++
      else if (!this.#fault()) break
      if ((r[EVENT] & EVENT_VALID) !== 0 && !this.#deliver()) break
      if (bus.ended) break
      if (r[ACTIVITY] !== ACTIVE) {
        bus.refuse('halted', 'HLT: nothing will wake a program that runs alone')
        break
      }
    }
    this.instructions += done
  }

  /** For `runBlocks`: without paging linear addresses are physical ones. */
  find(eip: number): Block | null {
    return this.bus.blockAt(eip, true)
  }

  attempt(): void {}

  /** The operation at EIP; null: `cpu.stop` says why not. */
  #fetch(): Op | null {
    const { cpu, bus } = this
    const { r } = cpu
    cpu.stop = 0
    const code32 = (r[SEG_ATTR + CS] & ATTR_BIG) !== 0
    const start = cpu.fetchPhysical(r[EIP])
    if (cpu.stop !== 0) return null
    const block = bus.blockAt(start, code32)
    if (block !== null) return block.first
    // An instruction that goes on in the next page is decoded each time: a write there is not seen by the cache.
    for (let length = 0; length < 16; length++) {
      const physical = cpu.fetchPhysical((r[EIP] + length) | 0)
      if (cpu.stop !== 0) return null
      const entry = bus.pages[physical >>> 12]
      if ((entry & EXECUTE) === 0) {
        bus.refuse('wild-fetch', `executes at 0x${(physical >>> 0).toString(16)}, which is not mapped as code`)
        return null
      }
      this.#scratch[length] = bus.bytes[(entry & ~IN_PAGE) | (physical & IN_PAGE)]
      const op = decode(this.#scratch, 0, length + 1, code32)
      if (op.length !== 0) return op
    }
    throw new Error('an instruction of more than 15 bytes was not refused by the decoder')
  }

  /** A fault becomes the event to deliver. False: the run is over. */
  #fault(): boolean {
    const { cpu, bus } = this
    if (cpu.stop !== STOP_FAULT) return false
    if (!this.#handled.has(cpu.faultVector)) {
      bus.refuse('unhandled-exception', `exception ${cpu.faultVector} at 0x${(cpu.r[EIP] >>> 0).toString(16)} has no handler${cpu.remark === null ? '' : ` (${cpu.remark})`}`)
      return false
    }
    cpu.raise()
    return this.#deliver()
  }

  #deliver(): boolean {
    const { cpu, bus } = this
    while ((cpu.r[EVENT] & EVENT_VALID) !== 0) {
      if (cpu.r[ACTIVITY] === SHUTDOWN) {
        bus.refuse('triple-fault', `triple fault at 0x${(cpu.r[EIP] >>> 0).toString(16)}`)
        return false
      }
      const vector = cpu.r[EVENT] & 0xff
      if (!this.#handled.has(vector)) {
        bus.refuse('unhandled-exception', `exception or interrupt ${vector} at 0x${(cpu.r[EIP] >>> 0).toString(16)} has no handler`)
        return false
      }
      cpu.stop = 0
      bus.locked = false
      cpu.deliver()
      if (cpu.stop === STOP_FAULT) cpu.raise()
      else if (cpu.stop !== 0) return false
    }
    return true
  }

  /** Runs to the end, or to `limit` instructions, in slices; notes a check after each. */
  record(limit: number): PlainRecording {
    const recording: PlainRecording = { slices: [], checks: [] }
    for (;;) {
      const done = this.advance(Math.min(CHECK_EVERY, limit - this.instructions))
      if (done === 0) return recording
      recording.slices.push(done)
      recording.checks.push(this.check())
    }
  }

  /** Runs as recorded; the number of the first slice (from 0) that ends otherwise, -1: none does. */
  replay({ slices, checks }: PlainRecording): number {
    for (let k = 0; k < slices.length; k++) if (this.advance(slices[k]) !== slices[k] || this.check() !== checks[k]) return k
    return -1
  }

  /** Hash of registers and instruction count. */
  check(): number {
    return hashWords(this.instructions | 0, this.cpu.r, 0, REGISTER_WORDS)
  }
  /** Hash of what the program leaves: registers and memory. */
  hash(): number {
    return stateHash(this.cpu.r, this.bus.words, 0, this.bus.words.length)
  }
}

/** 32-bit hash of a register block and `count` words of memory from `first` on. */
export function stateHash(r: Int32Array, words: Int32Array, first: number, count: number): number {
  return hashWords(hashWords(0x811c9dc5, r, 0, REGISTER_WORDS), words, first, count) >>> 0
}

function hashWords(seed: number, words: Int32Array, first: number, count: number): number {
  let h = seed
  for (let k = first; k < first + count; k++) {
    h = Math.imul(h ^ words[k], 0x9e3779b1)
    h ^= h >>> 15
  }
  return h
}
