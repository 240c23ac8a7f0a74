/** Near jumps, calls and returns, loops. */
import type { Cpu } from '../cpu.ts'
import { IMM, type Op } from '../decode.ts'
import { GP } from '../exceptions.ts'
import { farReturn } from '../farTransfer.ts'
import { condition, mask } from '../flags.ts'
import { CONDITIONS } from '../isa.ts'
import { CS, ECX, EFLAGS, ESP, SEG_LIMIT, ZF } from '../registers.ts'
import { farCall, farJump, isFar } from './far.ts'
import type { Handler, HandlerRow } from './handler.ts'

/** EIP for a jump to `target`, cut to the operand size; #GP(0) at the jump when it is outside CS. */
function targetOf(cpu: Cpu, op: Op, target: number): number {
  const offset = op.opSize === 4 ? target | 0 : target & 0xffff
  if (offset >>> 0 > cpu.r[SEG_LIMIT + CS] >>> 0) cpu.fault(GP, 0)
  return offset
}

function jumpTo(cpu: Cpu, op: Op, target: number): void {
  const offset = targetOf(cpu, op, target)
  if (cpu.stop !== 0) return
  cpu.next = offset
  if (cpu.cls.queueBytes > 0) cpu.bus.branch()
}

const call: Handler = (cpu, op) => {
  if (isFar(op)) return farCall(cpu, op)
  const target = op.a.kind === IMM ? cpu.next + op.a.value : cpu.get(op, op.a)
  if (cpu.stop !== 0) return
  const offset = targetOf(cpu, op, target)
  if (cpu.stop !== 0) return
  const esp = cpu.pushAt(cpu.r[ESP], op.opSize, cpu.next)
  if (cpu.stop !== 0) return
  if (cpu.cls.queueBytes > 0) cpu.bus.branch()
  if (cpu.stop !== 0) return
  cpu.r[ESP] = esp
  cpu.next = offset
}

const jmp: Handler = (cpu, op) => {
  if (isFar(op)) return farJump(cpu, op)
  const target = op.a.kind === IMM ? cpu.next + op.a.value : cpu.get(op, op.a)
  if (cpu.stop === 0) jumpTo(cpu, op, target)
}

const ret: Handler = (cpu, op) => {
  const target = cpu.readStack(0, op.opSize)
  if (cpu.stop !== 0) return
  jumpTo(cpu, op, target)
  if (cpu.stop === 0) cpu.r[ESP] = cpu.espAbove(op.opSize + (op.a.kind === IMM ? op.a.value : 0))
}

const loop = (taken: (cpu: Cpu) => boolean): Handler => (cpu, op) => {
  const count = mask(cpu.register(ECX, op.addrSize) - 1, op.addrSize)
  if (count !== 0 && taken(cpu)) jumpTo(cpu, op, cpu.next + op.a.value)
  if (cpu.stop === 0) cpu.setRegister(ECX, op.addrSize, count)
}

export const BRANCH: readonly HandlerRow[] = [
  ['call', call],
  ['jmp', jmp],
  ['ret', ret],
  ['retf', (cpu, op) => farReturn(cpu, op.opSize, op.a.kind === IMM ? op.a.value : 0)],
  ['loop', loop(() => true)],
  ['loope', loop((cpu) => (cpu.r[EFLAGS] & ZF) !== 0)],
  ['loopne', loop((cpu) => (cpu.r[EFLAGS] & ZF) === 0)],
  ['jcxz', (cpu, op) => {
    if (cpu.register(ECX, op.addrSize) === 0) jumpTo(cpu, op, cpu.next + op.a.value)
  }],
  ...CONDITIONS.map((name, code): HandlerRow => [`j${name}`, (cpu, op) => {
    if (condition(cpu.r[EFLAGS], code)) jumpTo(cpu, op, cpu.next + op.a.value)
  }]),
]
