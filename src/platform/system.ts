/**
 * vCPUs, memory and devices of the platform, run for real: one vCPU at a time, in slices that a scheduler chooses.
 * Virtual time is the number of instructions executed (all vCPUs together), plus what was skipped while all slept.
 * Nothing else is read, so the same image, options and slices end in the same state.
 */
import { STOP_FAULT } from '../cpu/bus.ts'
import { Cpu } from '../cpu/cpu.ts'
import type { CpuClass } from '../cpu/classes.ts'
import { decode, type Op } from '../cpu/decode.ts'
import { EXCEPTION_NAMES, PF_, UD } from '../cpu/exceptions.ts'
import {
  ACTIVE, ACTIVITY, CS, EFLAGS, EIP, EVENT, EVENT_EXTERNAL, EVENT_NMI, EVENT_VALID, HALTED, IF, REGISTER_WORDS, SEG_ATTR, SEG_BASE, SELECTOR, SHADOW,
  SHADOW_STI, SHUTDOWN, SS, WAIT_FOR_SIPI,
} from '../cpu/registers.ts'
import type { UndefinedFlags } from '../cpu/undefinedFlags.ts'
import { BoardMemory, PAGE } from './boardMemory.ts'
import { boot, type BootOptions } from './boot.ts'
import { BytePort, DebugExit } from './bytePorts.ts'
import { FirmwareConfig } from './fwCfg.ts'
import { IoApic } from './ioApic.ts'
import { KeyboardController } from './keyboardController.ts'
import { DELIVER_FIXED, DELIVER_INIT, DELIVER_LOWEST, DELIVER_NMI, DELIVER_SIPI, LocalApic, type Fabric, type Message } from './localApic.ts'
import { LoopWatch } from './loopWatch.ts'
import { OpCache, type CodePage } from './opCache.ts'
import { Pic } from './pic.ts'
import { Pit } from './pit.ts'
import { PlatformBus, type Chipset } from './platformBus.ts'
import type { PortDevice, TimedDevice } from './portDevice.ts'
import { Power } from './power.ts'
import { enterReal, flatRegisters, initRegisters, resetRegisters, startAt } from './reset.ts'
import { Rtc } from './rtc.ts'
import { Screen } from './screen.ts'
import { SystemControl } from './systemControl.ts'
import { WAKING_VECTOR } from './tables.ts'
import { TestDevice } from './testDevice.ts'
import { Uart } from './uart.ts'
import { describeVcpu, hex } from './vcpuText.ts'

export interface SystemOptions extends BootOptions {
  readonly cpu: CpuClass
  readonly undefinedFlags: UndefinedFlags
  readonly memoryBytes: number
  readonly postPort: number
  readonly asciiPort: number
  readonly exitPort: number
}

/** What the guest says. */
export interface Sink {
  /** A byte of the serial line or of the ASCII port. */
  text(byte: number): void
  post(code: number): void
}

export interface Exit {
  readonly kind: 'debug-exit' | 'power-off' | 'halted' | 'stuck' | 'triple-fault' | 'reset'
  /** Status of a debug exit; 0 otherwise. */
  readonly status: number
  readonly message: string
}

/** Instructions (TSC ticks) a tick of the 8254 (1.193182 MHz) takes: a machine of some 100 MHz. */
const TICKS_PER_PIT = 84
const TICKS_PER_SECOND = TICKS_PER_PIT * 1_193_182
/** Notes that are kept. */
const NOTES_MAX = 8
const IN_PAGE = PAGE - 1
/** Timer interrupts that wake nobody, at the most, before a sleep counts as the last. */
const SKIPS_MAX = 10_000_000
/** ISA interrupts as a PC wires them to the I/O APIC: line 0, the 8254, comes in at input 2. */
const inputOf = (line: number) => (line === 0 ? 2 : line)

export class System implements Chipset, Fabric {
  readonly memory: BoardMemory
  readonly devices: readonly PortDevice[]
  readonly ioApic: IoApic
  readonly screen: Screen
  readonly cpus: readonly Cpu[]
  readonly #buses: readonly PlatformBus[]
  exit: Exit | null = null
  /** Instructions executed. */
  instructions = 0
  lastPost = -1
  touched = false
  readonly #apics: readonly LocalApic[]
  /** What has state of its own that software can see. */
  readonly #parts: { words(): Iterable<number> }[]
  readonly #pic = new Pic()
  readonly #rtc: Rtc
  readonly #timed: readonly TimedDevice[]
  /** The instruction that executes has asked for suspend to RAM. */
  #suspends = false
  /** Per timed device: when it interrupts next. */
  readonly #due: number[]
  readonly #ops: OpCache
  readonly #scratch = new Uint8Array(16)
  readonly #hasRom: boolean
  #skipped = 0
  /** What the instruction that executes, and delivering that, has raised; for messages. */
  readonly #raised: string[] = []
  readonly #notes = new Set<string>()
  /** Per vCPU: it goes round in a loop that changes nothing, and since it was seen to nobody has done anything that could end that. */
  readonly #spinning: boolean[]
  readonly #loops: readonly LoopWatch[]

  /** @throws InputError where the image cannot be booted */
  constructor(options: SystemOptions, sink: Sink) {
    this.memory = new BoardMemory(options.memoryBytes)
    this.#hasRom = options.rom
    this.#spinning = Array.from({ length: options.vcpus }, () => false)
    this.#loops = Array.from({ length: options.vcpus }, () => new LoopWatch())
    this.#ops = new OpCache(this.memory, () => { for (const { codePage } of this.#buses) codePage.forget() })
    const now = () => this.now()
    const seconds = () => this.now() / TICKS_PER_SECOND
    this.screen = new Screen(seconds)
    const line = (number: number) => (up: boolean) => this.#setLine(number, up)
    const reset = (how: string) => this.#end({ kind: 'reset', status: 0, message: how })
    const off = () => this.#end({ kind: 'power-off', status: 0, message: 'the machine was switched off' })
    const pit = new Pit(now, TICKS_PER_PIT, line(0))
    const rtc = new Rtc(options.memoryBytes, now, TICKS_PER_SECOND, line(8))
    this.#rtc = rtc
    this.#timed = [pit, rtc]
    this.#due = this.#timed.map(() => Infinity)
    const post = (code: number) => {
      this.lastPost = code
      sink.post(code)
    }
    this.devices = [
      new Uart(0x3f8, (byte) => sink.text(byte), line(4)),
      ...(options.postPort === options.asciiPort ? [] : [new BytePort(options.postPort, post)]),
      new BytePort(options.asciiPort, (byte) => sink.text(byte), 0xe9),
      new DebugExit(options.exitPort, (status) => this.#end({ kind: 'debug-exit', status, message: `debug exit with status ${status}` })),
      this.#pic,
      pit,
      rtc,
      new SystemControl(pit, reset),
      new KeyboardController(reset),
      this.screen,
      new Power(seconds, off, () => { this.#suspends = true }),
      new TestDevice((number, up) => this.#setLine(number, up)),
      new FirmwareConfig(options.vcpus, options.memoryBytes),
    ]
    this.ioApic = new IoApic((low, high) => this.#route(-1, {
        vector: low & 0xff, mode: (low >> 8) & 7, logical: (low & 0x800) !== 0, level: true, levelTriggered: (low & 0x8000) !== 0, shorthand: 0, destination: high >>> 24,
      }))
    const first = boot(this.memory, options, options.cpu)
    this.#apics = Array.from({ length: options.vcpus }, (_, v) => new LocalApic(v, this))
    this.#parts = [...this.#apics]
    this.#buses = this.#apics.map((apic) => new PlatformBus(this, apic, options.cpu))
    this.cpus = this.#buses.map((bus, v) => {
      const cpu = new Cpu(Int32Array.from(v === 0 ? first : resetRegisters(options.cpu, false)), 0, bus, options.cpu, options.undefinedFlags)
      bus.r = cpu.r
      this.#parts.push(bus)
      cpu.apicId = v
      bus.apicBaseChanged()
      return cpu
    })
  }

  now(): number {
    return this.instructions + this.#skipped
  }

  /** vCPU `v` can execute: it is not halted (or has an interrupt to wake it), waiting for a SIPI or shut down. */
  runnable(v: number): boolean {
    const { r } = this.cpus[v]
    return r[ACTIVITY] === ACTIVE || (r[ACTIVITY] === HALTED && this.#wakes(v))
  }

  /** vCPU `v` goes round in a loop that changes nothing; an interrupt can end that, or another vCPU that writes what it reads. */
  spins(v: number): boolean {
    return this.#spinning[v] && !this.#wakes(v)
  }

  /** When nobody can run: time goes on to the timer that wakes one. False: nothing will ever happen again (`exit` says so). */
  skip(): boolean {
    const sleeps = this.cpus.some(({ r }, v) => (r[ACTIVITY] === HALTED || this.#spinning[v]) && (r[EFLAGS] & IF) !== 0)
    let next = this.#nextTimer()
    if (sleeps && next !== Infinity) {
      // A timer whose interrupt nobody takes goes on for ever. Once all have been through what they do, none will wake anyone.
      const start = this.now()
      const settled = [...this.#timed.map((device) => device.settled(start)), ...this.#apics.map((apic) => apic.nextTimer())].filter(Number.isFinite)
      const end = Math.max(...settled)
      for (let k = 0; k < SKIPS_MAX && next <= end; k++) {
        this.#skipped += Math.max(0, next - this.now())
        next = this.#nextTimer()
        if (this.cpus.some(({ r }, v) => (this.#spinning[v] || r[ACTIVITY] === HALTED) && this.#wakes(v))) return true
      }
    }
    const spins = this.#spinning.some(Boolean)
    if (spins) this.#end({ kind: 'stuck', status: 0, message: `vCPU ${this.#spinning.indexOf(true)} goes round in a loop for ever: it changes nothing, and no interrupt and no other vCPU can end that` })
    else this.#end({ kind: 'halted', status: 0, message: 'every vCPU has halted, and no interrupt will wake one' })
    return false
  }

  /**
   * Executes at most `count` instructions on vCPU `v`; fewer when it halts or the run ends. Returns how many. What an
   * instruction raises is delivered with it, so that a slice of the count returned here ends in the same state.
   */
  run(v: number, count: number): number {
    const cpu = this.cpus[v]
    const bus = this.#buses[v]
    const { r } = cpu
    const { codePage } = bus
    let done = 0
    this.#spinning[v] = false
    let quiet = true
    let jumpsToItself = false
    const { activity } = bus
    // `instructions` at which a timer is due; whether an interrupt may be waiting.
    let due = this.#nextTimer() - this.#skipped
    let attention = true
    while (done < count && this.exit === null) {
      if (this.instructions >= due) {
        due = this.#nextTimer() - this.#skipped
        attention = true
      }
      if (attention) {
        this.#offerInterrupts(v, cpu)
        if ((r[EVENT] & EVENT_VALID) !== 0) {
          quiet = false
          this.#deliver(v, cpu)
        }
        if (this.exit !== null) {
          // An interrupt that cannot be delivered counts as an instruction: the slice must not end before it.
          done++
          this.instructions++
        }
        if (r[ACTIVITY] !== ACTIVE || this.exit !== null) break
        attention = this.#hasRequests(v)
      }
      bus.locked = false
      const eip = r[EIP]
      const linear = (r[SEG_BASE + CS] + eip) | 0
      let op: Op | null | undefined
      if ((linear & ~IN_PAGE) === codePage.linear && codePage.code === r[SEG_ATTR + CS] && codePage.stack === r[SEG_ATTR + SS])
        op = codePage.ops[linear & IN_PAGE]
      op ??= this.#fetch(cpu, codePage, linear)
      if (op !== null) cpu.execute(op)
      done++
      this.instructions++
      if (cpu.stop === STOP_FAULT) {
        this.#raised.length = 0
        this.#raise(cpu)
      }
      const event = (r[EVENT] & EVENT_VALID) !== 0 || (r[ACTIVITY] as number) === SHUTDOWN
      if (event) {
        quiet = false
        this.#deliver(v, cpu)
      }
      if (this.touched) {
        this.touched = false
        if (this.#suspends) this.#suspend()
        due = this.#nextTimer() - this.#skipped
        attention = true
      }
      if (r[EIP] === eip && !event && op?.row?.mnemonic === 'jmp') {
        jumpsToItself = true
        break
      }
      if (r[ACTIVITY] !== ACTIVE) break
    }
    quiet &&= bus.activity === activity
    // Whoever changes anything may change what another one goes round by.
    if (!quiet) {
      this.#spinning.fill(false)
      for (const loop of this.#loops) loop.restart()
    }
    this.#spinning[v] = jumpsToItself || (quiet && r[ACTIVITY] === ACTIVE && this.#loops[v].comesBack(r))
    return done
  }

  /** Suspend to RAM until the clock's alarm: then the first vCPU goes on at the waking vector, in real mode, the others wait for a SIPI. */
  #suspend(): void {
    this.#suspends = false
    const wake = this.#rtc.nextAlarm()
    if (wake === Infinity) return this.#end({ kind: 'power-off', status: 0, message: 'the machine was suspended, and no alarm is set to wake it' })
    this.#skipped += Math.max(0, wake - this.now())
    for (const [v, { r, cls }] of this.cpus.entries()) {
      r.set(v === 0 ? flatRegisters(cls, 0) : resetRegisters(cls, false))
      this.#apics[v].reset()
      this.#buses[v].apicBaseChanged()
      this.#buses[v].codePage.forget()
    }
    enterReal(this.cpus[0].r, this.memory.load(WAKING_VECTOR, 4))
  }

  /** Delivers r[EVENT], and what faults while it is delivered, until in a handler or shut down. */
  #deliver(v: number, cpu: Cpu): void {
    const { r, bus } = cpu
    while ((r[EVENT] & EVENT_VALID) !== 0 && r[ACTIVITY] !== SHUTDOWN) {
      bus.locked = false
      cpu.deliver()
      if (cpu.stop === STOP_FAULT) this.#raise(cpu)
    }
    if (r[ACTIVITY] === SHUTDOWN) this.#end({ kind: 'triple-fault', status: 0, message: `triple fault on vCPU ${v}: ${this.#raised.join(', then ')}` })
    this.#raised.length = 0
  }

  #raise(cpu: Cpu): void {
    const { faultVector, faultError, faultAddress, remark, r } = cpu
    // Kernels try MSRs that are not there.
    if (remark !== null && faultVector === UD && this.#notes.size < NOTES_MAX) this.#notes.add(`#UD at ${hex(r[SELECTOR + CS], 4)}:${hex(r[EIP])}: ${remark}`)
    this.#raised.push(`${EXCEPTION_NAMES[faultVector]}(${hex(faultError, 4)})${faultVector === PF_ ? ` at ${hex(faultAddress)}` : ''}`)
    cpu.raise()
  }

  /** 32-bit hash of what software can see: registers and local APIC of every vCPU, RAM, time. */
  hash(): number {
    let h = this.memory.hash() ^ this.instructions
    for (const { r } of this.cpus) h = hashWords(h, r, REGISTER_WORDS)
    for (const part of this.#parts) {
      const words = Int32Array.from(part.words())
      h = hashWords(h, words, words.length)
    }
    return hashWords(h, Int32Array.of(this.#skipped, this.#skipped / 2 ** 32), 2)
  }

  /** Cheap hash of the registers of one vCPU, for checks as a run goes. */
  registersHash(v: number): number {
    return hashWords(this.instructions | 0, this.cpus[v].r, REGISTER_WORDS)
  }

  /** Instructions that faulted because they are not modelled, or not there on this class: it may be why a run went wrong. */
  get notes(): string[] {
    return [...this.#notes]
  }

  /** The state of every vCPU, for messages. */
  describe(): string[] {
    return this.cpus.flatMap(({ r }, v) => describeVcpu(r, v))
  }

  // --- interrupts -------------------------------------------------------------------------------------

  send(from: number, message: Message): void {
    this.#route(from, message)
  }
  served(vector: number): void {
    this.ioApic.served(vector)
  }

  #route(from: number, message: Message): void {
    for (let v = 0; v < this.#apics.length; v++) {
      const apic = this.#apics[v]
      const toAll = message.destination === (apic.x2apic ? -1 : 0xff)
      const addressed = [
        message.logical ? apic.matches(message.destination) : toAll || message.destination === apic.id,
        v === from, true, v !== from,
      ][message.shorthand]
      if (!addressed || !apic.globallyEnabled) continue
      if (message.mode === DELIVER_LOWEST) {
        // One of those addressed that takes interrupts: the first, for they all are as good.
        if (!apic.enabled) continue
        this.#accept(v, apic, message)
        return
      }
      this.#accept(v, apic, message)
    }
  }

  #accept(v: number, apic: LocalApic, { mode, vector, level, levelTriggered }: Message): void {
    const { r, cls } = this.cpus[v]
    switch (mode) {
      case DELIVER_FIXED:
      case DELIVER_LOWEST:
        return apic.accept(vector, levelTriggered)
      case DELIVER_NMI:
        apic.nmiPending = true
        return
      case DELIVER_INIT:
        // The de-assert form only sets arbitration ids, on parts that have them (SDM vol. 3A 11.6.1).
        if (!level) return
        initRegisters(r, cls, v === 0)
        this.#buses[v].codePage.forget()
        apic.reset()
        if (v === 0 && !this.#hasRom) this.#end({ kind: 'reset', status: 0, message: 'INIT was sent to the first vCPU, and there is no ROM at the reset vector to go on with' })
        return
      case DELIVER_SIPI:
        if (r[ACTIVITY] === WAIT_FOR_SIPI) startAt(r, vector)
    }
  }

  #setLine(line: number, up: boolean): void {
    if (line < 16 && line !== 2) this.#pic.setLine(line, up)
    this.ioApic.setLine(inputOf(line), up)
  }

  /** Whether anything waits to interrupt vCPU `v`, though it may be held off. */
  #hasRequests(v: number): boolean {
    const apic = this.#apics[v]
    return apic.nmiPending || apic.hasRequests || (v === 0 && this.#pic.pending)
  }

  #wakes(v: number): boolean {
    const cpu = this.cpus[v]
    const apic = this.#apics[v]
    if (apic.nmiPending && canTakeNmi(cpu)) return true
    return (cpu.r[EFLAGS] & IF) !== 0 && (apic.pending() >= 0 || (v === 0 && apic.acceptsPic && this.#pic.pending))
  }

  #offerInterrupts(v: number, cpu: Cpu): void {
    const { r } = cpu
    const apic = this.#apics[v]
    if (r[ACTIVITY] !== ACTIVE && r[ACTIVITY] !== HALTED) return
    if (apic.nmiPending && canTakeNmi(cpu)) {
      apic.nmiPending = false
      this.#inject(r, EVENT_NMI | 2)
      return
    }
    if ((r[EFLAGS] & IF) === 0 || !cpu.canTakeInterrupt()) return
    const vector = apic.pending()
    if (vector >= 0) {
      apic.acknowledge(vector)
      this.#inject(r, EVENT_EXTERNAL | vector)
    } else if (v === 0 && this.#pic.pending && apic.acceptsPic) this.#inject(r, EVENT_EXTERNAL | this.#pic.acknowledge())
  }

  #inject(r: Int32Array, event: number): void {
    r[EVENT] = EVENT_VALID | event
    r[ACTIVITY] = ACTIVE
  }

  /** Delivers what is due; the tick of the next timer. */
  #nextTimer(): number {
    const now = this.now()
    let next = Infinity
    for (let k = 0; k < this.#timed.length; k++) {
      const device = this.#timed[k]
      if (now >= this.#due[k]) device.expire()
      this.#due[k] = device.next(now)
      next = Math.min(next, this.#due[k])
    }
    for (const apic of this.#apics) {
      while (now >= apic.nextTimer()) apic.expire()
      next = Math.min(next, apic.nextTimer())
    }
    return next
  }

  // --- instructions -----------------------------------------------------------------------------------

  /** The operation at EIP, at linear address `linear`; null: the fetch faulted (`cpu.stop`). */
  #fetch(cpu: Cpu, page: CodePage, linear: number): Op | null {
    const { r } = cpu
    cpu.stop = 0
    const code32 = (r[SEG_ATTR + CS] & 0x4000) !== 0
    if ((linear & ~IN_PAGE) !== page.linear || page.code !== r[SEG_ATTR + CS] || page.stack !== r[SEG_ATTR + SS]) {
      page.forget()
      const physical = cpu.fetchPhysical(r[EIP])
      if (cpu.stop !== 0) return null
      page.linear = linear & ~IN_PAGE
      page.physical = physical & ~IN_PAGE
      page.code = r[SEG_ATTR + CS]
      page.stack = r[SEG_ATTR + SS]
    }
    const start = page.physical | (linear & IN_PAGE)
    const ops = this.#ops.page(start, code32)
    page.ops = ops
    return ops[linear & IN_PAGE] ?? this.#ops.decode(start, code32, ops) ?? this.#fetchAcross(cpu, start, code32)
  }

  /** An instruction that goes on in the next page, or past the limit of its segment. */
  #fetchAcross(cpu: Cpu, start: number, code32: boolean): Op | null {
    const eip = cpu.r[EIP]
    for (let length = 1; ; length++) {
      const at = length === 1 ? start : cpu.fetchPhysical((eip + length - 1) | 0)
      if (cpu.stop !== 0) return null
      this.#scratch[length - 1] = this.memory.load(at, 1)
      const op = decode(this.#scratch, 0, length, code32)
      if (op.length !== 0) return op
    }
  }

  #end(exit: Exit): void {
    this.exit ??= exit
  }
}

/** An NMI does not come between STI and what follows it: so do parts whose kernels count on STI; HLT (SDM vol. 2B, STI). */
function canTakeNmi(cpu: Cpu): boolean {
  return (cpu.r[SHADOW] & SHADOW_STI) === 0 && cpu.canTakeNmi()
}

function hashWords(seed: number, words: Int32Array, count: number): number {
  let h = seed
  for (let k = 0; k < count; k++) {
    h = Math.imul(h ^ words[k], 0x9e3779b1)
    h ^= h >>> 15
  }
  return h
}
