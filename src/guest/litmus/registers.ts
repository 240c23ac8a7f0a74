/** Register names of both dialects, narrowed to 32 bits, and where they are on the machine. */
import { LitmusError } from './litmusError.ts'

export interface RegisterName {
  /** The register that it is a part of: `rax` ... `rdi`, `r8` ... `r15`, or a symbolic one, `%name`. */
  readonly whole: string
  /** Bytes that are accessed, 64-bit names narrowed to 4. */
  readonly sizeBytes: number
  /** AH, BH, CH, DH. */
  readonly high: boolean
  readonly symbolic: boolean
}

const NAMES = new Map<string, RegisterName>()
function name(text: string, whole: string, sizeBytes: number, high = false): void {
  NAMES.set(text, { whole, sizeBytes, high, symbolic: false })
}
for (const letter of ['a', 'b', 'c', 'd']) {
  const whole = `r${letter}x`
  name(whole, whole, 4)
  name(`e${letter}x`, whole, 4)
  name(`${letter}x`, whole, 2)
  name(`${letter}l`, whole, 1)
  name(`${letter}h`, whole, 1, true)
}
for (const stem of ['si', 'di', 'bp', 'sp']) {
  const whole = `r${stem}`
  name(whole, whole, 4)
  name(`e${stem}`, whole, 4)
  name(stem, whole, 2)
  name(`${stem}l`, whole, 1)
}
for (let k = 8; k < 16; k++) {
  const whole = `r${k}`
  name(whole, whole, 4)
  name(`${whole}d`, whole, 4)
  name(`${whole}w`, whole, 2)
  name(`${whole}b`, whole, 1)
}
/** These are registers, and none that a symbolic name could mean. */
const OTHERS = /^%(?:[xyz]?mm\d+|st|[cd]r\d+|[c-gs]s|rip|eip)$/i

/** A register by any of its names, in either case, with or without `%`; a symbolic one needs it. Null: it is none. */
export function registerNamed(text: string): RegisterName | null {
  const known = NAMES.get(text.toLowerCase().replace(/^%/, ''))
  if (known !== undefined) return known
  return /^%[A-Za-z]\w*$/.test(text) && !OTHERS.test(text) ? { whole: text, sizeBytes: 4, high: false, symbolic: true } : null
}

/** How a final state names the register: `EAX` in X86 tests, `rax` in X86_64. */
export function displayName(whole: string, arch: string): string {
  return arch === 'X86' && /^r[a-ds]/.test(whole) ? `E${whole.slice(1).toUpperCase()}` : whole
}

const RANKED = ['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'rsp', ...Array.from({ length: 8 }, (_, k) => `r${k + 8}`)]

/** Place in herd's order of registers (lib/X86_64Base.ml), by the spelling of final states. */
export function registerRank(display: string): number {
  const at = RANKED.indexOf(registerNamed(display)?.whole ?? display)
  return at < 0 ? RANKED.length : at
}

/** What the 32-bit machine calls a part of one of its registers. */
export function partName(physical: string, sizeBytes: number, high: boolean): string {
  const stem = physical.slice(1)
  if (sizeBytes === 4) return physical
  if (sizeBytes === 2) return stem
  return `${stem[0]}${high ? 'h' : 'l'}`
}

/** Registers that tests may use, those with byte parts first; ESP is the stack's. */
const PHYSICAL = ['eax', 'ecx', 'edx', 'ebx', 'esi', 'edi', 'ebp']
const WITH_BYTES: ReadonlySet<string> = new Set(['eax', 'ecx', 'edx', 'ebx'])

export interface RegisterUses {
  readonly used: ReadonlySet<string>
  /** A byte of it is accessed. */
  readonly needsByte: ReadonlySet<string>
  /** Used by instructions that do not name it: it keeps its place. */
  readonly fixed: ReadonlySet<string>
  /** RSP is the machine's. */
  readonly stack: boolean
}

/** Where each register is on the machine: in its own place where that can be; r8 to r15, byte parts of RSI and others take what is free. */
export function allocateRegisters({ used, needsByte, fixed, stack }: RegisterUses, line: number): Map<string, string> {
  const places = new Map<string, string>()
  const free = new Set(PHYSICAL)
  const own = (whole: string) => `e${whole.slice(1)}`
  const take = (whole: string, place: string) => {
    places.set(whole, place)
    free.delete(place)
  }
  if (stack && used.has('rsp')) take('rsp', 'esp')
  for (const whole of [...fixed, ...used]) {
    if (places.has(whole) || !free.has(own(whole))) continue
    if (!needsByte.has(whole) || WITH_BYTES.has(own(whole))) take(whole, own(whole))
    else if (fixed.has(whole)) throw new LitmusError(line, `unsupported: a byte of ${whole}, where another instruction needs it in its place`)
  }
  for (const whole of [...used].filter((one) => !places.has(one)).sort((a, b) => Number(needsByte.has(b)) - Number(needsByte.has(a)))) {
    // What needs no byte part leaves the registers that have one alone, as long as it can.
    const candidates = [...free].filter((one) => !needsByte.has(whole) || WITH_BYTES.has(one))
    const place = needsByte.has(whole) ? candidates[0] : candidates.at(-1)
    if (place === undefined) throw new LitmusError(line, `unsupported: a thread uses more registers than the i386 has (${[...used].join(' ')})`)
    take(whole, place)
  }
  return places
}
