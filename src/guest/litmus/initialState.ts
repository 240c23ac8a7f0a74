/** The initial state of a litmus test: `{ x=1; uint8_t b; int t[2]={1,2}; 0:rax=x; p=&x; }`, and what is our own of it. */
import type { Normalize } from './formula.ts'
import { LitmusError } from './litmusError.ts'

export interface Variable {
  readonly name: string
  /** Bytes of one element; elements. */
  readonly sizeBytes: number
  readonly count: number
  readonly signed: boolean
  /** Initial values of the elements, as written (numbers, or names of variables). */
  readonly values: readonly string[]
  readonly line: number
}

export interface InitialState {
  readonly variables: ReadonlyMap<string, Variable>
  /** `0:rax` (the spelling of final states) to its initial value, as written, and the line. */
  readonly registers: ReadonlyMap<string, { readonly value: string; readonly line: number }>
  /** `IDT[0x40]=P1:h`: handlers, at places in the code. */
  readonly handlers: readonly { readonly vector: number; readonly label: string; readonly line: number }[]
  /** `1:IRQ[0x40]=2`, `1:NMI=1`: what may arrive at a thread, and how often at the most. */
  readonly interrupts: readonly { readonly name: string; readonly vcpu: number; readonly vector: number; readonly max: number }[]
}

/** `PTE.x`: the entry that maps x; `PA.x`: the physical address of x. */
export const PAGING_SYMBOL = /^(PTE|PA)\.(.+)$/

interface Building {
  readonly variables: Map<string, Variable>
  readonly registers: Map<string, { value: string; line: number }>
  readonly handlers: InitialState['handlers'][number][]
  readonly interrupts: InitialState['interrupts'][number][]
}

/** Elements of an array at the most. */
const ELEMENTS_MAX = 1024

const TYPE_BYTES: Readonly<Record<string, number>> = {
  char: 1, int8_t: 1, uint8_t: 1, short: 2, int16_t: 2, uint16_t: 2, int: 4, unsigned: 4, int32_t: 4, uint32_t: 4, long: 8, int64_t: 8, uint64_t: 8,
  intptr_t: 8, uintptr_t: 8, atomic_t: 4, atomic_int: 4, signed: 4,
}
const QUALIFIERS = new Set(['volatile', 'const', 'static', '_Atomic', 'signed'])

/** @param threads how many there are. @throws LitmusError */
export function parseInitialState(text: string, firstLine: number, threads: number, normalize: Normalize): InitialState {
  const state: Building = { variables: new Map(), registers: new Map(), handlers: [], interrupts: [] }
  let line = firstLine
  for (const piece of splitOutside(text)) {
    const start = line + (/^\s*/.exec(piece)![0].match(/\n/g)?.length ?? 0)
    line += piece.match(/\n/g)?.length ?? 0
    const entry = piece.trim().replace(/\s+/g, ' ')
    if (entry !== '' && !parseSystem(entry, start, threads, state)) parseEntry(entry, start, normalize, state)
  }
  return state
}

/** At semicolons outside of braces. */
function splitOutside(text: string): string[] {
  const out: string[] = []
  let depth = 0
  let from = 0
  for (let k = 0; k < text.length; k++) {
    if (text[k] === '{') depth++
    if (text[k] === '}') depth--
    if (text[k] === ';' && depth === 0) {
      out.push(text.slice(from, k))
      from = k + 1
    }
  }
  out.push(text.slice(from))
  return out
}

/** Entries of our own: handlers, and interrupts that may come by themselves. False: it is another one. */
function parseSystem(entry: string, line: number, threads: number, { handlers, interrupts }: Building): boolean {
  const gate = /^IDT\s*\[\s*(\w+)\s*\]\s*=\s*(P\d+:\S+)$/i.exec(entry)
  const source = /^P?(\d+)\s*:\s*(?:IRQ\s*\[\s*(\w+)\s*\]|(NMI))\s*=\s*(\d{1,3})$/i.exec(entry)
  if (gate === null && source === null) return false
  const vector = gate !== null ? Number(gate[1]) : source![3] === undefined ? Number(source![2]) : 2
  if (!Number.isInteger(vector) || vector < 0 || vector > 255) throw new LitmusError(line, `'${entry.slice(0, 60)}': a vector is 0 to 255`)
  if (gate !== null) handlers.push({ vector, label: gate[2], line })
  else {
    const vcpu = Number(source![1])
    if (vcpu >= threads) throw new LitmusError(line, `there is no thread P${vcpu}`)
    interrupts.push({ name: `P${vcpu}:${source![3] === undefined ? `IRQ[${vector}]` : 'NMI'}`, vcpu, vector, max: Number(source![4]) })
  }
  return true
}

/** A place in code or memory, a number: `label:"P1:l"` and `&x` as `P1:l` and `x`. */
function valueOf(text: string): string {
  const label = /^label:\s*"P?(\d+:[^"]+)"$/.exec(text) ?? /^P?(\d+:[A-Za-z_.][\w.]*)$/.exec(text)
  return label !== null ? `P${label[1]}` : text.replace(/^&/, '')
}

function parseEntry(entry: string, line: number, normalize: Normalize, { variables, registers }: Building): void {
  const equals = entry.indexOf('=')
  const left = (equals < 0 ? entry : entry.slice(0, equals)).trim()
  const right = equals < 0 ? null : entry.slice(equals + 1).trim().replace(/^ATOMIC(?:_VAR)?_INIT\s*\((.*)\)$/, '$1').trim()
  const words = left.replace(/\*/g, ' * ').replace(/\s*\[/g, '[').split(/\s+/).filter((word) => !QUALIFIERS.has(word))
  const target = words.at(-1) ?? ''
  const types = words.slice(0, -1)
  const isPointer = types.includes('*')
  let sizeBytes = 4
  for (const type of types) {
    if (type === '*') continue
    const bytes = Object.hasOwn(TYPE_BYTES, type) ? TYPE_BYTES[type] : 0
    if (bytes === 0) throw new LitmusError(line, `initial state: type '${type.slice(0, 40)}' is not supported`)
    sizeBytes = bytes
  }
  if (isPointer) sizeBytes = 4
  const signed = !types.some((type) => type.startsWith('u'))
  if (/^P?\d+:/.test(target)) {
    registers.set(normalize(target, line), { value: valueOf(right ?? '0'), line })
    return
  }
  const match = /^\[?([A-Za-z_.$][\w.$]*)\]?(?:\[(\d{1,5})\])?$/.exec(target)
  if (match === null) throw new LitmusError(line, `initial state: '${entry.slice(0, 60)}' is not understood`)
  const name = match[1]
  const values = right === null ? [] : right.startsWith('{') ? right.slice(1, right.lastIndexOf('}')).split(',').map((one) => valueOf(one.trim())) : [valueOf(right)]
  const known = variables.get(name)
  const count = match[2] !== undefined && types.length > 0 ? Number(match[2]) : Math.max(values.length, 1)
  if (count > ELEMENTS_MAX || values.length > count) throw new LitmusError(line, `initial state: ${name} has ${values.length} values for ${Math.min(count, ELEMENTS_MAX)} elements`)
  // `t[1]=2` sets one element of an array that was declared before.
  if (match[2] !== undefined && types.length === 0) {
    const at = Number(match[2])
    const old = known ?? { name, sizeBytes, count: at + 1, signed, values: [], line }
    const filled = Array.from({ length: Math.max(old.count, at + 1) }, (_, k) => (k === at ? (values[0] ?? '0') : (old.values[k] ?? '0')))
    variables.set(name, { ...old, count: filled.length, values: filled })
    return
  }
  if (known !== undefined && types.length === 0) variables.set(name, { ...known, values })
  else variables.set(name, { name, sizeBytes, count, signed, values: values.length > 0 ? values : (known?.values ?? []), line })
}
