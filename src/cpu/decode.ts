/** Bytes to pre-decoded operations, by the instruction table. */
import { handlerOf, invalid, tooLong, type Handler } from './handlers.ts'
import { ISA, type IsaRow } from './isa.ts'
import { CS, DS, EAX, ECX, EDX, ES, FS, GS, SS } from './registers.ts'

export const NONE = 0
export const REG = 1
export const MEM = 2
export const IMM = 3
export const SREG = 4
export const CREG = 5
export const DREG = 6
/** A string operand or another implied one: the handler knows. */
export const IMPLIED = 7

/** One operand: register number, or immediate (sign-extended where the encoding is), by kind. */
export interface Operand {
  readonly kind: number
  /** Bytes: 1, 2, 4 or 8. */
  readonly size: number
  readonly value: number
}

const NO_OPERAND: Operand = { kind: NONE, size: 0, value: 0 }

export class Op {
  handler: Handler = invalid
  row: IsaRow | null = null
  /** Bytes; 0: the bytes given end before the instruction does. */
  length = 0
  /** D bit of the code segment it was decoded for. */
  code32 = true
  /** Operand and address size in bytes, 2 or 4. */
  opSize = 4
  addrSize = 4
  /** Segment of the memory operand, and whether a prefix chose it. */
  seg = DS
  segPrefix = false
  /** 0, 0xf2 or 0xf3. */
  rep = 0
  lock = false
  modrm = -1
  /** Memory operand: base and index register (-1: none), scale as a shift, displacement. */
  base = -1
  index = -1
  scale = 0
  disp = 0
  a: Operand = NO_OPERAND
  b: Operand = NO_OPERAND
  c: Operand = NO_OPERAND
  /** Second immediate: selector of a far pointer, or ENTER's level. */
  imm2 = 0

  get mod(): number {
    return this.modrm >> 6
  }
  get reg(): number {
    return (this.modrm >> 3) & 7
  }
  get rm(): number {
    return this.modrm & 7
  }
  /** Immediate or relative displacement of the first operand that is one. */
  get imm(): number {
    return this.a.kind === IMM ? this.a.value : this.b.kind === IMM ? this.b.value : this.c.value
  }
}

const LENGTH_MAX = 15
const ROWS: (readonly IsaRow[] | undefined)[] = new Array<readonly IsaRow[] | undefined>(512)
for (const row of ISA) {
  const last = row.opcode[row.opcode.length - 1] + (row.opcode.length === 2 ? 256 : 0)
  for (let k = 0; k < (row.plusR ? 8 : 1); k++) ROWS[last + k] = [...(ROWS[last + k] ?? []), row]
}
/** Unassigned here, and no ModRM byte follows, as parts were seen to do; after the rest of the 0F map one does. It shows at the end of a page. */
const NO_MODRM_0F = new Set([0x04, 0x05, 0x07, 0x0a, 0x0c, 0x0e, 0x0f, 0x24, 0x25, 0x26, 0x27, 0x36, 0x37, 0x77, 0xaa])

/** Reads an instruction; `available` bytes may be looked at from `at` on. */
class Reader {
  readonly bytes: Uint8Array
  at: number
  readonly end: number
  short = false
  constructor(bytes: Uint8Array, at: number, available: number) {
    this.bytes = bytes
    this.at = at
    this.end = at + Math.min(available, LENGTH_MAX)
  }
  byte(): number {
    if (this.at >= this.end) {
      this.short = true
      return 0
    }
    return this.bytes[this.at++]
  }
  word(): number {
    const low = this.byte()
    return low | (this.byte() << 8)
  }
  dword(): number {
    const low = this.word()
    return low | (this.word() << 16)
  }
  sized(bytes: number): number {
    return bytes === 1 ? this.byte() : bytes === 2 ? this.word() : this.dword()
  }
  signed(bytes: number): number {
    return bytes === 1 ? (this.byte() << 24) >> 24 : bytes === 2 ? (this.word() << 16) >> 16 : this.dword()
  }
}

/**
 * Decodes one instruction.
 * @param code32 D bit of the code segment
 * @returns an operation; invalid encodings raise #UD when executed; `length` 0: more bytes are needed
 */
export function decode(bytes: Uint8Array, at: number, available: number, code32: boolean): Op {
  const op = new Op()
  const reader = new Reader(bytes, at, available)
  const finish = (): Op => {
    if (!reader.short) op.length = reader.at - at
    else if (available >= LENGTH_MAX) {
      op.length = LENGTH_MAX
      op.handler = tooLong
      op.row = null
    } else op.length = 0
    return op
  }
  op.code32 = code32
  op.opSize = op.addrSize = code32 ? 4 : 2
  let opcode = readPrefixes(op, reader, code32)
  if (reader.short) return finish()
  if (opcode === 0x0f) {
    opcode = 256 + reader.byte()
    if (reader.short) return finish()
  }
  const rows = ROWS[opcode]
  if (rows === undefined) {
    if (opcode >= 256 && !NO_MODRM_0F.has(opcode - 256)) readModrm(op, reader)
    return finish()
  }
  // MOV to and from CRn and DRn names a register whatever mod says (SDM vol. 2B).
  if (rows[0].operands.includes('Rd')) op.modrm = reader.byte() | 0xc0
  else if (rows[0].modrm) readModrm(op, reader)
  if (reader.short) return finish()
  const row = selectRow(rows, op)
  if (row === null) return finish()
  op.row = row
  op.handler = handlerOf(row.mnemonic)
  op.a = readOperand(op, reader, row.operands[0], opcode)
  op.b = readOperand(op, reader, row.operands[1], opcode)
  op.c = readOperand(op, reader, row.operands[2], opcode)
  const memory = op.modrm >= 0 && op.mod !== 3
  const needsMemory = row.operands.some((code) => code[0] === 'M')
  if (needsMemory && !memory) op.handler = invalid
  // FXSAVE, FXRSTOR and the fences take no prefix of operand size or repetition ("NP" in SDM vol. 2), the fences no memory operand.
  if (row.opcode[1] === 0xae && (op.rep !== 0 || op.opSize !== (code32 ? 4 : 2) || (memory && row.operands.length === 0))) op.handler = invalid
  // Before the source is read: there is no such register, or CS, which MOV does not load.
  if (op.a.kind === SREG && row.mnemonic === 'mov' && (op.a.value === CS || op.a.value > GS)) op.handler = invalid
  if (op.lock && !(row.lockable && op.a.kind === MEM)) op.handler = invalid
  return finish()
}

function readPrefixes(op: Op, reader: Reader, code32: boolean): number {
  for (;;) {
    const byte = reader.byte()
    switch (byte) {
      case 0x26: op.seg = ES; op.segPrefix = true; break
      case 0x2e: op.seg = CS; op.segPrefix = true; break
      case 0x36: op.seg = SS; op.segPrefix = true; break
      case 0x3e: op.seg = DS; op.segPrefix = true; break
      case 0x64: op.seg = FS; op.segPrefix = true; break
      case 0x65: op.seg = GS; op.segPrefix = true; break
      case 0x66: op.opSize = code32 ? 2 : 4; break
      case 0x67: op.addrSize = code32 ? 2 : 4; break
      case 0xf0: op.lock = true; break
      case 0xf2: case 0xf3: op.rep = byte; break
      default: return byte
    }
    if (reader.short) return 0
  }
}

function selectRow(rows: readonly IsaRow[], op: Op): IsaRow | null {
  let found: IsaRow | null = null
  for (const row of rows) {
    if (row.digit >= 0 && row.digit !== op.reg) continue
    // CLFLUSH of memory, SFENCE otherwise.
    if (row.mnemonic === 'clflush' && op.mod === 3) continue
    if (row.prefix !== 0 && row.prefix !== op.rep) continue
    // `nop` and `pause` share 90 with `xchg`: the first match stands, a mandatory prefix beats it.
    if (found === null || row.prefix !== 0) found = row
  }
  return found
}

function readModrm(op: Op, reader: Reader): void {
  op.modrm = reader.byte()
  if (op.mod === 3) return
  if (op.addrSize === 2) readModrm16(op, reader)
  else readModrm32(op, reader)
}

function readModrm32(op: Op, reader: Reader): void {
  let base = op.rm
  if (base === 4) {
    const sib = reader.byte()
    base = sib & 7
    op.index = (sib >> 3) & 7
    op.scale = sib >> 6
    if (op.index === 4) op.index = -1
  }
  if (op.mod === 0 && base === 5) op.disp = reader.dword()
  else op.base = base
  if (op.mod === 1) op.disp = reader.signed(1)
  else if (op.mod === 2) op.disp = reader.dword()
  if ((op.base === 4 || op.base === 5) && !op.segPrefix) op.seg = SS
}

/** Base and index of the 16-bit forms: BX+SI BX+DI BP+SI BP+DI SI DI BP BX. */
const BASE16 = [3, 3, 5, 5, 6, 7, 5, 3]
const INDEX16 = [6, 7, 6, 7, -1, -1, -1, -1]

function readModrm16(op: Op, reader: Reader): void {
  if (op.mod === 0 && op.rm === 6) op.disp = reader.word()
  else {
    op.base = BASE16[op.rm]
    op.index = INDEX16[op.rm]
    if (op.mod === 1) op.disp = reader.signed(1)
    else if (op.mod === 2) op.disp = reader.word()
    if (op.base === 5 && !op.segPrefix) op.seg = SS
  }
}

const FIXED_SREG: Readonly<Record<string, number>> = { ES, CS, SS, DS, FS, GS }

function readOperand(op: Op, reader: Reader, code: string | undefined, opcode: number): Operand {
  if (code === undefined) return NO_OPERAND
  if (code in FIXED_SREG) return { kind: SREG, size: op.opSize, value: FIXED_SREG[code] }
  switch (code) {
    case 'AL': return { kind: REG, size: 1, value: EAX }
    case 'CL': return { kind: REG, size: 1, value: ECX }
    case 'DX': return { kind: REG, size: 2, value: EDX }
    case 'eAX': return { kind: REG, size: op.opSize, value: EAX }
    case '1': return { kind: IMM, size: 1, value: 1 }
    case 'sIb': return { kind: IMM, size: op.opSize, value: reader.signed(1) }
    case 'Ap': {
      const value = reader.sized(op.opSize)
      op.imm2 = reader.word()
      return { kind: IMM, size: op.opSize, value }
    }
    case 'Rd': return { kind: REG, size: 4, value: op.rm }
    case 'Cd': return { kind: CREG, size: 4, value: op.reg }
    case 'Dd': return { kind: DREG, size: 4, value: op.reg }
    case 'Sw': return { kind: SREG, size: 2, value: op.reg }
  }
  const size = sizeOf(code, op)
  switch (code[0]) {
    case 'E':
    case 'M': return op.mod === 3 ? { kind: REG, size, value: op.rm } : { kind: MEM, size, value: 0 }
    case 'G': return { kind: REG, size, value: op.reg }
    case 'Z': return { kind: REG, size, value: opcode & 7 }
    case 'I':
      if (op.row!.mnemonic === 'enter' && code === 'Ib') {
        op.imm2 = reader.byte()
        return NO_OPERAND
      }
      return { kind: IMM, size, value: reader.sized(size) }
    case 'J': return { kind: IMM, size, value: reader.signed(size) }
    case 'O':
      op.disp = reader.sized(op.addrSize)
      return { kind: MEM, size, value: 0 }
    default: return { kind: IMPLIED, size, value: 0 }
  }
}

function sizeOf(code: string, op: Op): number {
  switch (code[1]) {
    case 'b': return 1
    case 'w': return 2
    case 'q': return 8
    default: return op.opSize
  }
}
