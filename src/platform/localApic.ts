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

export const DELIVER_FIXED = 0
export const DELIVER_NMI = 4
export const DELIVER_INIT = 5
export const DELIVER_SIPI = 6

/** An interrupt message. `shorthand`: 0 none, 1 self, 2 all, 3 all but self. */
export interface Message {
  readonly vector: number
  readonly mode: number
  readonly logical: boolean
  readonly level: boolean
  readonly shorthand: number
  readonly destination: number
}

export interface Fabric {
  send(from: number, message: Message): void
  /** Virtual time in ticks of the TSC. */
  now(): number
}

export class LocalApic {
  readonly id: number
  x2apic = false
  nmiPending = false
  readonly #fabric: Fabric
  readonly #words = new Int32Array(64)
  readonly #irr = new Int32Array(8)
  readonly #isr = new Int32Array(8)
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
    this.#requests = 0
    this.nmiPending = false
    this.#timerArmed = false
    this.#words[DFR >> 4] = -1
    this.#words[SVR >> 4] = 0xff
    for (let at = LVT_TIMER; at <= LVT_ERROR; at += 16) this.#words[at >> 4] = MASKED
  }

  get enabled(): boolean {
    return (this.#words[SVR >> 4] & 0x100) !== 0
  }
  /** LINT0 takes the 8259's interrupts (virtual wire), or the APIC is off and INTR goes straight in. */
  get acceptsPic(): boolean {
    const lint0 = this.#words[LVT_LINT0 >> 4]
    return !this.enabled || ((lint0 & MASKED) === 0 && ((lint0 >> 8) & 7) === 7)
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

  accept(vector: number): void {
    if (vector < 16) this.#errors |= 0x40
    else if (this.enabled && !has(this.#irr, vector)) {
      set(this.#irr, vector)
      this.#requests++
    }
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
    if (offset < 0 || offset > SELF_IPI || offset === ICR_HIGH || offset === DFR) return null
    if (offset === ICR_LOW) return { low: this.#words[ICR_LOW >> 4], high: this.#words[ICR_HIGH >> 4] }
    return { low: this.#read(offset), high: 0 }
  }
  writeMsr(msr: number, low: number, high: number): boolean {
    const offset = (msr - 0x800) << 4
    const readOnly = [ID, VERSION, PPR, LDR, TIMER_CURRENT, ICR_HIGH, DFR]
    if (offset < 0 || offset > SELF_IPI || readOnly.includes(offset) || (offset >= ISR && offset < ESR)) return false
    if ((offset === EOI || offset === ESR) && low !== 0) return false
    if (offset === ICR_LOW) this.#words[ICR_HIGH >> 4] = high
    this.#write(offset, low)
    return true
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
    if (offset >= IRR && offset < ESR) return this.#irr[(offset - IRR) >> 4]
    return this.#words[offset >> 4]
  }

  #write(offset: number, value: number): void {
    switch (offset) {
      case EOI: {
        const vector = highest(this.#isr)
        if (vector >= 0) clear(this.#isr, vector)
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
        if (this.x2apic) this.accept(value & 0xff)
        return
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
      case ID:
      case VERSION:
      case PPR:
      case TIMER_CURRENT:
        return
    }
    if (offset >= ISR && offset < ESR) return
    // Local vectors stay masked while the APIC is disabled (SDM vol. 3A 11.4.7.2).
    const isLvt = offset >= LVT_TIMER && offset <= LVT_ERROR
    this.#words[offset >> 4] = isLvt && !this.enabled ? value | MASKED : value
    if (offset === SVR && !this.enabled) for (let at = LVT_TIMER; at <= LVT_ERROR; at += 16) this.#words[at >> 4] |= MASKED
  }

  #send(low: number, high: number): void {
    this.#fabric.send(this.id, {
      vector: low & 0xff,
      mode: (low >> 8) & 7,
      logical: (low & 0x800) !== 0,
      level: (low & 0x4000) !== 0,
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
