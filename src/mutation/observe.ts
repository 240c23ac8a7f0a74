/**
 * What the instructions of a program do in all of its executions, as far as mutants and their reasons need it: where code is reached at
 * all, what it reads and writes, which way its branches go, and how memory ends. Seen by a monitor in a search over all states.
 */
import { condition } from '../cpu/flags.ts'
import { CONDITIONS } from '../cpu/isa.ts'
import { EAX, ECX, EFLAGS, EIP, ESP, EVENT, EVENT_VALID } from '../cpu/registers.ts'
import { finalStates } from '../explore/finalStates.ts'
import { sumOf } from '../explore/sealed.ts'
import { GUEST_CALLS } from '../smp/guestCalls.ts'
import { WRITE, type MachineImage, type Region } from '../smp/image.ts'
import type { Machine } from '../smp/machine.ts'
import type { Model } from '../smp/model.ts'
import type { Monitor } from '../smp/monitor.ts'
import { guestCallOf, instructionAt, type Instruction } from './code.ts'

/** An instruction that was executed while the vCPUs ran; vCPUs as bits. */
export interface Place extends Instruction {
  vcpus: number
  /** Stores of its vCPU waited in the buffer when it came here. */
  buffered: boolean
  /** Of a conditional jump. */
  taken: boolean
  fellThrough: boolean
  /** It was the return of an entry function. */
  ends: boolean
  /** Physical addresses of bytes. */
  readonly reads: Set<number>
  readonly writes: Set<number>
}

/** vCPUs, as bits, that read and wrote a byte. */
export interface Touched {
  readers: number
  writers: number
  /** It was also read otherwise than by an instruction: fetched, polled, walked through. */
  aside: boolean
}

export interface Observation {
  readonly places: ReadonlyMap<number, Place>
  /** By physical address. */
  readonly touched: ReadonlyMap<number, Touched>
  /** The byte is of a stack, and one vCPU alone touches it. */
  readonly onOwnStack: (byte: number) => boolean
  /** Some vCPU walked page tables. */
  readonly walked: boolean
  /** Memory at the ends of executions. */
  readonly ends: ReadonlySet<string>
  readonly states: number
  /** Why there may be more than was seen; empty: this is all. */
  readonly reasons: readonly string[]
}

export const UNTOUCHED: Touched = { readers: 0, writers: 0, aside: false }

/** States of one observation. */
export const OBSERVED_STATES_MAX = 400_000

export function observe(image: MachineImage, model: Model, statesMax = OBSERVED_STATES_MAX): Observation {
  const watcher = new Watcher(image)
  const { outcomes, states, reasons } = finalStates(image, model, (machine) => memoryOf(machine), { statesMax, forgets: true, monitors: [watcher] })
  const { places, touched } = watcher
  const stacks = image.regions.filter((region) => isStack(image, region))
  const onOwnStack = (byte: number) => {
    const { readers, writers } = touched.get(byte) ?? UNTOUCHED
    const vcpus = readers | writers
    return (vcpus & (vcpus - 1)) === 0 && stacks.some(({ start, sizeBytes }) => byte >= start && byte < start + sizeBytes)
  }
  return { places, touched, onOwnStack, walked: watcher.walked, ends: outcomes, states, reasons }
}

/** Memory at the ends of executions of a mutant, in which these bytes of code differ; null: not all ends were found, or some execution goes wrong. */
export function endsOf(image: MachineImage, model: Model, original: Instruction, statesMax: number): ReadonlySet<string> | null {
  const { outcomes, violations, reasons } = finalStates(image, model, (machine) => memoryOf(machine, original), { statesMax, forgets: true })
  return reasons.length > 0 || violations.size > 0 ? null : outcomes
}

/** The sum of all memory that can be written, stacks apart. @param original stands in for what is there */
function memoryOf(machine: Machine, original?: Instruction): string {
  const sums: number[] = []
  for (const region of machine.image.regions) {
    if ((region.access & WRITE) === 0 || isStack(machine.image, region)) continue
    const at = machine.memory.index(region.start)
    const bytes = machine.memory.u8.slice(at, at + region.sizeBytes)
    const offset = original === undefined ? -1 : original.address - region.start
    if (offset >= 0 && offset < bytes.length) bytes.set(original!.bytes, offset)
    sums.push(...sumOf(new Int32Array(bytes.buffer)))
  }
  return sums.join()
}

const isStack = ({ vcpus }: MachineImage, { start, sizeBytes }: Region) => vcpus.some(({ registers }) => (registers[ESP] - 1) >>> 0 >= start && (registers[ESP] - 1) >>> 0 < start + sizeBytes)

class Watcher implements Monitor {
  readonly name = 'observation'
  readonly places = new Map<number, Place>()
  readonly touched = new Map<number, Touched>()
  walked = false
  readonly #image: MachineImage
  #machine!: Machine

  constructor(image: MachineImage) {
    this.#image = image
  }

  ghostWords(): number {
    return 0
  }

  attach(machine: Machine): void {
    this.#machine = machine
  }

  onFetch(vcpu: number, eip: number, sizeBytes: number, physical: number): void {
    this.#touch(vcpu, physical, sizeBytes, 'aside')
    const place = this.#placeAt(eip)
    if (place === null) return
    const { r } = this.#machine.cpus[vcpu]
    place.vcpus |= 1 << vcpu
    place.buffered ||= this.#machine.bufferedStoresOf(vcpu) > 0
    place.ends ||= r[ESP] === this.#image.vcpus[vcpu].registers[ESP] && place.op.row?.mnemonic === 'ret'
    if (guestCallOf(place.op) === GUEST_CALLS.poll) this.#touch(vcpu, r[EAX] >>> 0, 1, 'aside')
    const goes = jumps(place, r)
    if (goes === true) place.taken = true
    else if (goes === false) place.fellThrough = true
  }

  onAccess(vcpu: number, physical: number, sizeBytes: number, write: boolean): void {
    this.#touch(vcpu, physical >>> 0, sizeBytes, write ? 'write' : 'read')
    const { r } = this.#machine.cpus[vcpu]
    // What a delivery does is not done by the instruction that comes behind it.
    const place = (r[EVENT] & EVENT_VALID) === 0 ? this.places.get(r[EIP] >>> 0) : undefined
    if (place === undefined) return
    const bytes = write ? place.writes : place.reads
    for (let b = 0; b < sizeBytes; b++) bytes.add((physical >>> 0) + b)
  }

  onWalk(vcpu: number, physical: number, sizeBytes: number): void {
    this.walked = true
    this.#touch(vcpu, physical >>> 0, sizeBytes, 'aside')
  }

  #touch(vcpu: number, physical: number, sizeBytes: number, how: 'read' | 'write' | 'aside'): void {
    for (let b = 0; b < sizeBytes; b++) {
      const known = this.touched.get(physical + b) ?? { ...UNTOUCHED }
      if (how === 'write') known.writers |= 1 << vcpu
      else known.readers |= 1 << vcpu
      known.aside ||= how === 'aside'
      this.touched.set(physical + b, known)
    }
  }

  #placeAt(eip: number): Place | null {
    const known = this.places.get(eip)
    if (known !== undefined) return known
    const instruction = instructionAt(this.#image, eip)
    if (instruction === null) return null
    const place: Place = { ...instruction, vcpus: 0, buffered: false, taken: false, fellThrough: false, ends: false, reads: new Set(), writes: new Set() }
    this.places.set(eip, place)
    return place
  }
}

/** Whether the conditional jump goes, by the registers in front of it; null: it is none. */
function jumps({ op }: Instruction, r: Int32Array): boolean | null {
  const name = op.row?.mnemonic ?? ''
  const code = CONDITIONS.findIndex((one) => name === `j${one}`)
  if (code >= 0) return condition(r[EFLAGS], code)
  const counter = op.addrSize === 2 ? r[ECX] & 0xffff : r[ECX]
  if (/^je?cxz$/.test(name)) return counter === 0
  if (!name.startsWith('loop')) return null
  const left = op.addrSize === 2 ? (counter - 1) & 0xffff : counter - 1
  return left !== 0 && (name === 'loop' || condition(r[EFLAGS], CONDITIONS.indexOf('z')) === (name === 'loope' || name === 'loopz'))
}
