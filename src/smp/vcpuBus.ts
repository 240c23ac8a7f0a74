/**
 * The memory port of one vCPU in the explored machine: decides, access by access, whether an instruction may go on or must
 * let the others run first (attempt.ts; translatingAttempt.ts for walks of page tables).
 */
import type { Bus } from '../cpu/bus.ts'
import { CR0, CR0_PG, ESP } from '../cpu/registers.ts'
import { FP_FENCE, FP_READ, FP_RESOURCE_READ, FP_VARIES, FP_WRITE, RESOURCE_HISTORY } from './footprint.ts'
import { READ, WRITE } from './image.ts'
import type { Board } from './board.ts'
import { AT_ENTRY, AT_FENCE, AT_LOAD, AT_LOCKED, AT_SERIALIZE, AT_STORE } from './layout.ts'
import { BY_LOCKED } from './memory.ts'
import { flushCaches, noteUncached } from './specialMemory.ts'
import { UNCACHED_STORE } from './storeBuffer.ts'
import { TranslatingAttempt } from './translatingAttempt.ts'

export class VcpuBus extends TranslatingAttempt implements Bus {
  /** The region of memory that the vCPU's stack is in when it starts. */
  readonly #stackFrom: number
  readonly #stackTo: number

  constructor(machine: Board, vcpu: number, base: number) {
    super(machine, vcpu, base)
    const top = (machine.image.vcpus[vcpu].registers[ESP] - 1) >>> 0
    const stack = machine.image.regions.find(({ start, sizeBytes }) => top >= start && top < start + sizeBytes)
    this.#stackFrom = stack === undefined ? 0 : stack.start
    this.#stackTo = stack === undefined ? 0 : stack.start + stack.sizeBytes
  }

  read8(physical: number): number {
    return this.#read(physical, 1)
  }
  read16(physical: number): number {
    return this.#read(physical, 2)
  }
  read32(physical: number): number {
    return this.#read(physical, 4)
  }
  read64(physical: number): number {
    return this.#read(physical, 8)
  }
  write8(physical: number, value: number): void {
    this.#write(physical, 1, value & 0xff, 0)
  }
  write16(physical: number, value: number): void {
    this.#write(physical, 2, value & 0xffff, 0)
  }
  write32(physical: number, value: number): void {
    this.#write(physical, 4, value, 0)
  }
  write64(physical: number, low: number, high: number): void {
    this.#write(physical, 8, low, high)
  }

  orderStores(): void {
    if (!this.machine.model.storesOvertake || this.buffer.count === 0) return
    this.machine.quiet = false
    this.buffer.keepOrder()
  }

  fence(): void {
    if (this.cpu.stop !== 0 || this.replayed()) return
    if (this.buffer.count > 0) return this.park(AT_FENCE, 0, 0, 1)
    this.machine.footprint.add(FP_FENCE, 0, 0)
    this.record(0)
  }

  serialize(): void {
    if (this.cpu.stop !== 0 || this.replayed()) return
    const machine = this.machine
    if (this.buffer.count > 0) return this.park(AT_SERIALIZE, 0, 0, 1)
    machine.footprint.add(FP_FENCE, 0, 0)
    if (machine.fetchIsVisible && this.running) {
      if (!this.gate(AT_SERIALIZE, 0, 0, 1)) return
      machine.fetchView.serialize(this.vcpu)
      machine.quiet = false
      machine.footprint.add(FP_RESOURCE_READ, RESOURCE_HISTORY, 0)
      this.observe('serialize', 0, 0, 0)
    }
    this.record(0)
  }

  /** A jump on a CPU with a prefetch queue: own stores to code are executed after it, so those that are buffered drain first. */
  branch(): void {
    const machine = this.machine
    if (!machine.fetchIsVisible || !this.running) return
    if (this.#storesToOwnCode()) this.fence()
    if (this.cpu.stop === 0) machine.onBranch(this.vcpu)
  }

  #storesToOwnCode(): boolean {
    const { memory, sharing } = this.machine
    for (let k = 0; k < this.buffer.count; k++) {
      const at = memory.index(this.buffer.address(k))
      const last = memory.granule(at + this.buffer.size(k) - 1)
      for (let g = memory.granule(at); g <= last; g++) if ((sharing.fetchers[g] & this.bit) !== 0) return true
    }
    return false
  }

  flushCaches(): void {
    this.#flush(null)
  }
  flushLine(physical: number): void {
    this.#flush(physical)
  }
  #flush(physical: number | null): void {
    if (this.cpu.stop !== 0 || this.replayed()) return
    const machine = this.machine
    // Otherwise it matters to nobody.
    if (this.running && machine.sharing.uncachedLines.length > 0) {
      machine.memo.abandon()
      if (!this.gate(AT_SERIALIZE, 0, 0, 1)) return
      machine.quiet = false
      flushCaches(machine, this.vcpu, physical)
    }
    this.record(0)
  }

  // No device answers on the ports: reads float high, writes are lost.
  in(_port: number, sizeBytes: number): number {
    return sizeBytes === 4 ? -1 : (1 << (sizeBytes * 8)) - 1
  }
  out(): void {}

  tsc(): number {
    this.machine.quiet = false
    this.machine.weaken('RDTSC was read: only one value of it is explored')
    this.high = 0
    return 0
  }

  readMsr(): boolean {
    return false
  }
  writeMsr(): boolean {
    return false
  }
  hypercall(): boolean {
    return false
  }

  guestCall(number: number, eax: number, edx: number, _ecx: number): number {
    if (this.cpu.stop !== 0) return 0
    if (this.isReplaying) return this.nextAnswer()
    const result = this.machine.guestCall(this.vcpu, this, number, eax, edx)
    if (this.cpu.stop === 0) this.record(result)
    return result
  }

  /** The address, unsigned, is in the region that the vCPU's stack is in when it starts. */
  isStack(physical: number): boolean {
    return physical >= this.#stackFrom && physical < this.#stackTo
  }

  #read(physical: number, sizeBytes: number): number {
    if (this.cpu.stop !== 0) return 0
    const cut = this.locked ? 0 : this.machine.cut(physical, sizeBytes)
    if (cut !== 0) return this.#readHalves(physical, sizeBytes, cut)
    if (this.isReplaying) {
      const value = this.nextAnswer()
      if (sizeBytes === 8) this.high = this.nextAnswer()
      return value
    }
    const at = this.check(physical, READ, 'memory')
    if (at < 0) return 0
    const machine = this.machine
    const memory = machine.memory
    this.#noteUncached(physical, sizeBytes)
    const entries = this.readsEntries(at, sizeBytes)
    const walks = entries ? this.findWalksAhead(physical, sizeBytes) : 0
    const visible = this.#seenRead(at, sizeBytes)
    if (this.cpu.stop !== 0) return 0
    if ((machine.sharing.writers[memory.granule(at)] & this.bit) === 0) machine.foreignLoads++
    const low = Math.min(4, sizeBytes)
    let value = memory.load(at, low)
    this.high = sizeBytes === 8 ? memory.load(at + 4, 4) : 0
    if (this.locked) {
      if (!this.#openLock(visible, physical, sizeBytes, entries ? AT_ENTRY : AT_LOCKED, walks + 1)) return 0
      if (visible) {
        if (walks > 0) value = this.#afterWalk(at, low, sizeBytes)
        machine.footprint.add(FP_READ, physical, sizeBytes)
        this.observe('locked-load', physical, sizeBytes, value)
      }
    } else if (visible) {
      if (machine.model.partialWait && !this.buffer.coversOrMisses(physical, sizeBytes)) {
        this.park(AT_LOAD, physical, sizeBytes, 1)
        return 0
      }
      if (!this.gate(entries ? AT_ENTRY : AT_LOAD, physical, sizeBytes, walks + 1)) return 0
      if (walks > 0) value = this.#afterWalk(at, low, sizeBytes)
      value = this.buffer.forward(physical, low, value)
      if (sizeBytes === 8) this.high = this.buffer.forward(physical + 4, 4, this.high)
      machine.footprint.addLoad(this.buffer, physical, sizeBytes, machine.model.partialWait)
      this.observe('load', physical, sizeBytes, value)
    }
    this.record(value)
    if (sizeBytes === 8) this.record(this.high)
    machine.onAccess(this.vcpu, physical, sizeBytes, false)
    return value
  }

  /** What memory holds once the walk ahead has been made that the event says; the high dword in `high`. */
  #afterWalk(at: number, low: number, sizeBytes: number): number {
    this.takeWalkAhead()
    if (sizeBytes === 8) this.high = this.machine.memory.load(at + 4, 4)
    return this.machine.memory.load(at, low)
  }

  /** Notes a load of the running phase; true where others can see it. */
  #seenRead(at: number, sizeBytes: number): boolean {
    if (!this.running) return false
    const machine = this.machine
    const memory = machine.memory
    const visible = machine.sharing.noteRead(memory.granule(at), memory.granule(at + sizeBytes - 1), this.bit)
    if (visible) machine.distrustCode(this.vcpu)
    return visible
  }

  /**
   * A load across an atomicity boundary: two events, in either order. Answers: the order (1: high half
   * first), then the bytes of each half as they come, a word for up to 4.
   */
  #readHalves(physical: number, sizeBytes: number, cut: number): number {
    const at = this.isReplaying ? this.machine.memory.index(physical) : this.check(physical, READ, 'memory')
    if (at < 0) return 0
    this.#noteUncached(physical, sizeBytes)
    const visible = this.#seenRead(at, sizeBytes)
    if (this.cpu.stop !== 0) return 0
    let low = 0
    let high = 0
    for (let half = -1; half < 2; half++) {
      if (half === -1) {
        if (this.isReplaying) this.way = this.nextAnswer()
        else {
          if (!visible) this.way = 0
          else if (!this.gate(AT_LOAD, physical, sizeBytes, 2)) return 0
          this.record(this.way)
        }
        this.#order = this.way
        continue
      }
      const from = half === this.#order ? 0 : cut
      const to = half === this.#order ? cut : sizeBytes
      if (half === 1 && visible && !this.isReplaying && !this.gate(AT_LOAD, physical + from, to - from, 1)) return 0
      for (let b = from; b < to;) {
        const count = Math.min(4 - (b & 3), to - b)
        const value = this.#halfWord(physical + b, at + b, count)
        if (b < 4) low |= value << (b * 8)
        else high |= value << ((b - 4) * 8)
        b += count
      }
    }
    this.high = high
    return low
  }
  #order = 0

  #halfWord(physical: number, at: number, count: number): number {
    if (this.isReplaying) return this.nextAnswer()
    if (this.readsEntries(at, count) && this.findWalksAhead(physical, count) > 0)
      this.machine.weaken('a load in two halves read a page-table entry with A clear: that a walk ahead of accesses may have set it is not explored')
    const value = this.buffer.forward(physical, count, this.machine.memory.load(at, count))
    this.machine.footprint.addLoad(this.buffer, physical, count, this.machine.model.partialWait)
    this.observe('load', physical, count, value)
    this.record(value)
    this.machine.onAccess(this.vcpu, physical, count, false)
    return value
  }

  #write(physical: number, sizeBytes: number, low: number, high: number): void {
    if (this.cpu.stop !== 0 || this.replayed()) return
    const at = this.check(physical, WRITE, 'memory')
    if (at < 0) return
    const machine = this.machine
    const memory = machine.memory
    const changes = !this.locked || !memory.holds(at, sizeBytes, low, high)
    this.#noteUncached(physical, sizeBytes)
    let visible = false
    if (this.running) visible = machine.sharing.noteWrite(memory.granule(at), memory.granule(at + sizeBytes - 1), this.bit)
    const alias = this.#aliasOf(memory.granule(at))
    if (visible) machine.distrustCode(this.vcpu)
    const inStack = this.isStack(physical >>> 0)
    if (inStack && this.running && physical >>> 0 >= this.cpu.r[ESP] >>> 0) machine.sharing.noteFramed(memory.granule(at), memory.granule(at + sizeBytes - 1))
    if (changes && (visible || !inStack)) machine.quiet = false
    if (this.locked) {
      if (!this.#openLock(visible, physical, sizeBytes, AT_LOCKED, 1)) return
      if (visible) {
        // A failed compare is a read: what it writes was there.
        machine.footprint.add(this.cpu.compareFailed ? FP_VARIES : FP_WRITE, physical, sizeBytes)
        this.observe('locked-store', physical, sizeBytes, low)
      }
      machine.writeMemory(this.vcpu, physical, sizeBytes, low, high, alias, BY_LOCKED)
    } else if (!visible) {
      machine.privateStores++
      machine.writeMemory(this.vcpu, physical, sizeBytes, low, high, alias)
    } else if (!this.#enqueue(physical, sizeBytes, low, high, alias)) return
    if (visible && changes) machine.effect = true
    this.record(0)
    machine.onAccess(this.vcpu, physical, sizeBytes, true)
  }

  #noteUncached(physical: number, sizeBytes: number): void {
    if (this.cpu.uncached && this.running) noteUncached(this.machine, physical, sizeBytes)
  }

  /** Through which alias of its page the store at hand is made; 0 where that does not matter. */
  #aliasOf(granule: number): number {
    const { model, sharing } = this.machine
    if (!model.matchesLinear || (this.cpu.r[CR0] & CR0_PG) === 0) return 0
    if (this.running) sharing.noteStoredThrough(granule, this.vcpu, this.cpu.storeAlias)
    return this.cpu.storeAlias
  }

  #enqueue(physical: number, sizeBytes: number, low: number, high: number, alias: number): boolean {
    const machine = this.machine
    const how = this.cpu.uncached ? alias | UNCACHED_STORE : alias
    const cut = machine.cut(physical, sizeBytes)
    const room = machine.model.storeBuffer - this.buffer.count
    if ((machine.model.sc && this.buffer.count > 0) || room < (cut === 0 ? 1 : 2)) {
      if (!machine.model.sc) machine.weaken(`a store buffer was full (storeBuffer=${machine.model.storeBuffer})`)
      this.park(AT_STORE, physical, sizeBytes, 1)
      return false
    }
    if (cut === 0) {
      // Whether the vCPU lost its pCPU before or behind the store can be told: the buffer is emptied with it.
      if (machine.sharesPcpus && !this.gate(AT_STORE, physical, sizeBytes, 1)) return false
      this.buffer.push(physical, sizeBytes, low, high, how)
      // After a fence that had to wait, a store comes before the step's event: it may drain before that event, so the step ends.
      this.endStep()
    } else {
      if (!this.gate(AT_STORE, physical, sizeBytes, 2)) return false
      const highHalf = shiftRight(low, high, cut)
      if (this.way === 1) this.buffer.push(physical + cut, sizeBytes - cut, highHalf[0], highHalf[1], how)
      this.buffer.push(physical, cut, low, high, how)
      if (this.way === 0) this.buffer.push(physical + cut, sizeBytes - cut, highHalf[0], highHalf[1], how)
    }
    this.observe('store', physical, sizeBytes, low)
    return true
  }

  /** Locked accesses: an empty buffer, and one event for all of them. */
  #openLock(visible: boolean, physical: number, sizeBytes: number, pending: number, ways: number): boolean {
    if (this.lockOpen) return true
    if (this.buffer.count > 0) {
      this.park(AT_LOCKED, physical, sizeBytes, 1)
      return false
    }
    this.machine.footprint.add(FP_FENCE, 0, 0)
    if (!visible) return true
    if (!this.gate(pending, physical, sizeBytes, ways)) return false
    this.lockOpen = true
    return true
  }
}

/** The 64-bit value shifted right by `bytes`, as [low, high]. */
function shiftRight(low: number, high: number, bytes: number): [number, number] {
  if (bytes >= 4) return [bytes === 4 ? high : high >>> ((bytes - 4) * 8), 0]
  return [(low >>> (bytes * 8)) | (high << (32 - bytes * 8)), high >>> (bytes * 8)]
}
