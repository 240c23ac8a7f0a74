/** Memory operands: which base and index registers an address has, and the ModRM, SIB and displacement forms for it. */
import { mistake } from './problems.ts'
import type { Term, Value } from './expressions.ts'

const EBP = 5
const ESP = 4

export interface Address {
  /** 2 or 4: the address size that this needs. */
  readonly addressBytes: number
  /** Register numbers; -1: none. In 16-bit addresses `rm` says it all. */
  readonly base: number
  readonly index: number
  readonly scale: number
  readonly rm16: number
  readonly displacement: number
  /** Contains a label: always in full width. */
  readonly relocatable: boolean
  /** Width that the user fixed, in bytes; 0: shortest. */
  readonly displacementBytes: number
}

export interface AddressForm {
  readonly mod: number
  readonly rm: number
  /** -1: none. */
  readonly sib: number
  readonly displacementBytes: number
}

/** 16-bit addresses, SDM vol. 2A table 2-1: the sorted register numbers to r/m. */
const RM16: ReadonlyMap<string, number> = new Map([
  ['3,6', 0], ['3,7', 1], ['5,6', 2], ['5,7', 3], ['6', 4], ['7', 5], ['5', 6], ['3', 7],
]) // prettier-ignore

/** The address that an expression in brackets means, in `bits`-bit code. */
export function makeAddress(value: Value, bits: 16 | 32, displacementBytes: number, column: number): Address {
  const sizes = new Set(
    value.registers.map((term) => (term.register.class === 'general' ? term.register.sizeBytes : 0)),
  )
  if (sizes.has(0) || sizes.has(1) || sizes.size > 1) {
    mistake(
      column,
      'An address is made of 32-bit general registers (or 16-bit ones): load the value into one first.',
    )
  }
  let addressBytes = sizes.values().next().value ?? (displacementBytes > 1 ? displacementBytes : bits / 8)
  if (addressBytes > 4)
    mistake(column, 'A displacement is a byte, a word or a dword: correct the size in the brackets.')
  // A 16-bit program may name memory above 64 KB: that takes a 32-bit address.
  if (
    sizes.size === 0 &&
    addressBytes === 2 &&
    displacementBytes === 0 &&
    (value.constant > 0xffffn || value.constant < -0x8000n)
  ) {
    addressBytes = 4
  }
  const limit = addressBytes === 4 ? 0x100000000n : 0x10000n
  if (value.constant >= limit || value.constant < -limit / 2n) {
    mistake(
      column,
      `The displacement ${value.constant} does not fit ${addressBytes * 8} bits: use a smaller one.`,
    )
  }
  const displacement = Number(BigInt.asIntN(addressBytes * 8, value.constant))
  const common = { addressBytes, displacement, relocatable: value.labels !== 0, displacementBytes }
  if (addressBytes === 2)
    return { ...common, base: -1, index: -1, scale: 0, rm16: rm16(value.registers, column) }
  return { ...common, rm16: -1, ...baseAndIndex(value.registers, column) }
}

function rm16(terms: readonly Term[], column: number): number {
  if (terms.length === 0) return -1
  const numbers = terms.map((term) => (term.factor === 1 ? term.register.number : -1)).sort((a, b) => a - b)
  return (
    RM16.get(numbers.join()) ??
    mistake(column, '16-bit addresses are bx or bp, plus si or di, plus a number: use these.')
  )
}

function baseAndIndex(
  terms: readonly Term[],
  column: number,
): { base: number; index: number; scale: number } {
  const fail = (): never =>
    mistake(
      column,
      'An address is base + index*1, 2, 4 or 8 + displacement, and ESP is no index: compute it in code.',
    )
  const [first, second] = terms
  if (terms.length > 2) fail()
  if (!first) return { base: -1, index: -1, scale: 0 }
  const one = first.register.number
  if (!second) {
    if (first.factor === 1) return { base: one, index: -1, scale: 0 }
    if (one === ESP) fail()
    // reg*2 is shorter as reg+reg, but for EBP that would change the default segment to SS.
    if (first.factor === 2 && one !== EBP) return { base: one, index: one, scale: 0 }
    if ([3, 5, 9].includes(first.factor)) return { base: one, index: one, scale: Math.log2(first.factor - 1) }
    return [2, 4, 8].includes(first.factor)
      ? { base: -1, index: one, scale: Math.log2(first.factor) }
      : fail()
  }
  const two = second.register.number
  // The first register that can be the base is it, as written: the choice of EBP or ESP also chooses the segment.
  const swap = first.factor !== 1 || (two === ESP && second.factor === 1)
  const [base, index, factor] = swap ? [two, one, first.factor] : [one, two, second.factor]
  if ((swap ? second : first).factor !== 1 || index === ESP || ![1, 2, 4, 8].includes(factor)) fail()
  return { base, index, scale: Math.log2(factor) }
}

/** Every form that encodes the address, shortest first. */
export function addressForms(address: Address, column: number): AddressForm[] {
  const widths = displacementWidths(address)
  if (address.addressBytes === 2) {
    if (address.rm16 < 0) return [{ mod: 0, rm: 6, sib: -1, displacementBytes: 2 }]
    return widths
      .filter((width) => width > 0 || address.rm16 !== 6)
      .map((width) => ({ mod: width === 2 ? 2 : width, rm: address.rm16, sib: -1, displacementBytes: width }))
  }
  if (address.base < 0) {
    if (address.displacementBytes === 1)
      mistake(column, 'Without a base register the displacement has 4 bytes: remove byte.')
    if (address.index < 0) return [{ mod: 0, rm: 5, sib: -1, displacementBytes: 4 }]
    return [{ mod: 0, rm: 4, sib: (address.scale << 6) | (address.index << 3) | 5, displacementBytes: 4 }]
  }
  const needsSib = address.index >= 0 || address.base === ESP
  const sib = needsSib
    ? (address.scale << 6) | ((address.index < 0 ? 4 : address.index) << 3) | address.base
    : -1
  return widths
    .filter((width) => width > 0 || address.base !== EBP)
    .map((width) => ({
      mod: width === 4 ? 2 : width,
      rm: needsSib ? 4 : address.base,
      sib,
      displacementBytes: width,
    }))
}

function displacementWidths(address: Address): number[] {
  const full = address.addressBytes
  if (address.displacementBytes > 0) return [address.displacementBytes]
  if (address.relocatable) return [full]
  if (address.displacement === 0) return [0, 1, full]
  return address.displacement >= -128 && address.displacement <= 127 ? [1, full] : [full]
}
