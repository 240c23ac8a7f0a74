/**
 * What an Intel386 leaves in flags that the manual calls undefined: as was found on a 386SX by the authors of test386.asm
 * (github.com/barotto/test386.asm, POST E0). Later parts differ.
 */
import { addFlags, resultFlags, setFlags, signBit, subFlags } from './flags.ts'
import { AF, CF, EFLAGS, OF, PF, SF, ZF } from './registers.ts'

/** Kinds of shifts, as `shift` of flags.ts has them. */
const SHR = 5
const SAR = 7

/**
 * After SHL, SHR or SAR of `before` by `count` (1 to 31), with the flags of later parts in place: AF is 1; a count of twice or three
 * times the width shifts out the last bit again; OF of SHL goes by what is left.
 */
export function shift386(r: Int32Array, kind: number, before: number, result: number, count: number, size: number): void {
  let flags = (r[EFLAGS] & (CF | OF)) | AF
  const bits = size * 8
  if (kind !== SAR && count > bits && count % bits === 0) {
    const out = kind === SHR ? (before & signBit(size)) !== 0 : (before & 1) !== 0
    flags = out ? flags | CF : flags & ~CF
  }
  if (kind !== SHR && kind !== SAR) {
    const top = (result & signBit(size)) !== 0
    flags = top !== ((flags & CF) !== 0) ? flags | OF : flags & ~OF
  }
  setFlags(r, flags, AF | CF | OF)
}

/** After BT, BTC, BTR, BTS of bit `index`: OF as RCR by one more leaves it, that brings the bit into CF. */
export function bitTest386(r: Int32Array, value: number, index: number, size: number): void {
  const bits = size * 8
  const bit = (n: number) => n >= 0 && ((value >>> n) & 1) !== 0
  // The upper two bits of the result: what follows the bit, CF's 0 between them and the upper end of the value.
  const top = bit(index - 1)
  const second = index === 0 ? bit(bits - 1) : bit(index - 2)
  setFlags(r, top !== second ? OF : 0, OF)
}

/** After AAA (`sign` 1) and AAS (-1) of AL = `al`: the flags of the addition or subtraction, before the upper half of AL is cleared. */
export function unpacked386(r: Int32Array, sign: 1 | -1, al: number, adjusts: boolean): void {
  const flags = sign > 0 ? addFlags(al, adjusts ? 6 : 0, 0, 1) : subFlags(al, adjusts ? 6 : 0, 0, 1)
  setFlags(r, flags, PF | ZF | SF | OF)
}

/** After DAA (`sign` 1) and DAS (-1): OF of the correction as one addition or subtraction. */
export function packed386(r: Int32Array, sign: 1 | -1, al: number, correction: number): void {
  setFlags(r, sign > 0 ? addFlags(al, correction, 0, 1) : subFlags(al, correction, 0, 1), OF)
}

/** After AAD: CF, AF and OF of the addition. */
export function aad386(r: Int32Array, al: number, product: number): void {
  setFlags(r, addFlags(al, product & 0xff, 0, 1) & (CF | AF | OF) | resultFlags((al + product) & 0xff, 1), CF | PF | AF | ZF | SF | OF)
}
