/** The shortest encoding of one instruction, out of the forms that the ISA table has for it. */
import { addressForms, type AddressForm } from './address.ts'
import type { Concrete } from './concrete.ts'
import { describeForms, describeOperands, formsOf, mnemonics, type Form } from './forms.ts'
import { matchOperand, parseCode, type Draft, type Immediate } from './operandCodes.ts'
import { mistake } from './problems.ts'
import { nearest } from './suggest.ts'

/** SDM vol. 2A 2.3.11 and every CPU: a longer instruction is #GP or #UD. */
const INSTRUCTION_BYTES_MAX = 15
const SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]
const LOCK = 0xf0
const OPERAND_SIZE = 0x66
const ADDRESS_SIZE = 0x67

export interface Instruction {
  readonly mnemonic: string
  /** LOCK, REP and segment prefixes as bytes. */
  readonly prefixes: readonly number[]
  /** o16, o32, a16, a32: sizes in bytes; 0: as the operands have it. */
  readonly operandBytes: number
  readonly addressBytes: number
  readonly operands: readonly Concrete[]
  readonly bits: 16 | 32
  /** Where it stands: jumps are relative to its end. */
  readonly address: number
  /** No shorter encoding than this: layout settles since instructions only grow. */
  readonly minimumBytes: number
  readonly column: number
}

interface Candidate {
  readonly form: Form
  readonly draft: Draft
  readonly modrm: AddressForm | null
  /** Bytes that the encoding takes. */
  readonly length: number
  readonly immediateBytes: number
}

export function encode(instruction: Instruction): Uint8Array {
  const { mnemonic, operands, column } = instruction
  const forms = formsOf(mnemonic)
  if (forms.length === 0) {
    mistake(
      column,
      `There is no instruction ${mnemonic}: ${nearest(mnemonic, mnemonics(), 'a label needs a colon')}`,
    )
  }
  const failure = { reason: '', column: 0 }
  const candidates = forms.flatMap((form) => candidatesOf(form, instruction, failure))
  if (candidates.length === 0) {
    if (failure.reason) mistake(failure.column, failure.reason)
    mistake(
      column,
      `${mnemonic} does not take ${describeOperands(operands)}: its forms are ${describeForms(forms)}.`,
    )
  }
  checkSize(candidates, instruction)
  checkLock(candidates, instruction)
  let best: Candidate | null = null
  for (const candidate of candidates) {
    if (candidate.length < instruction.minimumBytes) continue
    if (!best || isBetter(candidate, best)) best = candidate
  }
  // Nothing is long enough only while names are not known yet.
  best ??= candidates.reduce((longest, next) => (next.length > longest.length ? next : longest))
  if (best.length > INSTRUCTION_BYTES_MAX) {
    mistake(
      column,
      `This instruction has ${best.length} bytes, more than ${INSTRUCTION_BYTES_MAX}: remove prefixes.`,
    )
  }
  return emit(best, instruction)
}

/** Shorter; or as short with a shorter immediate, since one behind 66 stalls the length decoder. */
function isBetter(one: Candidate, other: Candidate): boolean {
  return one.length === other.length ? one.immediateBytes < other.immediateBytes : one.length < other.length
}

/** Every encoding of `form` with these operands: by operand size and by width of the displacement. */
function candidatesOf(
  form: Form,
  instruction: Instruction,
  failure: { reason: string; column: number },
): Candidate[] {
  const { operands, bits, operandBytes } = instruction
  if (form.operands.length !== operands.length) return []
  const found: Candidate[] = []
  for (const width of bits === 32 ? [4, 2] : [2, 4]) {
    if (operandBytes !== 0 && width !== operandBytes) continue
    if (form.width !== 0 && width !== form.width) continue
    const draft = newDraft(width)
    if (!form.operands.every((code, n) => matchOperand(parseCode(code), operands[n], draft))) {
      if (failure.reason === '' && draft.reason !== '') {
        failure.reason = draft.reason
        failure.column = draft.reasonColumn
      }
      continue
    }
    // Without an operand of that size, or a word for it, code of the other size is not what was meant.
    const forced = draft.widthForced || form.width !== 0 || operandBytes !== 0
    if (width !== bits / 8 && !forced) continue
    if (draft.widthUsed || form.width !== 0 || width === bits / 8 || operandBytes !== 0) {
      found.push(...candidatesOfDraft(form, draft, instruction, failure))
    }
  }
  return found
}

function newDraft(width: number): Draft {
  return {
    width, widthForced: false, widthUsed: false, opcodeRegister: -1, reg: -1, rm: -1, memory: null, offset: null,
    memoryBytes: 0, addressBytes: 0, immediates: [], reason: '', reasonColumn: 0,
  } // prettier-ignore
}

function candidatesOfDraft(
  form: Form,
  draft: Draft,
  instruction: Instruction,
  failure: { reason: string; column: number },
): Candidate[] {
  const memory = draft.memory
  const shapes = memory ? addressForms(memory.address!, memory.column) : [null]
  return shapes.flatMap((modrm) => {
    const tail = draft.immediates.reduce((sum, immediate) => sum + immediate.bytes, 0)
    const offset = draft.offset ? addressBytesOf(draft, instruction) : 0
    const shape = form.modrm ? 1 + (modrm && modrm.sib >= 0 ? 1 : 0) + (modrm?.displacementBytes ?? 0) : 0
    const length = prefixesOf(form, draft, instruction).length + form.opcode.length + shape + offset + tail
    for (const immediate of draft.immediates) {
      const distance = distanceOf(immediate, instruction.address + length, draft.width)
      if (fits(immediate, distance)) continue
      failure.reason = `The target is ${distance} bytes away and a short jump reaches -128 to 127: remove short, or jump over a near jmp.`
      failure.column = immediate.column
      return []
    }
    return [{ form, draft, modrm, length, immediateBytes: tail }]
  })
}

function distanceOf(immediate: Immediate, end: number, width: number): bigint {
  return immediate.relative ? BigInt.asIntN(width === 2 ? 16 : 32, immediate.value - BigInt(end)) : 0n
}

function fits(immediate: Immediate, distance: bigint): boolean {
  return !immediate.known || immediate.bytes > 1 || (distance >= -128n && distance <= 127n)
}

function addressBytesOf(draft: Draft, { bits, addressBytes }: Instruction): number {
  return (draft.memory ?? draft.offset)?.address!.addressBytes ?? (addressBytes || bits / 8)
}

function prefixesOf(form: Form, draft: Draft, instruction: Instruction): number[] {
  const { bits, prefixes, operandBytes } = instruction
  const bytes = [...prefixes]
  const segment = (draft.memory ?? draft.offset)?.segment ?? -1
  if (segment >= 0) bytes.push(SEGMENT_PREFIXES[segment])
  const usesWidth = draft.widthUsed || form.width !== 0 || operandBytes !== 0
  if (usesWidth && draft.width !== bits / 8 && form.prefix !== OPERAND_SIZE) bytes.push(OPERAND_SIZE)
  if (
    addressBytesOf(draft, instruction) !== bits / 8 ||
    (form.addressBytes !== 0 && form.addressBytes !== bits / 8)
  ) {
    bytes.push(ADDRESS_SIZE)
  }
  if (form.prefix !== 0) bytes.push(form.prefix)
  return bytes
}

/** `inc [x]` could be a byte or a dword: that has to be said. */
function checkSize(candidates: readonly Candidate[], { operands, bits, mnemonic }: Instruction): void {
  const unsized = operands.find((operand) => operand.kind === 'memory' && operand.sizeBytes === 0)
  if (!unsized) return
  const sizes = new Set(
    candidates.map(({ draft }) => (draft.width === bits / 8 || draft.widthForced ? draft.memoryBytes : 0)),
  )
  sizes.delete(0)
  if (sizes.size < 2) return
  const names = [...sizes].map((size) => SIZE_NAMES.get(size) ?? `${size}-byte`)
  mistake(
    unsized.column,
    `How many bytes does ${mnemonic} access here? Write ${names.join(' or ')} in front of the address.`,
  )
}

/** LOCK elsewhere is #UD (SDM vol. 2A, LOCK). */
function checkLock(candidates: readonly Candidate[], { prefixes, mnemonic, column }: Instruction): void {
  if (!prefixes.includes(LOCK)) return
  if (candidates.some(({ form, draft }) => form.lockable && draft.memory)) return
  mistake(
    column,
    `${mnemonic} cannot be locked here, that raises #UD: remove lock, or write db 0xf0 in front if you want it.`,
  )
}

export const SIZE_NAMES: ReadonlyMap<number, string> = new Map([
  [1, 'byte'], [2, 'word'], [4, 'dword'], [6, 'fword'], [8, 'qword'], [10, 'tbyte'], [16, 'oword'],
]) // prettier-ignore

function emit({ form, draft, modrm, length }: Candidate, instruction: Instruction): Uint8Array {
  const bytes = [...prefixesOf(form, draft, instruction), ...form.opcode]
  if (draft.opcodeRegister >= 0) bytes[bytes.length - 1] += draft.opcodeRegister
  if (form.modrm) {
    const reg = form.digit >= 0 ? form.digit : Math.max(draft.reg, 0)
    if (modrm) {
      bytes.push((modrm.mod << 6) | (reg << 3) | modrm.rm)
      if (modrm.sib >= 0) bytes.push(modrm.sib)
      push(bytes, BigInt(draft.memory!.address!.displacement), modrm.displacementBytes)
    } else bytes.push(0xc0 | (reg << 3) | Math.max(draft.rm, 0))
  }
  if (draft.offset)
    push(bytes, BigInt(draft.offset.address!.displacement), addressBytesOf(draft, instruction))
  for (const immediate of draft.immediates) {
    const value = immediate.relative
      ? distanceOf(immediate, instruction.address + length, draft.width)
      : immediate.value
    push(bytes, value, immediate.bytes)
  }
  return Uint8Array.from(bytes)
}

function push(bytes: number[], value: bigint, count: number): void {
  for (let n = 0; n < count; n++) bytes.push(Number(BigInt.asUintN(8, value >> BigInt(8 * n))))
}
