/**
 * Why a mutant holds, where what was seen of the whole program (observe.ts) proves it. Each is a fact about all executions; what no
 * fact explains is for people to look at.
 */
import { CREG, IMM, MEM } from '../cpu/decode.ts'
import { GUEST_CALLS } from '../smp/guestCalls.ts'
import type { MachineImage } from '../smp/image.ts'
import type { Model } from '../smp/model.ts'
import { guestCallOf } from './code.ts'
import type { Mutant } from './mutants.ts'
import { endsOf, UNTOUCHED, type Observation, type Place } from './observe.ts'

export interface Subject {
  readonly image: MachineImage
  readonly model: Model
  readonly observation: Observation
}

const FENCES: ReadonlySet<string> = new Set(['fence removed', 'MFENCE removed'])
const SYNCHRONISATIONS: ReadonlySet<string> = new Set(['core synchronisation removed', 'CPUID removed', 'WBINVD removed'])
/** Calls that others notice nothing of. */
const SILENT_CALLS: ReadonlySet<number> = new Set([GUEST_CALLS.assert, GUEST_CALLS.reach, GUEST_CALLS.log, GUEST_CALLS.vcpu, GUEST_CALLS.choose, GUEST_CALLS.progress])
const SERIALISING: ReadonlySet<string> = new Set(['mfence', 'cpuid', 'iret', 'invlpg', 'wbinvd', 'invd', 'lgdt', 'lidt', 'lldt', 'ltr'])

/** Why the mutant is the program itself, and need not be run; null: it is not, as far as is known. */
export function sameProgram({ observation }: Subject, { kind, place }: Mutant): string | null {
  if (observation.reasons.length > 0) return null
  if (kind === 'branch never taken' && !place.taken) return 'no execution takes it'
  if (kind === 'branch always taken' && !place.fellThrough) return 'every execution takes it'
  return null
}

/** Why a mutant holds that does; null: nothing proves it. */
export function reasonOf(subject: Subject, mutant: Mutant, changed: MachineImage, statesMax: number): string | null {
  if (subject.observation.reasons.length > 0) return null
  return reasonByOrder(subject, mutant) ?? reasonByUse(subject, mutant) ?? reasonByEnds(subject, mutant, changed, statesMax)
}

function reasonByOrder(subject: Subject, { kind, place }: Mutant): string | null {
  const { image, model, observation } = subject
  const alone = image.vcpus.length === 1 && !observation.walked
  const orders = alone ? 'there is no other vCPU' : !place.buffered ? 'no store waits in the buffer whenever it is executed' : drainsFirst(subject, place) ? 'what waits in the buffer reaches memory before its vCPU does anything else that depends on others' : null
  if ((kind === 'LFENCE removed' || kind === 'SFENCE removed') && !model.storesOvertake) return 'under TSO it orders nothing'
  if (FENCES.has(kind)) return orders
  if (SYNCHRONISATIONS.has(kind) && orders !== null && (model.fetch.kind === 'coherent' || !writesCode(observation))) return `${orders}, and nothing else that it synchronises changes`
  if (kind !== 'LOCK removed') return null
  const others = (byte: number) => observation.touched.get(byte) ?? UNTOUCHED
  const bytes = [...place.writes]
  if (bytes.every((byte) => isOne(others(byte).readers | others(byte).writers)) && orders !== null) return `no other vCPU touches what it changes, and ${orders}`
  // The store of the unlocked form is in the buffer behind it.
  if (bytes.every((byte) => isOne(others(byte).writers)) && (alone || drainsFirst(subject, place))) return 'no other vCPU writes what it changes, and its store reaches memory before its vCPU does anything else that depends on others'
  return null
}

function reasonByUse({ image, observation }: Subject, { kind, place, other }: Mutant): string | null {
  const { touched, places } = observation
  if (kind === 'store removed' && image.final === null) {
    const isRead = (byte: number) => touched.get(byte)!.aside || [...places.values()].some((one) => one !== place && one.reads.has(byte))
    if (![...place.writes].some(isRead)) return 'nobody reads what it writes'
  }
  const apart = ({ writes, vcpus }: Place) => isOne(vcpus) && [...writes].every((byte) => ((touched.get(byte)!.readers | touched.get(byte)!.writers) & ~vcpus) === 0 && !touched.get(byte)!.aside)
  if (kind === 'stores swapped' && (apart(place) || apart(other!))) return 'no other vCPU touches what one of them writes'
  return null
}

function reasonByEnds({ model, observation }: Subject, { original }: Mutant, changed: MachineImage, statesMax: number): string | null {
  const ends = endsOf(changed, model, original, statesMax)
  const same = ends !== null && ends.size === observation.ends.size && [...ends].every((end) => observation.ends.has(end))
  return same ? `no execution goes wrong, and all leave memory as they did (${ends.size} ${ends.size === 1 ? 'end' : 'ends'})` : null
}

/** One vCPU, as bits, at the most. */
const isOne = (vcpus: number) => (vcpus & (vcpus - 1)) === 0

const writesCode = ({ places, touched }: Observation) => [...places.values()].some(({ address, bytes }) => bytes.some((_, b) => (touched.get(address + b)?.writers ?? 0) !== 0))

/**
 * On every way on from `from`, the store buffer drains, or the vCPU ends, before it reads what another vCPU writes or does something else that
 * others can tell. Ways are those that some execution goes.
 */
function drainsFirst({ image, model, observation }: Subject, from: Place): boolean {
  const { places, touched, walked } = observation
  const interrupted = image.interrupts.length > 0 || image.handledVectors.some((vector) => vector >= 32)
  if (walked || model.storesOvertake || writesCode(observation) || (interrupted && !model.interruptDrains)) return false
  const seen = new Set<number>()
  const open = [from.address + from.bytes.length]
  while (open.length > 0) {
    const address = open.pop()! >>> 0
    const place = places.get(address)
    if (place === undefined || seen.has(address)) continue
    seen.add(address)
    const { op } = place
    const name = op.row!.mnemonic
    const call = guestCallOf(op)
    const drains = op.lock || (name === 'xchg' && op.a.kind === MEM) || SERIALISING.has(name) || (name === 'mov' && op.a.kind === CREG) || call === GUEST_CALLS.poll
    if (drains || place.ends) continue
    const depends = (byte: number) => !observation.onOwnStack(byte) && (touched.get(byte)!.writers & (isOne(place.vcpus) ? ~place.vcpus : ~0)) !== 0
    if ((call >= 0 && !SILENT_CALLS.has(call)) || [...place.reads].some(depends)) return false
    if ((name.startsWith('j') || name.startsWith('loop') || name === 'call') && op.a.kind === IMM) {
      const conditional = name !== 'jmp' && name !== 'call'
      if (!conditional || place.taken) open.push(address + op.length + op.a.value)
      if (conditional && place.fellThrough) open.push(address + op.length)
    } else if (/^(ret|retf|call|jmp|int|hlt)/.test(name)) return false
    else open.push(address + op.length)
  }
  return true
}
