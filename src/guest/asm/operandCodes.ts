/**
 * Operand codes of the opcode map (SDM vol. 2D, appendix A.2): whether an operand can stand where a row of
 * the ISA table has `Ev` or `sIb`, and which field of the instruction it fills.
 */
import type { Concrete } from './concrete.ts'

/** Fields of one instruction while its operands are matched. */
export interface Draft {
  /** Operand size that is tried, in bytes: 2 or 4. */
  readonly width: number
  /** An operand has this size by itself: it need not be the default of the code segment. */
  widthForced: boolean
  /** Some operand depends on the operand size. */
  widthUsed: boolean
  /** Added to the last opcode byte; -1: nothing was. */
  opcodeRegister: number
  /** ModRM.reg, -1: none. */
  reg: number
  /** ModRM.rm as a register, -1: none. */
  rm: number
  /** Memory operand in ModRM. */
  memory: Concrete | null
  /** Memory operand by offset alone (`MOV AL, moffs8`). */
  offset: Concrete | null
  /** Size of the memory operand that the form has, in bytes; 0: none, or any. */
  memoryBytes: number
  /** A string instruction's operand decides the address size. */
  addressBytes: number
  readonly immediates: Immediate[]
  /** Why an operand of the right kind did not fit: the better message. */
  reason: string
  reasonColumn: number
}

export interface Immediate {
  readonly value: bigint
  readonly bytes: number
  /** Jump target: what is stored is the distance from the end of the instruction. */
  readonly relative: boolean
  readonly known: boolean
  readonly column: number
}

interface Code {
  /** Addressing method: E, G, I, sI, J, M ...; `fixed` for a register or number in the opcode. */
  readonly method: string
  /** Operand type: b, w, v ...; for `fixed` its name. */
  readonly type: string
}

const METHODS = /^(sI|[ACDEGIJMNOPQRSTUVWXYZ])([a-z]*)$/
const parsed = new Map<string, Code>()

export function parseCode(code: string): Code {
  let found = parsed.get(code)
  if (!found) {
    const parts = METHODS.exec(code)
    found = parts ? { method: parts[1], type: parts[2] } : { method: 'fixed', type: code.toLowerCase() }
    parsed.set(code, found)
  }
  return found
}

// prettier-ignore
const TYPE_BYTES: ReadonlyMap<string, number> = new Map([
  ['b', 1], ['w', 2], ['d', 4], ['y', 4], ['q', 8], ['s', 6], ['t', 10], ['dq', 16], ['x', 16],
  ['ps', 16], ['pd', 16], ['ss', 4], ['sd', 8], ['pi', 8], ['si', 4],
])

/** Bytes of an operand type under an operand size; 0: any, or none of interest. */
export function typeBytes(type: string, width: number): number {
  if (type === 'v' || type === 'z') return width
  if (type === 'p') return width + 2
  if (type === 'a') return width * 2
  return TYPE_BYTES.get(type) ?? 0
}

export function dependsOnWidth(type: string): boolean {
  return type === 'v' || type === 'z' || type === 'p' || type === 'a'
}

/** Fills `operand` into `draft` as `code` says; false where it cannot stand there. */
export function matchOperand(code: Code, operand: Concrete, draft: Draft): boolean {
  const { method, type } = code
  const bytes = typeBytes(type, draft.width)
  switch (method) {
    case 'E':
      return operand.kind === 'memory'
        ? matchMemory(operand, type, bytes, draft)
        : isRegister(operand, 'general', bytes) && setRm(operand, type, draft)
    case 'M':
      return operand.kind === 'memory' && matchMemory(operand, type, bytes, draft)
    case 'G':
      return isRegister(operand, 'general', bytes) && setReg(operand, type, draft)
    case 'R':
      return isRegister(operand, 'general', bytes || 4) && setRm(operand, type, draft)
    case 'Z':
      if (!isRegister(operand, 'general', bytes)) return false
      noteWidth(type, draft, true)
      draft.opcodeRegister = operand.register!.number
      return true
    case 'Q':
    case 'W':
      return operand.kind === 'memory' ? matchMemory(operand, type, bytes, draft) : matchSpecial(method, operand, draft)
    case 'I':
    case 'sI':
      return operand.kind === 'immediate' && matchImmediate(operand, code, bytes, draft)
    case 'J':
      return operand.kind === 'immediate' && matchTarget(operand, type, bytes, draft)
    case 'A':
      return operand.kind === 'far' && matchFar(operand, draft)
    case 'O':
      if (operand.kind !== 'memory' || operand.address!.base >= 0 || operand.address!.index >= 0) return false
      if (operand.address!.rm16 >= 0 || !matchMemory(operand, type, bytes, draft)) return false
      draft.offset = operand
      draft.memory = null
      return true
    default:
      return method in SPECIAL ? matchSpecial(method, operand, draft) : matchFixed(type, operand, draft)
  }
}

/** Methods that name registers of a class of its own, and the field of ModRM that has them. */
const SPECIAL: Readonly<Record<string, readonly [registerClass: string, field: 'reg' | 'rm']>> = {
  S: ['segment', 'reg'], C: ['control', 'reg'], D: ['debug', 'reg'], T: ['test', 'reg'], P: ['mmx', 'reg'], V: ['xmm', 'reg'],
  N: ['mmx', 'rm'], Q: ['mmx', 'rm'], U: ['xmm', 'rm'], W: ['xmm', 'rm'],
} // prettier-ignore

function matchSpecial(method: string, operand: Concrete, draft: Draft): boolean {
  const [registerClass, field] = SPECIAL[method]
  if (!isRegister(operand, registerClass, 0)) return false
  draft[field] = operand.register!.number
  return true
}

function isRegister(operand: Concrete, registerClass: string, bytes: number): boolean {
  const { register } = operand
  return register?.class === registerClass && (bytes === 0 || register.sizeBytes === bytes)
}

function setReg(operand: Concrete, type: string, draft: Draft): boolean {
  noteWidth(type, draft, true)
  draft.reg = operand.register!.number
  return true
}

function setRm(operand: Concrete, type: string, draft: Draft): boolean {
  noteWidth(type, draft, true)
  draft.rm = operand.register!.number
  return true
}

function noteWidth(type: string, draft: Draft, forced: boolean): void {
  if (!dependsOnWidth(type)) return
  draft.widthUsed = true
  if (forced) draft.widthForced = true
}

function matchMemory(operand: Concrete, type: string, bytes: number, draft: Draft): boolean {
  if (type === 'p') {
    // A far pointer in memory must say so: `jmp far [x]`, or by its size.
    const six = operand.sizeBytes === 6 && bytes === 6
    const far = operand.distance === 'far' && (operand.sizeBytes === 0 || operand.sizeBytes === draft.width)
    if (!six && !far) return false
  } else {
    if (operand.distance === 'far') return false
    if (operand.sizeBytes !== 0 && bytes !== 0 && operand.sizeBytes !== bytes) return false
  }
  noteWidth(type, draft, operand.sizeBytes !== 0)
  draft.memory = operand
  draft.memoryBytes = bytes
  return true
}

function matchImmediate(operand: Concrete, code: Code, bytes: number, draft: Draft): boolean {
  const { value, sizeBytes, known, relocatable, strict } = operand
  const extended = code.method === 'sI'
  const signBytes = extended ? draft.width : bytes
  if (sizeBytes !== 0 && sizeBytes !== bytes && !(extended && sizeBytes === draft.width && !strict))
    return false
  // The width of a label must not depend on where it lands.
  if (extended && relocatable && sizeBytes !== 1) return false
  const limit = 1n << BigInt(signBytes * 8)
  if (known && (value >= limit || value < -limit / 2n)) return outOfRange(operand, signBytes, draft)
  const signed = BigInt.asIntN(signBytes * 8, value)
  if (known && extended && (signed < -128n || signed > 127n)) return outOfRange(operand, bytes, draft)
  if (dependsOnWidth(code.type) || extended) {
    draft.widthUsed = true
    if (sizeBytes === draft.width) draft.widthForced = true
  }
  draft.immediates.push({ value: signed, bytes, relative: false, known, column: operand.column })
  return true
}

function outOfRange(operand: Concrete, bytes: number, draft: Draft): boolean {
  draft.reason = `${operand.value} does not fit ${bytes * 8} bits: use a smaller number or a wider operand.`
  draft.reasonColumn = operand.column
  return false
}

function matchTarget(operand: Concrete, type: string, bytes: number, draft: Draft): boolean {
  const { distance, sizeBytes, value, known, column } = operand
  if (distance === 'far') return false
  if (bytes === 1 ? distance === 'near' || sizeBytes > 1 : distance === 'short' || sizeBytes === 1)
    return false
  noteWidth(type, draft, sizeBytes === draft.width)
  draft.immediates.push({ value, bytes, relative: true, known, column })
  return true
}

function matchFar(operand: Concrete, draft: Draft): boolean {
  const { sizeBytes, value, selector, known, column } = operand
  if (sizeBytes !== 0 && sizeBytes !== draft.width) return false
  if (known && (value < 0n || value >= 1n << BigInt(draft.width * 8)))
    return outOfRange(operand, draft.width, draft)
  noteWidth('p', draft, sizeBytes !== 0)
  draft.immediates.push({ value, bytes: draft.width, relative: false, known, column })
  draft.immediates.push({ value: selector, bytes: 2, relative: false, known: true, column })
  return true
}

/** `AL`, `eAX` (AX or EAX), `DX`, `ES`, `1`, `ST0`: in the opcode itself. */
function matchFixed(name: string, operand: Concrete, draft: Draft): boolean {
  if (/^[0-9]+$/.test(name)) {
    return operand.kind === 'immediate' && operand.known && !operand.strict && operand.value === BigInt(name)
  }
  if (!operand.register) return false
  if (/^[er][a-d]x$|^[er][sb]p$|^[er][sd]i$/.test(name)) {
    if (operand.register.name !== (draft.width === 4 ? 'e' : '') + name.slice(1)) return false
    noteWidth('v', draft, true)
    return true
  }
  return operand.register.name === (name === 'st' ? 'st0' : name)
}
