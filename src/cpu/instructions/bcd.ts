/** Decimal adjustment (SDM vol. 2A, AAA to DAS), and SALC. Undefined flags are cleared, OF among them; the 386's are in flags386.ts. */
import { DE } from '../exceptions.ts'
import { resultFlags, setFlags } from '../flags.ts'
import { aad386, packed386, unpacked386 } from '../flags386.ts'
import { AF, CF, EAX, EFLAGS, OF, PF, SF, ZF } from '../registers.ts'
import type { Handler, HandlerRow } from './handler.ts'

/** DAA and DAS: `sign` 1 adds, -1 subtracts. */
const packed = (sign: 1 | -1): Handler => (cpu) => {
  const { r } = cpu
  const al = r[EAX] & 0xff
  const carry = r[EFLAGS] & CF
  let result = al
  let flags = 0
  if ((al & 0xf) > 9 || (r[EFLAGS] & AF) !== 0) {
    result += 6 * sign
    flags = AF | (sign < 0 && (carry !== 0 || al < 6) ? CF : 0)
  }
  if (al > 0x99 || carry !== 0) {
    result += 0x60 * sign
    flags |= CF
  }
  cpu.setRegister(EAX, 1, result)
  setFlags(r, resultFlags(result & 0xff, 1) | flags, CF | PF | AF | ZF | SF | OF)
  if (cpu.is386) packed386(r, sign, al, (result - al) * sign)
}

/** AAA and AAS. */
const unpacked = (sign: 1 | -1): Handler => (cpu) => {
  const { r } = cpu
  const al = r[EAX] & 0xff
  const adjusts = (al & 0xf) > 9 || (r[EFLAGS] & AF) !== 0
  // From the P6 on AX is adjusted as a whole: AL may carry into AH.
  if (adjusts) cpu.setRegister(EAX, 2, (r[EAX] & 0xffff) + sign * 0x106)
  cpu.setRegister(EAX, 1, r[EAX] & 0xf)
  setFlags(r, adjusts ? AF | CF : 0, AF | CF)
  if (cpu.is386) unpacked386(r, sign, al, adjusts)
}

const aam: Handler = (cpu, op) => {
  const base = op.a.value & 0xff
  if (base === 0) return cpu.fault(DE)
  const al = cpu.r[EAX] & 0xff
  cpu.setRegister(EAX, 2, (Math.floor(al / base) << 8) | al % base)
  setFlags(cpu.r, resultFlags(al % base, 1), CF | PF | AF | ZF | SF | OF)
}

const aad: Handler = (cpu, op) => {
  const { r } = cpu
  const al = r[EAX] & 0xff
  const product = ((r[EAX] >>> 8) & 0xff) * (op.a.value & 0xff)
  cpu.setRegister(EAX, 2, (al + product) & 0xff)
  setFlags(r, resultFlags((al + product) & 0xff, 1), CF | PF | AF | ZF | SF | OF)
  if (cpu.is386) aad386(r, al, product)
}

/** Undocumented until the Pentium Pro's opcode map: AL = CF ? FF : 0. */
const salc: Handler = (cpu) => cpu.setRegister(EAX, 1, (cpu.r[EFLAGS] & CF) !== 0 ? 0xff : 0)

export const BCD: readonly HandlerRow[] = [
  ['daa', packed(1)], ['das', packed(-1)], ['aaa', unpacked(1)], ['aas', unpacked(-1)], ['aam', aam], ['aad', aad], ['salc', salc],
]
