/**
 * Where everything stands in the machine's one `Int32Array` (state/store.ts).
 *
 * ```
 * word 0          globals     PHASE ...
 *                 vCPU 0      registers | status | IRR | instruction in progress | store buffer
 *                 vCPU n-1
 *                 sources     arrivals so far, one word an interrupt source
 *                 history     code writes that some vCPU may still lag behind (fetchView.ts)
 *                 translations  what each vCPU may use although the page tables say otherwise (translations.ts); entries out of reach (walksAhead.ts)
 *                 ghosts      monitors
 *                 memory      the image's pages
 * `hashed` -----  quiet       per vCPU: pending event, icount
 *                 serials     number of code writes so far, then of each entry of the history its number among them
 * ```
 */
import { REGISTER_WORDS } from '../cpu/registers.ts'

/** Global words. */
export const PHASE = 0
export const HISTORY_COUNT = 1
/** vCPUs that hold a pCPU, as bits, where there are fewer of these (pcpus.ts). */
export const ON_PCPU = 2
export const GLOBAL_WORDS = 4

export const PHASE_INIT = 0
export const PHASE_RUN = 1
export const PHASE_FINAL = 2
export const PHASE_DONE = 3

/** Words of a vCPU, from its base. */
export const STATUS = REGISTER_WORDS
export const KICKED = STATUS + 1
export const NMI_PENDING = STATUS + 2
/** 256 bits. */
export const IRR = STATUS + 3
/** Parked where the next event can go several ways: its PENDING value, else 0. Part of the state, as it decides what can be chosen. */
export const POSED = IRR + 8
/** Where vCPUs share pCPUs: the instruction in progress has made an event. */
export const ACTED = POSED + 1
/** The instruction in progress: bytes fetched for it (0: not by a visible fetch), then 16 bytes in 4 words. */
export const FETCHED_LENGTH = ACTED + 1
export const FETCHED_BYTES = FETCHED_LENGTH + 1
/** Answers already given to the instruction in progress. */
export const ANSWER_COUNT = FETCHED_BYTES + 4
export const ANSWERS = ANSWER_COUNT + 1
/** A task switch through a gate makes some 60 accesses; with PAE each looks up, walks two entries of two words, and fills. */
export const ANSWERS_MAX = 512
/** Store buffer, oldest entry first: physical address, size in bytes (and a mark, storeBuffer.ts), low and high word of the value. */
export const BUFFER_COUNT = ANSWERS + ANSWERS_MAX
export const BUFFER = BUFFER_COUNT + 1
export const BUFFER_ENTRY_WORDS = 4
export const BUFFER_ENTRIES_MAX = 32
export const VCPU_WORDS = BUFFER + BUFFER_ENTRIES_MAX * BUFFER_ENTRY_WORDS

/** STATUS values. */
export const RUNNABLE = 0
export const ENDED = 1

/** Quiet words of a vCPU (not hashed): what it is parked at, and its clock. */
export const PENDING = 0
export const PENDING_ADDRESS = 1
export const PENDING_SIZE = 2
/** Number of alternatives of the pending event. */
export const PENDING_WAYS = 3
/** Instructions retired. */
export const ICOUNT = 4
/** Number of the local state (stepMemo.ts); 0: it has none. */
export const LOCAL = 5
/** The last wake-up of the vCPU (kick, IPI, NMI, interrupt): step at which it came, what it was (wakes.ts), step at which it was taken. */
export const WAKE_CAME = 6
export const WAKE_WHAT = 7
export const WAKE_TAKEN = 8
/** Where the vCPU last went backwards to without having changed anything but registers, and how often in a row (spins.ts). */
export const TURN_AT = 9
export const TURNS = 10
export const QUIET_WORDS = 11

/** PENDING values: the event that the vCPU would make next. */
export const AT_NOTHING = 0
/** An instruction boundary at which an interrupt could be taken. */
export const AT_BOUNDARY = 1
export const AT_FETCH = 2
export const AT_LOAD = 3
/** A store that waits for room in the buffer, or whose halves may go in either order. */
export const AT_STORE = 4
export const AT_LOCKED = 5
/** Waits for the own buffer to drain, makes no event of its own. */
export const AT_FENCE = 6
/** Core-serialising instruction. */
export const AT_SERIALIZE = 7
export const AT_CHOOSE = 8
/** IPI, NMI, kick: reaches another vCPU. */
export const AT_SEND = 9
/** Waits for a kick; PENDING_SIZE: BLOCK_UNTIL_INTERRUPT, an interrupt ends it too. */
export const AT_BLOCK = 10
export const BLOCK_UNTIL_INTERRUPT = 1
/** A mark that feeds a monitor's ghost state. */
export const AT_MARK = 11
/** Ran `localSteps` instructions without a visible event. */
export const AT_LOCAL = 12
/** HLT: waits for an interrupt. */
export const AT_HALT = 13
/** The actor has ended. */
export const AT_END = 14
/** An assumption that does not hold: the execution is cut there, but what others do before still counts. */
export const AT_CUT = 15
/** Waits for a byte of memory to be other than 0. */
export const AT_POLL = 16
/** A translation other than what a walk gives could be used; PENDING_ADDRESS: linear address, PENDING_SIZE: the access. */
export const AT_TRANSLATE = 17
/** XM_YIELD, where others may wait for a pCPU. */
export const AT_YIELD = 18
/** A load, or the first of a locked access, where walks ahead may set accessed bits before (walksAhead.ts). */
export const AT_ENTRY = 19

export const PENDING_NAMES = [
  'nothing', 'boundary', 'fetch', 'load', 'store', 'locked', 'fence', 'serialize', 'choose', 'send', 'block',
  'mark', 'local', 'halt', 'end', 'cut', 'poll', 'translate', 'yield', 'entry',
] as const

/** Word offsets of one machine. */
export interface Layout {
  readonly vcpus: number
  readonly vcpu: number
  readonly sources: number
  readonly history: number
  readonly translations: number
  readonly ghosts: number
  readonly memory: number
  readonly quiet: number
  readonly serials: number
  readonly length: number
}

export function layOut(vcpus: number, sources: number, historyWords: number, historyEntries: number, translationWords: number, ghostWords: number, memoryWords: number): Layout {
  const vcpu = GLOBAL_WORDS
  const sourcesAt = vcpu + vcpus * VCPU_WORDS
  const history = sourcesAt + sources
  const translations = history + historyWords
  const ghosts = translations + translationWords
  const memory = ghosts + ghostWords
  const quiet = memory + memoryWords
  const serials = quiet + vcpus * QUIET_WORDS
  return { vcpus, vcpu, sources: sourcesAt, history, translations, ghosts, memory, quiet, serials, length: serials + 1 + historyEntries }
}
