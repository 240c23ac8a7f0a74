/** Programs of any instructions of the table, run in ring 3 of a paged world; the same program can be laid out and run in several ways. */
import fc from 'fast-check'
import { decode } from '../src/cpu/decode.ts'
import { ISA, type IsaRow } from '../src/cpu/isa.ts'
import { ACTIVE, ACTIVITY, CR2, EVENT, EVENT_EXTERNAL, EVENT_VALID, RF, SELECTOR, CS, EIP, EFLAGS, IF } from '../src/cpu/registers.ts'
import { assemble } from '../src/guest/asm/index.ts'
import { CODE, type End, World } from '../test/cpu/protectedMode.ts'

/** User memory: two pages of data, one of stack; code is user, read-only. */
const DATA = 0xa000
const STACK_TOP = 0xd000
const CODE_PAGES = 2
const HANDLERS = 0x9000
/** Frames for pages that are scattered. */
const SCATTERED = 0x40000
const INTERRUPT = 0x40
/** Instructions, iterations and handlers until a run counts as endless. */
export const STEPS_MAX = 600
const STEPS_WITH_HANDLERS = 60_000

export interface Instruction {
  readonly row: IsaRow
  readonly op16: boolean
  readonly addr16: boolean
  readonly lock: boolean
  /** 0, 0xf2 or 0xf3. */
  readonly rep: number
  readonly reg: number
  /** Register operand, or the form of the memory operand. */
  readonly rm: number
  readonly memory: boolean
  readonly offset: number
  readonly immediate: number
  /** Instructions that a branch skips. */
  readonly skips: number
  /** Prefixes that change nothing here, put in front. */
  readonly redundant: readonly number[]
}

export interface Program {
  readonly instructions: readonly Instruction[]
  /** EAX to EDI; ESP and EBX are replaced by pointers. */
  readonly registers: readonly number[]
}

const EDGES = [0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff]
const word = () => fc.oneof(fc.constantFrom(...EDGES), fc.integer({ min: 0, max: 0xffffffff }))
const STRING = /^(movs|cmps|stos|lods|scas|ins|outs)$/

/** What mostly faults in ring 3, or goes far away: a program would end there. */
const ENDS =
  /^(in|out|ins|outs|cli|sti|hlt|int.*|iret|ret|retf|call|l[desfg]s|l[gi]dt|lldt|ltr|lmsw|clts|invd|wbinvd|invlpg|[rw]dmsr|wrmsr|rdpmc|sys.*|ud.*|rsm|bound|into|arpl|x87)$/

function instruction(rows: readonly IsaRow[]): fc.Arbitrary<Instruction> {
  return fc.record({
    row: fc.constantFrom(...rows),
    op16: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
    addr16: fc.integer({ min: 0, max: 7 }).map((n) => n === 0),
    lock: fc.integer({ min: 0, max: 11 }).map((n) => n === 0),
    rep: fc.constantFrom(0, 0xf2, 0xf3),
    reg: fc.integer({ min: 0, max: 7 }),
    rm: fc.integer({ min: 0, max: 7 }),
    memory: fc.boolean(),
    // Around the boundary of the two data pages, often across it.
    offset: fc.oneof(fc.integer({ min: 0xff8, max: 0x1004 }), fc.integer({ min: 0, max: 0x1ff0 })),
    immediate: word(),
    skips: fc.integer({ min: 0, max: 3 }),
    redundant: fc.constant([]),
  })
}

export function program(include: (row: IsaRow) => boolean, lengthMax = 7): fc.Arbitrary<Program> {
  const rows = ISA.filter(include)
  const one = fc.oneof({ weight: 12, arbitrary: instruction(rows.filter((row) => !ENDS.test(row.mnemonic))) }, { weight: 1, arbitrary: instruction(rows) })
  return fc.record({
    instructions: fc.array(one, { minLength: 1, maxLength: lengthMax }),
    registers: fc.array(word(), { minLength: 8, maxLength: 8 }),
  })
}

/** Bytes of an instruction; `distance`: of its branch target from its end. */
function encode(one: Instruction, distance: number): number[] {
  const { row } = one
  const branches = row.operands.some((operand) => operand[0] === 'J')
  const op16 = one.op16 && !branches
  const bytes = [...one.redundant]
  if (op16) bytes.push(0x66)
  if (one.addr16) bytes.push(0x67)
  if (one.lock && row.lockable) bytes.push(0xf0)
  if (row.prefix !== 0) bytes.push(row.prefix)
  else if (one.rep !== 0 && STRING.test(row.mnemonic)) bytes.push(one.rep)
  bytes.push(...row.opcode.slice(0, -1), row.opcode[row.opcode.length - 1] + (row.plusR ? one.reg : 0))
  const put = (value: number, size: number) => {
    for (let k = 0; k < size; k++) bytes.push((value >>> (8 * k)) & 0xff)
  }
  if (row.modrm) {
    const reg = (row.digit >= 0 ? row.digit : one.reg) << 3
    if (!one.memory || row.operands.includes('Rd')) bytes.push(0xc0 | reg | one.rm)
    else if (one.addr16) {
      if (one.rm < 4) bytes.push(reg | 6)
      else bytes.push(0x80 | reg | 7)
      put(one.rm < 4 ? DATA + one.offset : one.offset, 2)
    } else {
      // Absolute, [EBX+disp32], [EBX+EBP+disp32], [ESP+disp8].
      const form = one.rm >> 1
      if (form === 0) bytes.push(reg | 5)
      else if (form === 1) bytes.push(0x80 | reg | 3)
      else if (form === 2) bytes.push(0x84 | reg, 0x2b)
      else bytes.push(0x44 | reg, 0x24)
      if (form === 3) put(one.offset & 0x7f, 1)
      else put(form === 0 ? DATA + one.offset : one.offset, 4)
    }
  }
  for (const operand of row.operands) {
    const size = operand[1] === 'b' ? 1 : operand[1] === 'w' ? 2 : op16 ? 2 : 4
    if (operand === 'sIb') put(one.immediate, 1)
    else if (operand[0] === 'I') put(row.mnemonic === 'enter' ? one.immediate & 0x3f : one.immediate, size)
    else if (operand === 'Ap') put(one.immediate, (op16 ? 2 : 4) + 2)
    else if (operand[0] === 'O') put(DATA + one.offset, one.addr16 ? 2 : 4)
    else if (operand[0] === 'J') put(distance, operand === 'Jb' ? 1 : 4)
  }
  return bytes
}

/** Instructions one after the other, branches resolved, `int 0x80` behind. */
export function layOut(instructions: readonly Instruction[]): { bytes: Uint8Array; starts: readonly number[] } {
  const starts: number[] = []
  let at = 0
  for (const one of instructions) {
    starts.push(at)
    at += encode(one, 0).length
  }
  starts.push(at)
  const bytes = instructions.flatMap((one, k) => encode(one, starts[Math.min(k + 1 + one.skips, instructions.length)] - starts[k + 1]))
  bytes.push(0xcd, 0x80)
  return { bytes: Uint8Array.from(bytes), starts }
}

/** Whether the decoder sees the instructions that were put together, and none is too long. */
export function isWhole({ instructions }: Program): boolean {
  const { bytes, starts } = layOut(instructions)
  return instructions.every((_one, k) => starts[k + 1] - starts[k] <= 15 && decode(bytes, starts[k], bytes.length - starts[k], true).length === starts[k + 1] - starts[k])
}

export interface Way {
  /** Where the code begins, from the first code byte. */
  readonly shift?: number
  /** User pages stand in other frames, and not one after the other. */
  readonly scattered?: boolean
  /** An interrupt at every boundary that takes one. */
  readonly interrupts?: boolean
  /** These low bits of every user page's entry are taken away before each instruction; a handler gives them back one fault at a time. */
  readonly faults?: number
}

export interface Result {
  /** How it ended, EIP as instruction and distance. */
  readonly end: string
  readonly registers: readonly number[]
  /** What changed in user memory: address and byte. */
  readonly memory: readonly string[]
  readonly running: boolean
  /** Interrupts and page faults that were put in and taken. */
  readonly injected: number
}

/** #PF: if bits of the page's entry were put aside in its bits 9 to 11, put them back and restart; otherwise it is the program's. */
const HANDLER = `
bits 32
org ${HANDLERS}
interrupt:
  iretd
pagefault:
  push eax
  push ecx
  mov eax, cr2
  shr eax, 12
  cmp eax, 1024
  jae real
  mov ecx, [eax*4+0xf000]
  shr ecx, 9
  and ecx, 7
  jz real
  and dword [eax*4+0xf000], 0xfffff1ff
  or [eax*4+0xf000], ecx
  pop ecx
  pop eax
  add esp, 4
  iretd
real:
  pop ecx
  pop eax
  db 0xe9
  dd ${0x8000 + 14} - after
after:
`

const userPages = (): number[] => {
  const pages: number[] = []
  for (let page = DATA; page < STACK_TOP; page += 0x1000) pages.push(page)
  for (let k = 0; k < CODE_PAGES; k++) pages.push(CODE + k * 0x1000)
  return pages
}

export function run(program: Program, way: Way = {}): Result {
  const world = new World()
  const { r, machine } = world
  const { bytes, starts } = layOut(program.instructions)
  const origin = CODE + (way.shift ?? 0)
  world.paging()
  for (let page = 0; page < 1024; page++) world.page(page << 12, 3)
  for (const page of userPages()) world.page(page, page >= CODE ? 5 : 7)
  const { segments, labels } = assemble(HANDLER, { origin: HANDLERS })
  for (const segment of segments) machine.bus.bytes.set(segment.bytes, segment.address)
  world.gate(14, { selector: 8, offset: labels.get('pagefault')!.address, type: 0x8e })
  world.gate(INTERRUPT, { selector: 8, offset: labels.get('interrupt')!.address, type: 0x8e })
  if (way.scattered === true) userPages().forEach((page, k, { length }) => world.write32(entryAt(page), (world.pte(page) & 0xfff) | (SCATTERED + (length - k) * 0x2000)))
  const frame = (linear: number) => (world.pte(linear) & ~0xfff) | (linear & 0xfff)
  for (let at = DATA; at < STACK_TOP; at++) machine.bus.bytes[frame(at)] = pattern(at)
  bytes.forEach((byte, k) => (machine.bus.bytes[frame(origin + k)] = byte))
  world.user()
  program.registers.forEach((value, k) => (r[k] = value))
  r[3] = DATA
  r[4] = STACK_TOP - 0x800
  r[5] &= 0xf
  r[6] = DATA + (program.registers[6] & 0x1fff)
  r[7] = DATA + (program.registers[7] & 0x1fff)
  if (program.instructions.some(({ row }) => STRING.test(row.mnemonic))) r[1] &= 7
  r[EFLAGS] = 2 | IF
  r[EIP] = origin
  let injected = 0
  let handling = false
  const isUser = () => (r[SELECTOR + CS] & 3) === 3 && (r[EVENT] & EVENT_VALID) === 0
  const stepsMax = way.interrupts === undefined && way.faults === undefined ? STEPS_MAX : STEPS_WITH_HANDLERS
  for (let steps = 0; steps < stepsMax && r[ACTIVITY] === ACTIVE; steps++) {
    if (isUser()) {
      // Coming back from a handler is not a new boundary.
      const boundary = !handling
      if (boundary && way.faults !== undefined) injected += takeAway(world, way.faults)
      if (boundary && way.interrupts === true && machine.cpu.canTakeInterrupt()) {
        r[EVENT] = EVENT_VALID | EVENT_EXTERNAL | INTERRUPT
        injected++
      }
      handling = false
    }
    machine.step()
    if (!isUser()) handling = true
  }
  const end = world.run(1)
  return {
    end: describe(world, end, origin, starts),
    registers: Array.from(r.subarray(0, 8)).map((value, k) => (k === 4 ? end.esp : value)),
    memory: changes((linear) => machine.bus.bytes[frame(linear)]),
    running: end.vector === -3 || end.vector === -1,
    injected,
  }
}

const pattern = (at: number) => (at * 37 + (at >> 5)) & 0xff
const entryAt = (linear: number) => 0xf000 + (linear >>> 12) * 4

function changes(byteAt: (linear: number) => number): string[] {
  const out: string[] = []
  for (let at = DATA; at < STACK_TOP; at++) if (byteAt(at) !== pattern(at)) out.push(`${at.toString(16)}: ${byteAt(at).toString(16)}`)
  return out
}

/** Puts the bits aside; those already aside stay. */
function takeAway(world: World, bits: number): number {
  for (const page of userPages()) {
    const entry = world.pte(page)
    if ((entry & 0xe00) === 0) world.write32(entryAt(page), (entry & ~bits) | ((entry & 7) << 9))
  }
  return 1
}

function describe(world: World, { vector, error, eip, cs, eflags, ss }: End, origin: number, starts: readonly number[]): string {
  const offset = eip - origin
  const index = starts.findLastIndex((start) => start <= offset)
  const at = offset < 0 || offset > starts[starts.length - 1] + 2 ? `at ${(eip >>> 0).toString(16)}` : `${index}+${offset - starts[index]}`
  const cr2 = vector === 14 ? ` CR2 ${(world.r[CR2] >>> 0).toString(16)}` : ''
  return `${vector} error ${error}${cr2} EIP ${at} CS ${cs} SS ${ss} EFLAGS ${(eflags & ~RF).toString(16)}`
}
