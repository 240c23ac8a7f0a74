/**
 * Runs blocks: the fast way through code, for drivers that let one vCPU run for a while. What instructions compute stands in
 * flags.ts and in the handlers; here are only the ways to reach their operands, one line for each form, for memory that can be
 * reached directly. Whatever else happens, faults among it, happens in a handler.
 */
import { bulkStrings } from './bulkStrings.ts'
import type { Block, CodeCache } from './codeCache.ts'
import type { Cpu } from './cpu.ts'
import type { DirectMemory } from './directMemory.ts'
import { add, alu, condition, dec, imul, inc, logical, neg, rol, ror, sar, shl, shr, sub } from './flags.ts'
import {
  STACK, GENERIC, NOP, MOV_R, MOV_RM, MOV_M, MOV_R8, MOV_R8M, MOV_M8, MOV_M16, LEA, ADD_R, ADD_RM, ADD_M, SUB_R, SUB_RM, SUB_M, AND_R,
  AND_RM, AND_M, OR_R, OR_RM, OR_M, XOR_R, XOR_RM, XOR_M, CMP_R, CMP_RM, CMP_M, TEST_R, TEST_M, ALU_R, ALU_RM, ALU_M, ALU_R8, ALU_R8M,
  ALU_M8, CMP_R8, CMP_R8M, CMP_M8, TEST_R8, TEST_M8, INC_R, INC_M, DEC_R, DEC_M, NEG_R, NOT_R, SHL_R, SHR_R, SAR_R, ROL_R, ROR_R, IMUL_R,
  IMUL_RM, IMUL_3, MOVZX_8, MOVZX_8M, MOVZX_16M, MOVSX_8, MOVSX_8M, MOVZX_16, MOVSX_16, MOVSX_16M, SET, CMOV, CDQ, PUSH, POP, LEAVE, JCC, CMP_JCC, TEST_JCC, DEC_JCC, JMP, JMP_M, JMP_R,
  CALL, RET, REPEAT, SUB_Q, AND_Q, OR_Q, XOR_Q, SHR_Q, SAR_Q, ROL_Q,
} from './formNumbers.ts'
import {
  ACTIVE, ACTIVITY, ATTR_BIG, ATTR_CODE, ATTR_EXPAND_DOWN, ATTR_PRESENT, ATTR_RW, ATTR_SEGMENT, CS, DR7, EAX, EBP, EDX, EFLAGS, EIP, ES, ESP, EVENT,
  EVENT_VALID, GS, RF, SEG_ATTR, SEG_BASE, SEG_LIMIT, SHADOW, SS, TF,
} from './registers.ts'

/** Nothing has to be looked at between instructions, code is flat (32 bits, base 0, no limit), and undefined flags are as the handlers leave them. */
export function canRunBlocks({ r, undefinedFlags }: Cpu): boolean {
  return (
    ((r[EFLAGS] & TF) | (r[SHADOW] & 3) | (r[DR7] & 0xff) | (r[EVENT] & EVENT_VALID) | r[SEG_BASE + CS] | ~r[SEG_LIMIT + CS]) === 0 &&
    (r[SEG_ATTR + CS] & ATTR_BIG) !== 0 &&
    r[ACTIVITY] === ACTIVE &&
    undefinedFlags.kind === 'fixed'
  )
}

/** Bits of the segments whose offsets are linear addresses that may be read and written; STACK, where ESP is the stack pointer in one. */
export function flatSegments(r: Int32Array): number {
  const rights = ATTR_PRESENT | ATTR_SEGMENT | ATTR_RW
  let flat = 0
  for (let seg = ES; seg <= GS; seg++)
    if (r[SEG_BASE + seg] === 0 && r[SEG_LIMIT + seg] === -1 && (r[SEG_ATTR + seg] & (rights | ATTR_CODE | ATTR_EXPAND_DOWN)) === rights) flat |= 1 << seg
  return (flat & (1 << SS)) !== 0 && (r[SEG_ATTR + SS] & ATTR_BIG) !== 0 ? flat | STACK : flat
}

/** Where blocks come from. Addresses are linear, here and in `DirectMemory`: it is the driver's business what paging makes of them. */
export interface Code {
  readonly cache: CodeCache
  /** The block at EIP, as memory is; null: none that may be run. */
  find(eip: number): Block | null
  /** The next instruction goes to its handler: the bus may want to know. */
  attempt(): void
}

/**
 * Executes `block` and what follows it, whole blocks, at most `budget` instructions; `canRunBlocks` holds,
 * and the bus has no use for `branch`. Ends with EIP exact
 * before an instruction that may not stand in a block or did not complete (`cpu.stop`).
 * @param flat of `flatSegments`: offsets in them are addresses in `memory`
 * @returns instructions completed
 */
export function runBlocks(cpu: Cpu, start: Block, budget: number, code: Code, memory: DirectMemory, flat: number): number {
  const r = cpu.r
  const r8 = cpu.r8
  const { pages, words, halves, bytes } = memory
  const { cache } = code
  const { versions } = cache
  let block = start
  let done = 0
  cpu.remark = null
  cpu.stop = 0
  // RF ends with the next instruction; only strings that go on leave it alone.
  if ((r[EFLAGS] & RF) !== 0 && (start.ops.length === 0 || start.ops[0].form !== REPEAT)) return 0
  for (;;) {
    const ops = block.ops
    if (ops.length === 0 || block.count > budget - done) {
      r[EIP] = block.eip
      return done
    }
    cache.running = block
    let eip = block.end
    for (let k = 0; k < ops.length; k++) {
      const op = ops[k]
      let how = op.form
      /** Index in `bytes` of the memory operand. */
      let at = 0
      if (op.need !== 0) {
        const linear = (r[op.base] + (r[op.index] << op.scale) + op.disp) | 0
        const entry = (flat & op.segment) !== 0 ? pages[linear >>> 12] : 0
        if ((entry & op.need) === op.need && (linear & op.align) === 0) at = (entry & -4096) | (linear & 4095)
        else how = GENERIC
      }
      switch (how) {
        case NOP: break
        case MOV_R: r[op.a] = r[op.b] + op.value; break
        case MOV_RM: r[op.a] = words[at >> 2]; break
        case MOV_M: words[at >> 2] = r[op.b] + op.value; break
        case MOV_R8: r8[op.a] = r8[op.b] + op.value; break
        case MOV_R8M: r8[op.a] = bytes[at]; break
        case MOV_M8: bytes[at] = r8[op.b] + op.value; break
        case MOV_M16: halves[at >> 1] = r[op.b] + op.value; break
        case LEA: r[op.a] = r[op.base] + (r[op.index] << op.scale) + op.disp; break
        case ADD_R: r[op.a] = add(r, r[op.a], (r[op.b] + op.value) | 0, 4); break
        case ADD_RM: r[op.a] = add(r, r[op.a], words[at >> 2], 4); break
        case ADD_M: words[at >> 2] = add(r, words[at >> 2], (r[op.b] + op.value) | 0, 4); break
        case SUB_R: r[op.a] = sub(r, r[op.a], (r[op.b] + op.value) | 0, 4); break
        case SUB_RM: r[op.a] = sub(r, r[op.a], words[at >> 2], 4); break
        case SUB_M: words[at >> 2] = sub(r, words[at >> 2], (r[op.b] + op.value) | 0, 4); break
        case AND_R: r[op.a] = logical(r, r[op.a] & (r[op.b] + op.value), 4); break
        case AND_RM: r[op.a] = logical(r, r[op.a] & words[at >> 2], 4); break
        case AND_M: words[at >> 2] = logical(r, words[at >> 2] & (r[op.b] + op.value), 4); break
        case OR_R: r[op.a] = logical(r, r[op.a] | (r[op.b] + op.value), 4); break
        case OR_RM: r[op.a] = logical(r, r[op.a] | words[at >> 2], 4); break
        case OR_M: words[at >> 2] = logical(r, words[at >> 2] | (r[op.b] + op.value), 4); break
        case XOR_R: r[op.a] = logical(r, r[op.a] ^ (r[op.b] + op.value), 4); break
        case XOR_RM: r[op.a] = logical(r, r[op.a] ^ words[at >> 2], 4); break
        case XOR_M: words[at >> 2] = logical(r, words[at >> 2] ^ (r[op.b] + op.value), 4); break
        case CMP_R: sub(r, r[op.a], (r[op.b] + op.value) | 0, 4); break
        case CMP_RM: sub(r, r[op.a], words[at >> 2], 4); break
        case CMP_M: sub(r, words[at >> 2], (r[op.b] + op.value) | 0, 4); break
        case TEST_R: logical(r, r[op.a] & (r[op.b] + op.value), 4); break
        case TEST_M: logical(r, words[at >> 2] & (r[op.b] + op.value), 4); break
        case ALU_R: r[op.a] = alu(r, op.kind, r[op.a], (r[op.b] + op.value) | 0, 4); break
        case ALU_RM: r[op.a] = alu(r, op.kind, r[op.a], words[at >> 2], 4); break
        case ALU_M: words[at >> 2] = alu(r, op.kind, words[at >> 2], (r[op.b] + op.value) | 0, 4); break
        case ALU_R8: r8[op.a] = alu(r, op.kind, r8[op.a], r8[op.b] + op.value, 1); break
        case ALU_R8M: r8[op.a] = alu(r, op.kind, r8[op.a], bytes[at], 1); break
        case ALU_M8: bytes[at] = alu(r, op.kind, bytes[at], r8[op.b] + op.value, 1); break
        case CMP_R8: sub(r, r8[op.a], r8[op.b] + op.value, 1); break
        case CMP_R8M: sub(r, r8[op.a], bytes[at], 1); break
        case CMP_M8: sub(r, bytes[at], r8[op.b] + op.value, 1); break
        case TEST_R8: logical(r, r8[op.a] & (r8[op.b] + op.value), 1); break
        case TEST_M8: logical(r, bytes[at] & (r8[op.b] + op.value), 1); break
        case INC_R: r[op.a] = inc(r, r[op.a], 4); break
        case INC_M: words[at >> 2] = inc(r, words[at >> 2], 4); break
        case DEC_R: r[op.a] = dec(r, r[op.a], 4); break
        case DEC_M: words[at >> 2] = dec(r, words[at >> 2], 4); break
        case NEG_R: r[op.a] = neg(r, r[op.a], 4); break
        case NOT_R: r[op.a] = ~r[op.a]; break
        case SHL_R: {
          const by = (r[op.b] + op.value) & 31
          if (by !== 0) r[op.a] = shl(r, r[op.a], by, 4)
          break
        }
        case SHR_R: {
          const by = (r[op.b] + op.value) & 31
          if (by !== 0) r[op.a] = shr(r, r[op.a], by, 4)
          break
        }
        case SAR_R: {
          const by = (r[op.b] + op.value) & 31
          if (by !== 0) r[op.a] = sar(r, r[op.a], by, 4)
          break
        }
        case ROL_R: {
          const by = (r[op.b] + op.value) & 31
          if (by !== 0) r[op.a] = rol(r, r[op.a], by, 4)
          break
        }
        case ROR_R: {
          const by = (r[op.b] + op.value) & 31
          if (by !== 0) r[op.a] = ror(r, r[op.a], by, 4)
          break
        }
        case IMUL_R: r[op.a] = imul(r, r[op.a], r[op.b], 4); break
        case IMUL_RM: r[op.a] = imul(r, r[op.a], words[at >> 2], 4); break
        case IMUL_3: r[op.a] = imul(r, r[op.b], op.value, 4); break
        case MOVZX_8: r[op.a] = r8[op.b]; break
        case MOVZX_8M: r[op.a] = bytes[at]; break
        case MOVZX_16M: r[op.a] = halves[at >> 1]; break
        case MOVSX_8: r[op.a] = (r8[op.b] << 24) >> 24; break
        case MOVSX_8M: r[op.a] = (bytes[at] << 24) >> 24; break
        case MOVZX_16: r[op.a] = r[op.b] & 0xffff; break
        case MOVSX_16: r[op.a] = (r[op.b] << 16) >> 16; break
        case MOVSX_16M: r[op.a] = (halves[at >> 1] << 16) >> 16; break
        case SET: r8[op.a] = condition(r[EFLAGS], op.kind) ? 1 : 0; break
        case CMOV: if (condition(r[EFLAGS], op.kind)) r[op.a] = r[op.b]; break
        case CDQ: r[EDX] = r[EAX] >> 31; break
        case PUSH:
          words[at >> 2] = r[op.b] + op.value
          r[ESP] -= 4
          break
        case POP:
          r[ESP] += 4
          r[op.a] = words[at >> 2]
          break
        case LEAVE:
          r[ESP] = r[EBP] + 4
          r[EBP] = words[at >> 2]
          break
        case JCC:
          if (condition(r[EFLAGS], op.kind)) eip = (eip + op.value) | 0
          break
        case CMP_JCC:
          sub(r, r[op.a], (r[op.b] + op.value) | 0, 4)
          if (condition(r[EFLAGS], op.kind)) eip = (eip + op.disp) | 0
          break
        case TEST_JCC:
          logical(r, r[op.a] & (r[op.b] + op.value), 4)
          if (condition(r[EFLAGS], op.kind)) eip = (eip + op.disp) | 0
          break
        case DEC_JCC:
          r[op.a] = dec(r, r[op.a], 4)
          if (condition(r[EFLAGS], op.kind)) eip = (eip + op.disp) | 0
          break
        case JMP:
          eip = (eip + op.value) | 0
          break
        case JMP_M:
          eip = words[at >> 2]
          break
        case JMP_R:
          eip = r[op.b]
          break
        case CALL:
          words[at >> 2] = eip
          r[ESP] -= 4
          eip = (eip + op.value) | 0
          break
        case RET:
          r[ESP] += 4 + op.value
          eip = words[at >> 2]
          break
        case SUB_Q: r[op.a] -= r[op.b]; break
        case AND_Q: r[op.a] &= r[op.b] + op.value; break
        case OR_Q: r[op.a] |= r[op.b] + op.value; break
        case XOR_Q: r[op.a] ^= r[op.b] + op.value; break
        case SHR_Q: r[op.a] = r[op.a] >>> op.value; break
        case SAR_Q: r[op.a] >>= op.value; break
        case ROL_Q: r[op.a] = (r[op.a] << op.value) | (r[op.a] >>> (32 - op.value)); break
        case REPEAT: {
          const here = (block.eip + op.start) | 0
          r[EIP] = here
          let turns = bulkStrings(cpu, op.op, budget - done - k - 1, memory, flat)
          do {
            cpu.next = eip
            code.attempt()
            op.op.handler(cpu, op.op)
            if (cpu.stop !== 0) return done + k + turns
            turns++
          } while (cpu.next === here && !block.stale && done + k + turns < budget)
          if (cpu.next === here) return done + k + turns
          r[EFLAGS] &= ~RF
          if (block.stale) {
            r[EIP] = eip
            return done + k + turns
          }
          done += turns - 1
          break
        }
        default:
          r[EIP] = block.eip + op.start
          cpu.next = (block.eip + op.end) | 0
          code.attempt()
          op.op.handler(cpu, op.op)
          if (cpu.stop !== 0) return done + k
          if (block.stale) {
            r[EIP] = cpu.next
            return done + k + 1
          }
          if (k === ops.length - 1) eip = cpu.next
      }
    }
    done += block.count
    let next = block.next
    if (next.eip !== eip || next.version !== versions[next.page]) {
      next = block.other
      if (next.eip !== eip || next.version !== versions[next.page]) {
        r[EIP] = eip
        const found = code.find(eip)
        if (found === null) return done
        block.other = block.next
        block.next = next = found
      }
    }
    block = next
  }
}
