/**
 * The local APIC of one vCPU (SDM vol. 3A chapter 11): xAPIC at its memory page, x2APIC by MSRs. Sending is done by the
 * `Fabric`, which knows the other vCPUs.
 */

/** Register offsets of the xAPIC page; the x2APIC MSR is 0x800 + offset / 16. */
const ID = 0x20
const VERSION = 0x30
const TPR = 0x80
const PPR = 0xa0
const EOI = 0xb0
const LDR = 0xd0
const DFR = 0xe0
const SVR = 0xf0
const ISR = 0x100
const TMR = 0x180
const IRR = 0x200
const ESR = 0x280
const ICR_LOW = 0x300
const ICR_HIGH = 0x310
const LVT_TIMER = 0x320
const LVT_LINT0 = 0x350
const LVT_ERROR = 0x370
const TIMER_INITIAL = 0x380
const TIMER_CURRENT = 0x390
const TIMER_DIVIDE = 0x3e0
const SELF_IPI = 0x3f0

const MASKED = 1 << 16
const PERIODIC = 1 << 17

/** Error status bits (SDM vol. 3A figure 11-9). */
const SEND_ILLEGAL = 0x20
const RECEIVE_ILLEGAL = 0x40
const ILLEGAL_REGISTER = 0x80

/** Register offsets that exist: read in both modes; x2APIC (SDM vol. 3A table 11-6) has neither DFR nor ICR_HIGH. */
const READABLE = new Set([ID, VERSION, TPR, PPR, LDR, DFR, SVR, ESR, ICR_LOW, ICR_HIGH, TIMER_INITIAL, TIMER_CURRENT, TIMER_DIVIDE])
for (let at = ISR; at < ESR; at += 16) READABLE.add(at)
for (let at = LVT_TIMER; at <= LVT_ERROR; at += 16) READABLE.add(at)
const READ_ONLY = new Set([ID, VERSION, PPR, LDR, TIMER_CURRENT])
for (let at = ISR; at < ESR; at += 16) READ_ONLY.add(at)
/** Writable bits of the local vectors: timer, thermal, performance, LINT0, LINT1, error (SDM vol. 3A figure 11-8). */
const LVT_BITS = [0x300ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff]
/** Reserved bits that x2APIC checks on writes, by register; others: all 32 are free. */
const RESERVED: ReadonlyMap<number, number> = new Map([[EOI, -1], [ESR, -1], [TPR, ~0xff], [SVR, ~0x3ff], [SELF_IPI, ~0xff], [ICR_LOW, ~0xccfff], [TIMER_DIVIDE, ~0xb]])

export const DELIVER_FIXED = 0
export const DELIVER_LOWEST = 1
export const DELIVER_NMI = 4
export const DELIVER_INIT = 5
export const DELIVER_SIPI = 6

/** An interrupt message. `shorthand`: 0 none, 1 self, 2 all, 3 all but self. */
export interface Message {
  readonly vector: number
  readonly mode: number
  readonly logical: boolean
  /** The line is asserted (INIT: false and level-triggered is the de-assert message). */
  readonly level: boolean
  /** Of an I/O APIC: the line stays up until it is served. */
  readonly levelTriggered: boolean
  readonly shorthand: number
  readonly destination: number
}

export interface Fabric {
  send(from: number, message: Message): void
  /** A level-triggered interrupt has been served: I/O APICs clear their remote IRR (SDM vol. 3A 11.8.5). */
  served(vector: number): void
  /** Virtual time in ticks of the TSC. */
  now(): number
}

export class LocalApic {
  readonly id: number
  x2apic = false
  globallyEnabled = true
  nmiPending = false
  readonly #fabric: Fabric
  readonly #words = new Int32Array(64)
  readonly #irr = new Int32Array(8)
  readonly #isr = new Int32Array(8)
  /** Vectors whose request was level-triggered. */
  readonly #tmr = new Int32Array(8)
  #timerSince = 0
  #timerArmed = false
  #errors = 0
  /** Interrupts that are requested and not accepted yet. */
  #requests = 0

  constructor(id: number, fabric: Fabric) {
    this.id = id
    this.#fabric = fabric
    this.reset()
  }

  reset(): void {
    this.#words.fill(0)
    this.#irr.fill(0)
    this.#isr.fill(0)
    this.#tmr.fill(0)
    this.#errors = 0
    this.#requests = 0
    this.nmiPending = false
    this.#timerArmed = false
    this.#words[DFR >> 4] = -1
    this.#words[SVR >> 4] = 0xff
    for (let at = LVT_TIMER; at <= LVT_ERROR; at += 16) this.#words[at >> 4] = MASKED
  }

  /** By IA32_APIC_BASE and in software (SVR). */
  get enabled(): boolean {
    return this.globallyEnabled && (this.#words[SVR >> 4] & 0x100) !== 0
  }
  /** LINT0 takes the 8259's interrupts (virtual wire), or the APIC is off and INTR goes straight in. */
  get acceptsPic(): boolean {
    const lint0 = this.#words[LVT_LINT0 >> 4]
    return !this.enabled || ((lint0 & MASKED) === 0 && ((lint0 >> 8) & 7) === 7)
  }

  /** Some interrupt is requested, whatever the priority. */
  get hasRequests(): boolean {
    return this.#requests !== 0
  }

  /** Vector that may be delivered now; -1: none outranks the processor priority. */
  pending(): number {
    if (this.#requests === 0 || !this.enabled) return -1
    const vector = highest(this.#irr)
    return vector >= 0 && vector >> 4 > this.#priority() >> 4 ? vector : -1
  }

  acknowledge(vector: number): void {
    clear(this.#irr, vector)
    this.#requests--
    set(this.#isr, vector)
  }

  accept(vector: number, level: boolean = false): void {
    if (!this.enabled) return
    if (vector < 16) return this.#error(RECEIVE_ILLEGAL)
    if (level) set(this.#tmr, vector)
    else clear(this.#tmr, vector)
    if (has(this.#irr, vector)) return
    set(this.#irr, vector)
    this.#requests++
  }

  #error(bit: number): void {
    this.#errors |= bit
    const lvt = this.#words[LVT_ERROR >> 4]
    if ((lvt & MASKED) === 0 && (lvt & 0xff) >= 16) this.accept(lvt & 0xff)
  }

  matches(destination: number): boolean {
    const ldr = this.#words[LDR >> 4]
    if (this.x2apic) {
      const logical = this.#logicalId2()
      return (destination >>> 16 === logical >>> 16 && (destination & logical & 0xffff) !== 0) || destination === -1
    }
    const mine = ldr >>> 24
    if ((this.#words[DFR >> 4] >>> 28) === 0xf) return (mine & destination) !== 0
    return ((mine >> 4) === ((destination >> 4) & 15) || (destination & 0xf0) === 0xf0) && (mine & destination & 15) !== 0
  }

  /** Tick of the next timer interrupt; Infinity: none is coming. */
  nextTimer(): number {
    const initial = this.#words[TIMER_INITIAL >> 4] >>> 0
    return this.#timerArmed && initial !== 0 ? this.#timerSince + initial * this.#divide() : Infinity
  }

  /** Time has reached `nextTimer`. */
  expire(): void {
    const lvt = this.#words[LVT_TIMER >> 4]
    if ((lvt & PERIODIC) !== 0) this.#timerSince = this.nextTimer()
    else this.#timerArmed = false
    if ((lvt & MASKED) === 0) this.accept(lvt & 0xff)
  }

  readPage(offset: number): number {
    return this.#read(offset & 0xff0)
  }
  writePage(offset: number, value: number): void {
    this.#write(offset & 0xff0, value)
  }

  /** x2APIC registers by MSR number: low word; ICR has the destination as its high word. Null: no such register. */
  readMsr(msr: number): { low: number; high: number } | null {
    const offset = (msr - 0x800) << 4
    if (!READABLE.has(offset) || offset === ICR_HIGH || offset === DFR) return null
    return { low: this.#read(offset), high: offset === ICR_LOW ? this.#words[ICR_HIGH >> 4] : 0 }
  }
  /** False: no such register, read-only, or reserved bits set (#GP). */
  writeMsr(msr: number, low: number, high: number): boolean {
    const offset = (msr - 0x800) << 4
    const writable = (READABLE.has(offset) && !READ_ONLY.has(offset) && offset !== ICR_HIGH && offset !== DFR) || offset === EOI || offset === SELF_IPI
    if (!writable || (low & (RESERVED.get(offset) ?? 0)) !== 0 || (high !== 0 && offset !== ICR_LOW)) return false
    if (offset === ICR_LOW) this.#words[ICR_HIGH >> 4] = high
    this.#write(offset, low)
    return true
  }

  /** IA32_APIC_BASE has changed: disabling resets, x2APIC keeps the rest but has an id and a logical id of its own. */
  changeMode(enabled: boolean, x2apic: boolean): void {
    if (this.globallyEnabled && !enabled) {
      const nmi = this.nmiPending
      this.reset()
      this.nmiPending = nmi
    }
    if (x2apic && !this.x2apic) this.#words[ICR_HIGH >> 4] = 0
    this.globallyEnabled = enabled
    this.x2apic = x2apic
  }

  /** What software can see of it, for state hashes. */
  *words(): Iterable<number> {
    yield* this.#words
    yield* this.#irr
    yield* this.#isr
    yield* this.#tmr
    yield (this.nmiPending ? 1 : 0) | (this.#timerArmed ? 2 : 0)
    yield this.#timerSince | 0
    yield this.#errors
  }

  #read(offset: number): number {
    switch (offset) {
      case ID:
        return this.x2apic ? this.id : this.id << 24
      case VERSION:
        return 0x50014
      case PPR:
        return this.#priority()
      case LDR:
        return this.x2apic ? this.#logicalId2() : this.#words[LDR >> 4]
      case TIMER_CURRENT: {
        if (!this.#timerArmed) return 0
        const left = Math.ceil((this.nextTimer() - this.#fabric.now()) / this.#divide())
        return Math.max(0, Math.min(left, this.#words[TIMER_INITIAL >> 4] >>> 0)) | 0
      }
    }
    if (offset >= ISR && offset < TMR) return this.#isr[(offset - ISR) >> 4]
    if (offset >= TMR && offset < IRR) return this.#tmr[(offset - TMR) >> 4]
    if (offset >= IRR && offset < ESR) return this.#irr[(offset - IRR) >> 4]
    if (READABLE.has(offset)) return this.#words[offset >> 4]
    // Write-only registers read 0; what does not exist is an error (not in x2APIC, where it is #GP).
    if (offset !== EOI) this.#error(ILLEGAL_REGISTER)
    return 0
  }

  #write(offset: number, value: number): void {
    switch (offset) {
      case EOI: {
        const vector = highest(this.#isr)
        if (vector < 0) return
        clear(this.#isr, vector)
        if (has(this.#tmr, vector)) this.#fabric.served(vector)
        return
      }
      case ESR:
        this.#words[ESR >> 4] = this.#errors
        this.#errors = 0
        return
      case ICR_LOW:
        this.#words[ICR_LOW >> 4] = value & ~0x1000
        return this.#send(value, this.#words[ICR_HIGH >> 4])
      case SELF_IPI:
        if (!this.x2apic) return this.#error(ILLEGAL_REGISTER)
        if ((value & 0xff) < 16) this.#error(SEND_ILLEGAL)
        return this.accept(value & 0xff)
      case TIMER_INITIAL:
        this.#words[TIMER_INITIAL >> 4] = value
        this.#timerSince = this.#fabric.now()
        this.#timerArmed = value !== 0
        return
      case LDR:
        this.#words[LDR >> 4] = value & 0xff000000
        return
      case DFR:
        this.#words[DFR >> 4] = value | 0x0fffffff
        return
      case TIMER_DIVIDE: {
        // The count goes on from where it is, at the new rate.
        const done = this.#words[TIMER_INITIAL >> 4] - this.#read(TIMER_CURRENT)
        this.#words[TIMER_DIVIDE >> 4] = value & 0xb
        this.#timerSince = this.#fabric.now() - (done >>> 0) * this.#divide()
        return
      }
      case ICR_HIGH:
        this.#words[ICR_HIGH >> 4] = value & 0xff000000
        return
      case TPR:
        this.#words[TPR >> 4] = value & 0xff
        return
      case SVR:
        this.#words[SVR >> 4] = value & 0x3ff
        // Local vectors are masked, and stay so, while the APIC is disabled (SDM vol. 3A 11.4.7.2).
        if (!this.enabled) for (let at = LVT_TIMER; at <= LVT_ERROR; at += 16) this.#words[at >> 4] |= MASKED
        return
    }
    if (READ_ONLY.has(offset)) return
    if (offset < LVT_TIMER || offset > LVT_ERROR) return this.#error(ILLEGAL_REGISTER)
    this.#words[offset >> 4] = (value & LVT_BITS[(offset - LVT_TIMER) >> 4]) | (this.enabled ? 0 : MASKED)
  }

  #send(low: number, high: number): void {
    const mode = (low >> 8) & 7
    if ((low & 0xff) < 16 && mode < 2) this.#error(SEND_ILLEGAL)
    this.#fabric.send(this.id, {
      vector: low & 0xff,
      mode,
      logical: (low & 0x800) !== 0,
      level: (low & 0x4000) !== 0,
      levelTriggered: false,
      shorthand: (low >> 18) & 3,
      destination: this.x2apic ? high : high >>> 24,
    })
  }

  #logicalId2(): number {
    return ((this.id & ~15) << 12) | (1 << (this.id & 15))
  }
  #priority(): number {
    const tpr = this.#words[TPR >> 4] & 0xff
    const served = Math.max(highest(this.#isr), 0)
    return tpr >> 4 >= served >> 4 ? tpr : served & 0xf0
  }
  #divide(): number {
    const code = this.#words[TIMER_DIVIDE >> 4]
    const bits = (code & 3) | ((code & 8) >> 1)
    return bits === 7 ? 1 : 2 << bits
  }
}

function highest(words: Int32Array): number {
  for (let k = 7; k >= 0; k--) if (words[k] !== 0) return k * 32 + 31 - Math.clz32(words[k])
  return -1
}
function has(words: Int32Array, bit: number): boolean {
  return ((words[bit >> 5] >>> (bit & 31)) & 1) !== 0
}
function set(words: Int32Array, bit: number): void {
  words[bit >> 5] |= 1 << (bit & 31)
}
function clear(words: Int32Array, bit: number): void {
  words[bit >> 5] &= ~(1 << (bit & 31))
}
