/**
 * How one vCPU of the explored machine finds addresses: walks of page tables that others may change, cached translations that it may use instead
 * (translations.ts), and their invalidation.
 */
import { A, CACHED_DIRECTORY, CACHED_PAGE, NOT_CACHED, type Walk } from '../cpu/paging.ts'
import { Attempt } from './attempt.ts'
import type { EventKind } from './events.ts'
import { FP_MEMORY_READ, FP_VARIES, FP_WRITE } from './footprint.ts'
import { READ, WRITE } from './image.ts'
import { AT_LOAD, AT_SERIALIZE, AT_TRANSLATE, PHASE, PHASE_FINAL } from './layout.ts'
import { BY_WALKER } from './memory.ts'
import { WALKER } from './sharing.ts'

export class TranslatingAttempt extends Attempt {
  high = 0
  low = 0
  /** Others may change what the walk at hand reads. */
  #walkSeen = false
  /** The walk at hand began in an earlier step: its entries may be of different ages. */
  #walkSpans = false
  /** It has set accessed or dirty bits. */
  #walkMarks = false

  walk32(physical: number): number {
    return this.#walk(physical, 4)
  }
  walk64(physical: number): number {
    return this.#walk(physical, 8)
  }

  walkMark(physical: number, bits: number, expected: number): boolean {
    if (this.cpu.stop !== 0) return false
    if (this.isReplaying) return this.#marked(this.nextAnswer() === 1)
    if (this.peeking) {
      this.unready = true
      return true
    }
    if (!this.#openWalkUpdate(physical)) return false
    const unchanged = this.machine.memory.load(this.machine.memory.index(physical), 4) === expected
    if (unchanged) this.#orMemory(physical, bits)
    else {
      const { footprint, memory } = this.machine
      footprint.add(FP_MEMORY_READ, physical, 4)
      footprint.add(FP_VARIES, 0, 0)
      if (bits === A) this.#weakenWhereSetAhead()
      this.observe('walk', physical, 4, memory.load(memory.index(physical), 4))
    }
    this.record(unchanged ? 1 : 0)
    return this.#marked(unchanged)
  }
  /**
   * Had a walk ahead set the bit before, this one would have gone on with an entry that is gone. What that gives is what a cached directory entry, or
   * translation, gives: unless those are not cached.
   */
  #weakenWhereSetAhead(): void {
    const { model } = this.machine
    if (model.tlb === 'leaf' && model.tlbSpeculative === 'any') this.machine.weaken('an entry with A clear changed during a page walk: that a walk ahead had set A by then is not explored (tlb=leaf)')
  }
  #marked(done: boolean): boolean {
    this.#walkMarks ||= done
    return done
  }

  walkOr(physical: number, bits: number): void {
    if (this.cpu.stop !== 0 || this.replayed() || !this.#openWalkUpdate(physical)) return
    this.#orMemory(physical, bits)
    this.record(0)
  }

  /** A locked update by the processor itself, of the dword at `physical`; false: not now. */
  #openWalkUpdate(physical: number): boolean {
    const at = this.check(physical, WRITE, 'page-table entry')
    if (at < 0) return false
    const machine = this.machine
    const g = machine.memory.granule(at)
    const seen = machine.sharing.noteRead(g, g, WALKER)
    const visible = (machine.sharing.noteWrite(g, g, this.bit) || seen) && this.running
    return !visible || this.gate(AT_LOAD, physical, 4, 1)
  }

  #orMemory(physical: number, bits: number, kind: EventKind = 'locked-store', text = ''): void {
    const machine = this.machine
    const value = machine.memory.load(machine.memory.index(physical), 4) | bits
    machine.quiet = false
    machine.effect = true
    this.noteActed()
    machine.footprint.add(FP_MEMORY_READ, physical, 4)
    machine.footprint.add(FP_WRITE, physical, 4)
    machine.writeMemory(this.vcpu, physical, 4, value, 0, 0, BY_WALKER)
    if (machine.observer !== null && this.running && machine.sharing.shared[machine.memory.granule(machine.memory.index(physical))] !== 0)
      machine.observer({ kind, vcpu: this.vcpu, address: physical, sizeBytes: 4, value, text })
  }

  lookup(linear: number, access: number): number {
    const machine = this.machine
    const { translations } = machine
    if (this.cpu.stop !== 0 || translations === null || !this.running) return NOT_CACHED
    this.#walkSpans = this.isReplaying
    this.#walkMarks = false
    if (this.#walkSpans) {
      const kind = this.nextAnswer()
      if (kind === NOT_CACHED) return kind
      this.low = this.nextAnswer()
      this.high = this.nextAnswer()
      return kind
    }
    const { r } = this.cpu
    // In the middle of a task switch: the new task's tables are not those that the caches are about.
    const ways = translations.startsFrom(this.vcpu, r) ? translations.enumerate(this.vcpu, linear, access, r) : 0
    if (this.peeking) {
      if (ways > 0) this.unready = true
      return NOT_CACHED
    }
    translations.notePage(this.vcpu, linear)
    this.#walkSeen = false
    if (ways > 0) {
      machine.noteTranslating(this.vcpu)
      if (!this.gate(AT_TRANSLATE, linear, access, ways + 1)) return NOT_CACHED
      machine.quiet = false
      if (this.way > 0) return this.#useCached(linear, access, this.way - 1)
    }
    this.recordAgain(NOT_CACHED)
    return NOT_CACHED
  }

  #useCached(linear: number, access: number, option: number): number {
    const translations = this.machine.translations!
    const kind = translations.kinds[option]
    this.low = translations.lows[option]
    this.high = translations.highs[option]
    if (kind === CACHED_PAGE) translations.use(this.vcpu, linear, access, this.low)
    const { observer } = this.machine
    if (observer !== null)
      observer({
        kind: 'translation',
        vcpu: this.vcpu,
        address: linear >>> 0,
        sizeBytes: 0,
        value: this.low,
        stale: kind === CACHED_DIRECTORY,
      })
    this.machine.onTranslation(this.vcpu, linear, this.low, access)
    this.record(kind)
    this.record(this.low)
    this.record(this.high)
    return kind
  }

  fill(linear: number, access: number, walk: Walk): void {
    const { translations } = this.machine
    if (this.cpu.stop !== 0 || translations === null || !this.running || this.replayed() || this.peeking) return
    if (this.#walkSeen || this.#walkSpans) this.machine.noteTranslating(this.vcpu)
    translations.fill(this.vcpu, linear, access, walk, this.cpu.r, { spans: this.#walkSpans, marks: this.#walkMarks })
    this.recordAgain(0)
  }

  /** The load at hand may read page-table entries in which walks ahead of accesses set A; noted. */
  protected readsEntries(at: number, sizeBytes: number): boolean {
    const { walksAhead } = this.machine
    if (walksAhead === null) return false
    if (this.running) return walksAhead.noteLoad(at, sizeBytes)
    if (this.machine.store.w[PHASE] === PHASE_FINAL) walksAhead.noteLast(at, sizeBytes)
    return false
  }

  /** The number of walks ahead that may have been made before this load; what they are depends on everybody's translations. */
  protected findWalksAhead(physical: number, sizeBytes: number): number {
    const { machine } = this
    machine.memo.abandon()
    machine.noteAllTranslating()
    return machine.walksAhead!.find(physical, sizeBytes)
  }

  /** The event of the load goes the way `way`: such a walk was made first. */
  protected takeWalkAhead(): void {
    const { machine } = this
    if (this.way === 0) return
    const { walker, entries } = machine.walksAhead!.ways[this.way - 1]
    for (const physical of entries) this.#orMemory(physical, A, 'walk-ahead', walker < 0 ? 'made while the table was in reach' : `by vCPU ${walker}`)
  }

  gateInvalidation(): void {
    if (this.cpu.stop !== 0 || this.replayed()) return
    const machine = this.machine
    if (machine.translationIsVisible && this.running) {
      if (!this.gate(AT_SERIALIZE, 0, 0, 1)) return
      machine.quiet = false
    }
    this.record(0)
  }

  invalidatePage(linear: number): void {
    const { translations } = this.machine
    if (translations === null || !this.running) return
    this.machine.memo.abandon()
    this.machine.noteTranslating(this.vcpu)
    this.machine.losingTranslations(() => translations.invalidatePage(this.vcpu, linear))
    this.observe('invalidate', linear >>> 0, 4096, 0)
  }
  invalidateTlb(globalToo: boolean): void {
    const { translations } = this.machine
    if (translations === null || !this.running) return
    this.machine.memo.abandon()
    this.machine.noteTranslating(this.vcpu)
    this.machine.losingTranslations(() => translations.invalidate(this.vcpu, this.cpu.r, globalToo))
    this.machine.onTables(this.vcpu)
    this.observe('invalidate', 0, 0, globalToo ? 1 : 0)
  }
  retarget(): void {
    if (!this.running) return
    if (this.machine.watchers.tellers.length > 0)
      this.machine.weaken('a task switch changed registers that others believe something of: it is no event for them')
    this.machine.memo.abandon()
    this.machine.noteTranslating(this.vcpu)
    this.machine.losingTranslations(() => this.machine.translations?.retarget(this.vcpu, this.cpu.r))
    this.machine.onTables(this.vcpu)
  }

  #walk(physical: number, sizeBytes: number): number {
    if (this.cpu.stop !== 0) return 0
    if (this.isReplaying) {
      const value = this.nextAnswer()
      if (sizeBytes === 8) this.high = this.nextAnswer()
      return value
    }
    const machine = this.machine
    const memory = machine.memory
    if (this.peeking && memory.index(physical) < 0) {
      this.unready = true
      return 0
    }
    const at = this.check(physical, READ, 'a page-table entry')
    if (at < 0) return 0
    const visible = this.running && machine.sharing.noteWalk(memory.granule(at), memory.granule(at + sizeBytes - 1))
    if (this.peeking) this.unready ||= visible
    else if (visible && !this.gate(AT_LOAD, physical, sizeBytes, 1)) return 0
    const value = memory.load(at, 4)
    this.high = sizeBytes === 8 ? memory.load(at + 4, 4) : 0
    if (this.peeking) return value
    if (visible) {
      this.#walkSeen = true
      machine.noteTranslating(this.vcpu)
      machine.footprint.add(FP_MEMORY_READ, physical, sizeBytes)
      this.observe('walk', physical, sizeBytes, value)
      machine.onWalk(this.vcpu, physical, sizeBytes)
    }
    this.recordAgain(value)
    if (sizeBytes === 8) this.recordAgain(this.high)
    return value
  }
}
