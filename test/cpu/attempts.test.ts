// The contract of the port (src/cpu/bus.ts): an instruction that the bus stops has changed no register, and an attempt that is
// answered from the record does the same again. The bus here stops every instruction before every access that it has not yet made.
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { STOP_PARK, type Bus } from '../../src/cpu/bus.ts'
import type { Cpu } from '../../src/cpu/cpu.ts'
import * as reg from '../../src/cpu/registers.ts'
import { FlatMachine, type FlatBus } from './flatMachine.ts'

class ParkingBus implements Bus {
  readonly inner: FlatBus
  cpu!: Cpu
  parks = false
  high = 0
  low = 0
  locked = false
  #answers: [number, number][] = []
  #cursor = 0
  #granted = 0
  most = 0

  constructor(inner: FlatBus) {
    this.inner = inner
  }
  begin(): void {
    this.#answers = []
  }
  /** One more access may be made. */
  attempt(): void {
    this.#cursor = 0
    this.#granted = 1
    this.locked = false
  }
  #access(make: () => number): number {
    if (!this.parks) {
      const value = make()
      this.high = this.inner.high
      return value
    }
    if (this.cpu.stop !== 0) return 0
    if (this.#cursor === this.#answers.length) {
      if (this.#granted === 0) {
        this.cpu.stop = STOP_PARK
        return 0
      }
      this.#granted = 0
      this.#answers.push([make(), this.inner.high])
      this.most = Math.max(this.most, this.#answers.length)
    }
    const [value, high] = this.#answers[this.#cursor++]
    this.high = high
    return value
  }
  #do(make: () => void): void {
    this.#access(() => {
      make()
      return 0
    })
  }
  read8(p: number): number { return this.#access(() => this.inner.read8(p)) }
  read16(p: number): number { return this.#access(() => this.inner.read16(p)) }
  read32(p: number): number { return this.#access(() => this.inner.read32(p)) }
  read64(p: number): number { return this.#access(() => this.inner.read64(p)) }
  walk32(p: number): number { return this.#access(() => this.inner.walk32(p)) }
  walk64(p: number): number { return this.#access(() => this.inner.walk64(p)) }
  write8(p: number, v: number): void { this.#do(() => this.inner.write8(p, v)) }
  write16(p: number, v: number): void { this.#do(() => this.inner.write16(p, v)) }
  write32(p: number, v: number): void { this.#do(() => this.inner.write32(p, v)) }
  write64(p: number, low: number, high: number): void { this.#do(() => this.inner.write64(p, low, high)) }
  walkMark(p: number, bits: number): boolean { return this.#access(() => Number(this.inner.walkMark(p, bits))) === 1 }
  walkOr(p: number, bits: number): void { this.#do(() => this.inner.walkOr(p, bits)) }
  orderStores(): void {}
  fence(): void { this.#do(() => {}) }
  serialize(): void { this.#do(() => {}) }
  branch(): void {}
  invalidatePage(): void {}
  invalidateTlb(): void {}
  lookup(): number { return 0 }
  fill(): void {}
  gateInvalidation(): void { this.#do(() => {}) }
  flushCaches(): void { this.#do(() => {}) }
  flushLine(): void { this.#do(() => {}) }
  retarget(): void {}
  in(port: number, size: number): number { return this.#access(() => this.inner.in(port, size)) }
  out(port: number, size: number, value: number): void { this.#do(() => this.inner.out(port, size, value)) }
  tsc(): number { return this.#access(() => this.inner.tsc()) }
  readMsr(): boolean { return false }
  writeMsr(): boolean { return false }
  guestCall(): number { return this.#access(() => 0) }
  hypercall(): boolean { return false }
}

class ParkingMachine extends FlatMachine {
  attempts = 0
  readonly port: ParkingBus
  readonly #before = new Int32Array(reg.REGISTER_WORDS)

  constructor(className: string) {
    let port!: ParkingBus
    super(className, 1 << 20, (bus) => (port = new ParkingBus(bus)))
    this.port = port
    port.cpu = this.cpu
  }
  protected override attempt(run: () => void): void {
    this.#before.set(this.r)
    this.port.parks = true
    this.port.begin()
    for (;;) {
      this.attempts++
      this.port.attempt()
      run()
      if (this.cpu.stop !== STOP_PARK) break
      for (let word = 0; word < reg.REGISTER_WORDS; word++)
        if (this.r[word] !== this.#before[word]) throw new Error(`${this.op?.row?.mnemonic} at ${this.#before[reg.EIP].toString(16)} wrote register word ${word} and then parked`)
    }
    this.port.parks = false
  }
}

const rom = readFileSync(new URL('rom/modes.bin', import.meta.url))

it.each(['386', 'p4'])('the ROM runs the same when every access of every instruction parks first (%s)', (className) => {
  const plain = new FlatMachine(className)
  const parking = new ParkingMachine(className)
  for (const machine of [plain, parking]) {
    machine.bus.bytes.set(rom, 0xf0000)
    machine.bus.romStart = 0xf0000
  }
  let steps = 0
  for (; steps < 100_000; steps++) {
    const a = plain.step()
    expect(parking.step()).toBe(a)
    for (let word = 0; word < reg.REGISTER_WORDS; word++)
      if (plain.r[word] !== parking.r[word]) throw new Error(`step ${steps}: register word ${word} differs at ${plain.r[reg.EIP].toString(16)}`)
    if (a === 'halted' || a === 'shutdown') break
  }
  expect(parking.bus.out_).toEqual(plain.bus.out_)
  expect(plain.bus.out_.at(-1)).toEqual({ port: 0x190, sizeBytes: 1, value: 0xff })
  expect(Buffer.compare(Buffer.from(parking.bus.bytes.buffer), Buffer.from(plain.bus.bytes.buffer))).toBe(0)
  expect(parking.attempts).toBeGreaterThan(steps)
  // A task switch under paging makes the most accesses.
  expect(parking.port.most).toBeGreaterThan(100)
})
