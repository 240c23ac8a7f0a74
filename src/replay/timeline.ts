/** One execution as text: a line an event, both clocks, symbols, source lines. */
import { Decoder, DecoderOptions, Formatter, FormatterSyntax } from 'iced-x86'
import { D, G, NO_FETCH, U, W } from '../cpu/paging.ts'
import type { MachineEvent, Observer } from '../smp/events.ts'
import type { Machine } from '../smp/machine.ts'
import { nameOfCall } from '../smp/guestCalls.ts'
import type { Violation } from '../smp/monitor.ts'
import { sourceOf, symbolize } from '../smp/symbols.ts'
import { wrap } from './columns.ts'
import { Ending } from './ending.ts'
import { replayTrace, type Replay } from './record.ts'
import { SpinLines } from './spinLines.ts'
import type { Trace } from './trace.ts'

export interface TimelineLine {
  /** Global step (events), and instructions that the vCPU has retired. */
  readonly step: number
  readonly icount: number
  readonly vcpu: number
  readonly text: string
  /** Source position `file:line`, where known. */
  readonly source: string
}

/** What its vCPU does itself: not what becomes of its stores and its pCPU. */
export function isOwn({ text }: TimelineLine): boolean {
  return !/^drain |^the hypervisor |^violated: /.test(text) && text !== SCHEDULED && !DESCHEDULED.includes(text)
}

export interface Timeline {
  readonly lines: readonly TimelineLine[]
  readonly replay: Replay
}

/** Replays `trace` and describes what each vCPU did. @param linesMax what is kept, from the end */
export function timelineOf(trace: Trace, linesMax: number = 2000): Timeline {
  let telling: Telling | null = null
  const replay = replayTrace(trace, (machine) => (telling = new Telling(machine, linesMax)).observe)
  return { lines: telling!.finish(replay.violation, trace.schedule.at(-1) ?? 0), replay }
}

/** Makes a machine at its start, told of what happens before it. */
export type MakeObserved = (observe?: (machine: Machine) => Observer) => Machine

/**
 * Carries out `schedule`, and describes it.
 * @param round the violation of a run that goes round for ever
 */
export function linesOf(makeMachine: MakeObserved, schedule: readonly number[], round: Violation | null = null, linesMax: number = 2000): readonly TimelineLine[] {
  let telling: Telling | null = null
  const machine = makeMachine((made) => (telling = new Telling(made, linesMax)).observe)
  let taken = 0
  while (taken < schedule.length && machine.take(schedule[taken++]) === 0);
  machine.observer = null
  return telling!.finish(machine.violation ?? round, schedule[taken - 1] ?? 0)
}

/** Tells an execution as lines. */
class Telling {
  readonly #machine: Machine
  readonly #lines: SpinLines
  readonly #ending: Ending
  readonly #disassemble: (bytes: Uint8Array, eip: number) => string

  constructor(machine: Machine, linesMax: number) {
    this.#machine = machine
    this.#lines = new SpinLines(linesMax)
    this.#ending = new Ending(machine)
    this.#disassemble = disassembler(machine)
  }

  readonly observe: Observer = (event) => {
    const machine = this.#machine
    this.#ending.observe(event)
    if (!machine.running() && machine.step === 0) return
    const text = describe(machine, event, this.#disassemble)
    if (text === null) return
    const eip = machine.eip(event.vcpu)
    const address = event.kind === 'fetch' ? event.address : eip
    const source = event.kind === 'drain' || event.kind === 'schedule' || event.kind === 'steal' ? '' : sourceOf(machine.image, address)
    this.#lines.add({ step: machine.step, icount: machine.icount(event.vcpu), vcpu: event.vcpu, text, source }, eip)
  }

  /** @param choice the last that was taken */
  finish(violation: Violation | null, choice: number): readonly TimelineLine[] {
    const machine = this.#machine
    const lines = this.#lines.finish((vcpu) => machine.eip(vcpu))
    if (violation === null) return lines
    const { vcpu } = violation
    const { text, eip } = this.#ending.describe(violation, choice, this.#disassemble)
    const sleepers = machine.violation === null ? [] : whoSleeps(machine)
    return [...lines, ...sleepers, { step: machine.step, icount: machine.icount(vcpu), vcpu, text, source: sourceOf(machine.image, eip) }]
  }
}

/** A line for each vCPU that sleeps where nobody can go on. */
function whoSleeps(machine: Machine): TimelineLine[] {
  return machine.cpus.flatMap((_, vcpu) =>
    machine.sleeps(vcpu) ? [{ step: machine.step, icount: machine.icount(vcpu), vcpu, text: machine.describeWait(vcpu).replace(/^vCPU \d+ /, ''), source: sourceOf(machine.image, machine.eip(vcpu)) }] : [],
  )
}

/** @param cycle first and last step, from 1 */
export function describeCycle({ from, to }: { readonly from: number; readonly to: number }): string {
  if (from > to) return 'nothing has to happen any more: a declared interrupt that may come need not'
  return from === to ? `step ${from} repeats for ever` : `steps ${from} to ${to} repeat for ever`
}

/** The timeline as plain text, a column of `step`, `icount` and vCPU before each event; no line is longer than `width`. */
export function formatTimeline(timeline: Pick<Timeline, 'lines'>, width: number = 100): string {
  const rows = timeline.lines.flatMap((line) => {
    const head = `${String(line.step).padStart(6)} ${String(line.icount).padStart(6)}  ${String(line.vcpu).padEnd(4)}  `
    const source = width - head.length - line.source.length < NARROWEST ? '' : line.source
    const room = width - head.length - (source === '' ? 0 : source.length + 2)
    return wrap(line.text, room).map((text, k) => (k === 0 ? `${head}${source === '' ? text : `${text.padEnd(room)}  ${source}`}` : ' '.repeat(head.length + 2) + text))
  })
  return ['  step icount  vCPU  event', ...rows].join('\n')
}

/** Columns of the event, at least, beside the line of source. */
const NARROWEST = 30

function describe(machine: Machine, event: MachineEvent, disassemble: (bytes: Uint8Array, eip: number) => string): string | null {
  const at = () => machine.symbolize(event.address)
  const value = `= 0x${(event.value >>> 0).toString(16)}`
  switch (event.kind) {
    case 'instruction':
      return null
    case 'fetch': {
      const bytes = event.stale ? `  (${Array.from(event.bytes!, (byte) => byte.toString(16).padStart(2, '0')).join(' ')})` : ''
      return `fetch ${event.stale ? 'STALE ' : ''}${at()}: ${disassemble(event.bytes!, event.address)}${bytes}`
    }
    case 'load':
      return `load ${at()} ${value}${describeBuffered(machine, event)}`
    case 'store':
      return `store ${at()} ${value} (buffered)`
    case 'drain':
      return `drain ${at()} ${value}`
    case 'locked-load':
      return `locked load ${at()} ${value}`
    case 'locked-store':
      return `locked store ${at()} ${value}`
    case 'interrupt':
      return `interrupt ${event.address} is taken`
    case 'nmi':
      return 'NMI is taken'
    case 'exception':
      return `exception ${event.address}`
    case 'send':
      return event.value < 0 ? `kicks vCPU ${event.address}` : `sends vector ${event.value} to vCPU ${event.address}`
    case 'walk':
      return `page walk reads ${at()} ${value}`
    case 'walk-ahead':
      return `page walk ahead of accesses, ${event.text}, sets A of ${at()} ${value}`
    case 'translation': {
      const linear = `0x${event.address.toString(16)}`
      return event.stale ? `STALE directory entry for ${linear} ${value}` : `STALE translation of ${linear} ${describeTranslation(event.value)}`
    }
    case 'invalidate':
      return event.sizeBytes === 0 ? `invalidates all translations${event.value === 1 ? '' : ' but global ones'}` : `invalidates the translation of 0x${event.address.toString(16)}`
    case 'cache-flush':
      return event.sizeBytes === 0 ? 'writes back and empties its caches' : `flushes the line of ${at()} from all caches`
    case 'serialize':
      return 'core-serialising instruction'
    case 'block':
      return 'was kicked, goes on'
    case 'choose':
      return `chooses ${event.value} of ${event.address}`
    case 'mark': {
      const call = nameOfCall(event.value)
      return `${event.sizeBytes === 0 ? call : 'log'} ${at()}`
    }
    case 'end':
      return 'ends'
    case 'schedule':
      return SCHEDULED
    case 'deschedule':
      return DESCHEDULED[event.value]
    case 'steal':
      return `the hypervisor writes ${at()} = ${event.value}`
  }
}

/** What the store buffer has to do with a load: it is where the value comes from, or it holds older stores that the load overtakes. */
function describeBuffered(machine: Machine, { vcpu, address, sizeBytes }: MachineEvent): string {
  const buffer = machine.buffer(vcpu)
  if (buffer.count === 0) return ''
  if (buffer.overlaps(address, sizeBytes)) return ' (from its own buffer)'
  return ` (its store to ${machine.symbolize(buffer.address(0))} is still buffered)`
}

const SCHEDULED = 'gets a pCPU'
const DESCHEDULED = ['loses its pCPU to the hypervisor', 'gives up its pCPU, with nothing to do', 'yields its pCPU']

/** A translation (cpu/paging.ts) in words: where it leads, and what it allows. */
function describeTranslation(entry: number): string {
  const flags = [(entry & W) !== 0 ? 'rw' : 'ro', (entry & U) !== 0 ? 'user' : '', (entry & D) !== 0 ? 'dirty' : '', (entry & G) !== 0 ? 'global' : '', (entry & NO_FETCH) !== 0 ? 'no code' : '']
  return `to frame 0x${((entry & ~0xfff) >>> 0).toString(16)} (${flags.filter((flag) => flag !== '').join(' ')})`
}

/** Bytes as an instruction, with symbols for its targets. */
function disassembler(machine: Machine): (bytes: Uint8Array, eip: number) => string {
  const formatter = new Formatter(FormatterSyntax.Nasm)
  return (bytes, eip) => {
    const decoder = new Decoder(32, bytes, DecoderOptions.None)
    decoder.ip = BigInt(eip >>> 0)
    const text = formatter.format(decoder.decode())
    return text.replace(/\b([0-9A-F]{4,9})h\b/g, (_, digits: string) => symbolize(machine.image, parseInt(digits, 16)))
  }
}
