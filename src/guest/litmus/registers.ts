/** Register names of both dialects, narrowed to 32 bits. */
const LETTERS = ['a', 'b', 'c', 'd'] as const

export interface RegisterName {
  /** The register that it is a part of: `rax` ... `rdi`, `r8` ... `r15`. */
  readonly whole: string
  /** Bytes that are accessed, 64-bit names narrowed to 4. */
  readonly sizeBytes: number
  /** AH, BH, CH, DH. */
  readonly high: boolean
}

const NAMES = new Map<string, RegisterName>()
for (const letter of LETTERS) {
  const whole = `r${letter}x`
  NAMES.set(whole, { whole, sizeBytes: 4, high: false })
  NAMES.set(`e${letter}x`, { whole, sizeBytes: 4, high: false })
  NAMES.set(`${letter}x`, { whole, sizeBytes: 2, high: false })
  NAMES.set(`${letter}l`, { whole, sizeBytes: 1, high: false })
  NAMES.set(`${letter}h`, { whole, sizeBytes: 1, high: true })
}
for (const name of ['si', 'di', 'bp', 'sp']) {
  const whole = `r${name}`
  NAMES.set(whole, { whole, sizeBytes: 4, high: false })
  NAMES.set(`e${name}`, { whole, sizeBytes: 4, high: false })
  NAMES.set(name, { whole, sizeBytes: 2, high: false })
  NAMES.set(`${name}l`, { whole, sizeBytes: 1, high: false })
}
for (let k = 8; k < 16; k++) {
  const whole = `r${k}`
  NAMES.set(whole, { whole, sizeBytes: 4, high: false })
  NAMES.set(`${whole}d`, { whole, sizeBytes: 4, high: false })
  NAMES.set(`${whole}w`, { whole, sizeBytes: 2, high: false })
  NAMES.set(`${whole}b`, { whole, sizeBytes: 1, high: false })
}

/** A register by any of its names, in either case, with or without `%`; null: it is none. */
export function registerNamed(text: string): RegisterName | null {
  return NAMES.get(text.toLowerCase().replace(/^%/, '')) ?? null
}

/** How a final state names the register: `EAX` in X86 tests, `rax` in X86_64. */
export function displayName(whole: string, arch: string): string {
  return arch === 'X86' && /^r[a-ds]/.test(whole) ? `E${whole.slice(1).toUpperCase()}` : whole
}

/** Place in herd's order of registers (lib/X86_64Base.ml), by the spelling of final states. */
export function registerRank(display: string): number {
  const at = RANKED.indexOf((registerNamed(display) ?? { whole: display }).whole)
  return at < 0 ? RANKED.length : at
}
const RANKED = ['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'rsp', ...Array.from({ length: 8 }, (_, k) => `r${k + 8}`)]

/** What the 32-bit machine has for a register of the test, and how its parts are named there. */
export function partName(physical: string, sizeBytes: number, high: boolean): string {
  const stem = physical.slice(1)
  if (sizeBytes === 4) return physical
  if (sizeBytes === 2) return stem
  return `${stem[0]}${high ? 'h' : 'l'}`
}

/** Registers that tests may use, those with byte parts first; ESP stays the stack's. */
export const PHYSICAL = ['eax', 'ecx', 'edx', 'ebx', 'esi', 'edi', 'ebp'] as const
export const WITH_BYTES: ReadonlySet<string> = new Set(['eax', 'ecx', 'edx', 'ebx'])
