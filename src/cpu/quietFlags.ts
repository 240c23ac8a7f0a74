/**
 * Flags that nobody can see are not computed: those of an operation whose flags are overwritten later in the same block, with
 * nothing in between that reads them, goes to a handler (which may fault, and then pushes them) or touches memory (which may).
 * Blocks are executed whole, so nobody looks in between.
 */
import type { BlockOp } from './forms.ts'
import {
  ADD_R, AND_Q, AND_R, CDQ, CMP_R, CMP_R8, DEC_R, IMUL_3, IMUL_R, INC_R, JMP, JMP_R, LEA, MOVSX_16, MOVSX_8, MOVZX_16, MOVZX_8, MOV_R, MOV_R8,
  NEG_R, NOP, NOT_R, OR_Q, OR_R, ROL_Q, ROL_R, SAR_Q, SAR_R, SHL_R, SHR_Q, SHR_R, SUB_Q, SUB_R, TEST_R, TEST_R8, XOR_Q, XOR_R,
} from './formNumbers.ts'
import { AF, CF, OF, PF, SF, ZERO, ZF } from './registers.ts'

const ALL = CF | PF | AF | ZF | SF | OF

/** Flags that register forms write, reading none; a form that is not here reads flags, or may be seen to stop. */
const WRITES = new Map<number, number>([
  ...[NOP, MOV_R, MOV_R8, LEA, NOT_R, MOVZX_8, MOVZX_16, MOVSX_8, MOVSX_16, CDQ, JMP, JMP_R].map((form): [number, number] => [form, 0]),
  ...[ADD_R, SUB_R, AND_R, OR_R, XOR_R, CMP_R, TEST_R, CMP_R8, TEST_R8, NEG_R, SHL_R, SHR_R, SAR_R].map((form): [number, number] => [form, ALL]),
  ...[INC_R, DEC_R].map((form): [number, number] => [form, ALL & ~CF]),
  ...[IMUL_R, IMUL_3, ROL_R].map((form): [number, number] => [form, CF | OF]),
])
const SHIFTS: readonly number[] = [SHL_R, SHR_R, SAR_R, ROL_R]

/** Gives the operations of a block forms without flags, where they can have one. */
export function quietFlags(ops: readonly BlockOp[]): void {
  let live = ALL
  for (let k = ops.length - 1; k >= 0; k--) {
    const op = ops[k]
    let writes = op.need === 0 ? WRITES.get(op.form) : undefined
    if (SHIFTS.includes(op.form)) {
      // A count of 0 leaves the flags alone; that in CL is not known yet.
      if (op.b !== ZERO) writes = undefined
      else if ((op.value & 31) === 0) writes = 0
    }
    if (writes === undefined) live = ALL
    else {
      if (writes !== 0 && (writes & live) === 0) silence(op)
      live &= ~writes
    }
  }
}

/** The operation computes its result only. */
function silence(op: BlockOp): void {
  switch (op.form) {
    case ADD_R: return asLea(op, op.a, op.b, 0, op.value)
    case INC_R: return asLea(op, op.a, ZERO, 0, 1)
    case DEC_R: return asLea(op, op.a, ZERO, 0, -1)
    case SHL_R: return asLea(op, ZERO, op.a, op.value & 31, 0)
    case SUB_R:
      if (op.b === ZERO) return asLea(op, op.a, ZERO, 0, -op.value | 0)
      op.form = SUB_Q
      return
    case AND_R: op.form = AND_Q; return
    case OR_R: op.form = OR_Q; return
    case XOR_R: op.form = XOR_Q; return
    case CMP_R: case TEST_R: case CMP_R8: case TEST_R8: op.form = NOP; return
    case SHR_R: case SAR_R: case ROL_R:
      op.value &= 31
      op.form = op.form === SHR_R ? SHR_Q : op.form === SAR_R ? SAR_Q : ROL_Q
  }
}

function asLea(op: BlockOp, base: number, index: number, scale: number, disp: number): void {
  op.form = LEA
  op.base = base
  op.index = index
  op.scale = scale
  op.disp = disp
}
