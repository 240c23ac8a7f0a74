/**
 * Mutants of a program, made mechanically from its machine code: what a protocol is made of is taken away, one piece at
 * a time, in place, so that nothing else moves. A protocol whose mutant still holds has a piece that it does not need,
 * or a property that does not see it.
 *
 * | piece | what the mutant has instead |
 * |---|---|
 * | store to memory other than the stack | NOPs |
 * | LOCK prefix | a DS prefix |
 * | fence (MFENCE, LFENCE, SFENCE, a locked operation on the stack), WBINVD, INVLPG, MOV to CR3 | NOPs |
 * | core synchronisation (CPUID, IRET to the next instruction) | NOPs |
 * | IPI, NMI, kick, CLI, STI | NOPs |
 * | conditional jump (a check, a recheck, a wait) | never taken; always taken |
 * | two adjacent stores | the other order |
 */
import { decode, IMM, MEM, type Op } from '../cpu/decode.ts'
import { EBP, ESP } from '../cpu/registers.ts'
import { GUEST_CALL_TAG, GUEST_CALLS } from '../smp/guestCalls.ts'
import type { MachineImage } from '../smp/image.ts'
import { symbolize } from '../smp/symbols.ts'

export interface Mutant {
  /** `store removed`, `LOCK removed`, ... */
  readonly kind: string
  /** Address of the instruction. */
  readonly address: number
  /** `function+0x12`, with the source line where it is known. */
  readonly where: string
  readonly image: MachineImage
}

interface Instruction {
  readonly address: number
  readonly op: Op
  readonly bytes: Uint8Array
}

const NOP = 0x90
const DS_PREFIX = 0x3e
const LOCK_PREFIX = 0xf0
const READ_ONLY = new Set(['cmp', 'test', 'push', 'call', 'jmp', 'bt', 'mul', 'imul', 'div', 'idiv', 'nop', 'invlpg', 'lgdt', 'lidt', 'verr', 'verw', 'ltr', 'lldt', 'lmsw', 'fxrstor'])
const FENCES = new Set(['mfence', 'lfence', 'sfence', 'wbinvd', 'invlpg', 'cpuid'])
const SENDS: ReadonlyMap<number, string> = new Map([
  [GUEST_CALLS.ipi, 'IPI'],
  [GUEST_CALLS.nmi, 'NMI'],
  [GUEST_CALLS.kick, 'kick'],
])

/** Every mutant of the functions of `image`, in the order of their addresses. */
export function mutantsOf(image: MachineImage): Mutant[] {
  const found: Mutant[] = []
  const inSite = (address: number) => image.sites.some((site) => address >= site.address >>> 0 && address < (site.address + site.sizeBytes) >>> 0)
  for (const run of functionsOf(image))
    run.forEach((one, k) => {
      if (inSite(one.address)) return
      const add = (kind: string, replacement: Uint8Array, address = one.address) =>
        found.push({ kind, address, where: whereOf(image, address), image: patched(image, address, replacement) })
      const nops = new Uint8Array(one.bytes.length).fill(NOP)
      const { op } = one
      const name = op.row?.mnemonic ?? ''
      const stack = op.base === ESP || (op.base === EBP && op.index < 0)
      const sync = synchronization(run, k)
      const send = sentBy(op)
      if (sync !== null) add('core synchronisation removed', new Uint8Array(sync).fill(NOP))
      else if (op.lock && stack) add('fence removed', nops)
      else if (op.lock) add('LOCK removed', one.bytes.map((byte, b) => (byte === LOCK_PREFIX && one.bytes.subarray(0, b).every(isPrefix) ? DS_PREFIX : byte)))
      else if (FENCES.has(name)) add(`${name} removed`, nops)
      else if (name === 'mov' && one.bytes[0] === 0x0f && one.bytes[1] === 0x22 && op.reg === 3) add('MOV to CR3 removed', nops)
      else if (name === 'cli' || name === 'sti') add(`${name.toUpperCase()} removed`, nops)
      else if (send !== null) add(`${send} removed`, nops)
      else if (isConditional(op)) {
        add('branch never taken', nops)
        add('branch always taken', always(one))
      } else if (isStore(op) && !stack) {
        add('store removed', nops)
        const next = run[k + 1]
        if (next !== undefined && isStore(next.op) && !inSite(next.address) && independent(one, next)) add('stores swapped', joined(next.bytes, one.bytes))
      }
    })
  return found
}

/** The instructions of every function with a known size, cut in order. */
function functionsOf(image: MachineImage): Instruction[][] {
  const seen = new Set<number>()
  return image.symbols
    .filter((symbol) => symbol.kind === 'function' && symbol.sizeBytes > 0 && !seen.has(symbol.address) && seen.add(symbol.address))
    .map(({ address, sizeBytes }) => {
      const run: Instruction[] = []
      const region = regionOf(image, address)
      if (region === undefined) return run
      const from = address - region.start
      const code = region.bytes.subarray(from, from + sizeBytes)
      for (let at = 0; at < code.length; ) {
        const op = decode(code, at, code.length - at, true)
        if (op.length === 0 || op.row === null) break
        run.push({ address: address + at, op, bytes: code.slice(at, at + op.length) })
        at += op.length
      }
      return run
    })
}

const regionOf = (image: MachineImage, address: number) => image.regions.find((region) => address >= region.start && address < region.start + region.bytes.length)

function patched(image: MachineImage, address: number, replacement: Uint8Array): MachineImage {
  const target = regionOf(image, address)!
  const bytes = target.bytes.slice()
  bytes.set(replacement, address - target.start)
  return { ...image, regions: image.regions.map((region) => (region === target ? { ...region, bytes } : region)) }
}

function whereOf(image: MachineImage, address: number): string {
  const line = image.lines.findLast((entry) => entry.address <= address)
  const source = line !== undefined && line.line > 0 ? ` (${line.file.split('/').pop()}:${line.line})` : ''
  return `${symbolize(image, address)}${source}`
}

const isPrefix = (byte: number) => [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3].includes(byte)

function isStore(op: Op): boolean {
  const name = op.row?.mnemonic ?? ''
  return !op.lock && op.a.kind === MEM && !READ_ONLY.has(name) && name !== 'xchg' && !name.startsWith('f')
}

function isConditional(op: Op): boolean {
  const name = op.row?.mnemonic ?? ''
  return name.startsWith('j') && name !== 'jmp' && op.a.kind === IMM
}

/** Jcc rel8 becomes JMP rel8; Jcc rel32 (6 bytes) NOP and JMP rel32. */
function always({ op, bytes }: Instruction): Uint8Array {
  const out = bytes.slice()
  if (op.length >= 6) {
    out[out.length - 6] = NOP
    out[out.length - 5] = 0xe9
  } else out[out.length - 2] = 0xeb
  return out
}

/** Neither reads what the other writes, by their registers: a store writes none. Same operands are one place. */
function independent(a: Instruction, b: Instruction): boolean {
  const place = ({ op }: Instruction) => `${op.base} ${op.index} ${op.scale} ${op.disp} ${op.seg}`
  const plain = ({ op }: Instruction) => op.row?.mnemonic === 'mov'
  return plain(a) && plain(b) && place(a) !== place(b)
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const out = new Uint8Array(a.length + b.length)
  out.set(a)
  out.set(b, a.length)
  return out
}

/** Bytes of PUSHF; PUSH CS; PUSH $next; IRET at `k`; null where there is none. */
function synchronization(run: readonly Instruction[], k: number): number | null {
  const part = run.slice(k, k + 4)
  if (part.map((one) => one.op.row?.mnemonic).join(' ') !== 'pushf push push iret') return null
  const bytes = part.reduce((sum, one) => sum + one.bytes.length, 0)
  return part[2].op.a.kind === IMM && part[2].op.a.value >>> 0 === (part[0].address + bytes) >>> 0 ? bytes : null
}

function sentBy(op: Op): string | null {
  if (op.row?.mnemonic !== 'nop' || op.disp >>> 16 !== GUEST_CALL_TAG) return null
  return SENDS.get(op.disp & 0xffff) ?? null
}
