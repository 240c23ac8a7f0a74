/** One execution as text: a line an event, both clocks, symbols, source lines. */
import { Decoder, DecoderOptions, Formatter, FormatterSyntax } from 'iced-x86'
import type { MachineEvent } from '../smp/events.ts'
import type { Machine } from '../smp/machine.ts'
import { GUEST_CALLS } from '../smp/guestCalls.ts'
import { replayTrace, type Replay } from './record.ts'
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

export interface Timeline {
  readonly lines: readonly TimelineLine[]
  readonly replay: Replay
}

/** Replays `trace` and describes what each vCPU did. @param linesMax what is kept, from the end */
export function timelineOf(trace: Trace, linesMax: number = 2000): Timeline {
  const lines: TimelineLine[] = []
  const disassemble = disassembler()
  const replay = replayTrace(trace, (machine) => (event) => {
    const text = describe(machine, event, disassemble)
    if (text === null) return
    const eip = machine.cpus[event.vcpu].r[8] >>> 0
    const address = event.kind === 'instruction' || event.kind === 'fetch' ? event.address : eip
    lines.push({ step: machine.step, icount: machine.icount(event.vcpu), vcpu: event.vcpu, text, source: sourceOf(machine, address) })
    if (lines.length > linesMax * 2) lines.splice(0, linesMax)
  })
  return { lines: lines.slice(-linesMax), replay }
}

/** The timeline as plain text, a column of `step`, `icount` and vCPU before each event. */
export function formatTimeline(timeline: Timeline, width: number = 100): string {
  const head = '  step icount  vCPU  event'
  const rows = timeline.lines.map((line) => {
    const left = `${String(line.step).padStart(6)} ${String(line.icount).padStart(6)}  ${String(line.vcpu).padEnd(4)}  ${line.text}`
    if (line.source === '') return left.slice(0, width)
    const room = width - line.source.length - 2
    return room < 40 ? left.slice(0, width) : `${left.slice(0, room).padEnd(room)}  ${line.source}`
  })
  return [head, ...rows].join('\n')
}

function describe(machine: Machine, event: MachineEvent, disassemble: (bytes: Uint8Array, eip: number) => string): string | null {
  const at = () => machine.symbolize(event.address)
  const value = `= 0x${(event.value >>> 0).toString(16)}`
  switch (event.kind) {
    case 'instruction':
      return null
    case 'fetch': {
      const bytes = Array.from(event.bytes!, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
      return `fetch ${event.stale ? 'STALE ' : ''}${at()}: ${bytes}  ${disassemble(event.bytes!, event.address)}`
    }
    case 'load':
      return `load ${at()} ${value}`
    case 'store':
      return `store ${at()} ${value} (into the store buffer, ${event.sizeBytes} bytes)`
    case 'drain':
      return `drain ${at()} ${value} (reaches memory, ${event.sizeBytes} bytes)`
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
    case 'serialize':
      return 'core-serialising instruction'
    case 'block':
      return 'was kicked, goes on'
    case 'choose':
      return `chooses ${event.value} of ${event.address}`
    case 'mark': {
      const call = Object.entries(GUEST_CALLS).find(([, number]) => number === event.value)?.[0] ?? 'mark'
      return `${event.sizeBytes === 0 ? call : 'log'} ${at()}`
    }
    case 'end':
      return 'ends'
  }
}

function disassembler(): (bytes: Uint8Array, eip: number) => string {
  const formatter = new Formatter(FormatterSyntax.Nasm)
  return (bytes, eip) => {
    const decoder = new Decoder(32, bytes, DecoderOptions.None)
    decoder.ip = BigInt(eip >>> 0)
    return formatter.format(decoder.decode())
  }
}

function sourceOf(machine: Machine, address: number): string {
  const lines = machine.image.lines
  let low = 0
  let high = lines.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (lines[middle].address >>> 0 <= address >>> 0) low = middle + 1
    else high = middle
  }
  const entry = lines[low - 1]
  return entry === undefined || entry.line === 0 ? '' : `${entry.file.split('/').pop()}:${entry.line}`
}
