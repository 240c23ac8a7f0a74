/**
 * Random small programs for the comparison of the engines with brute force: a list of items a vCPU, from which parts
 * can be taken away, and the text that they stand for. Two renderings of the same program:
 *
 * - `loops`: as it is run, with its spin loops;
 * - `awaits`: each loop that only waits is one turn of it, and an assumption that it was not in vain. Its executions
 *   are those in which no turn was, so its classes are what an exploration that takes loops for waits makes.
 */
import { generator } from '../../src/explore/generator.ts'
import { makeModel, type Model } from '../../src/smp/model.ts'

export type Style = 'loops' | 'awaits'
/** Lines of assembly; `id` makes labels unique. */
export type Item = (id: string, style: Style) => readonly string[]

export interface Program {
  readonly vcpus: readonly (readonly Item[])[]
  readonly model: Model
  /** Further lines: handlers, sources. */
  readonly head: readonly string[]
}

const REGISTERS = ['eax', 'ecx', 'edx'] as const
const BYTES: Readonly<Record<string, string>> = { eax: 'al', ecx: 'cl', edx: 'dl' }
const WORDS: Readonly<Record<string, string>> = { eax: 'ax', ecx: 'cx', edx: 'dx' }

/** Bytes of memory that the final state consists of, from `words` on. */
export const WORDS_BYTES = 256
const DATA = [
  'section .data', 'align 64', 'words:', 'x: dd 0', 'y: dd 0', 'l: dd 0', 'f: dd 0', 'times 46 db 0',
  // Crosses a cache line on every class.
  'z: dd 0', 'align 64', `out: times ${(WORDS_BYTES - 128) / 4} dd 0`,
]

export function textOf(program: Program, style: Style): string {
  const code = program.vcpus.flatMap((items, v) => [
    `.vcpu p${v}`, `p${v}:`,
    ...items.flatMap((item, k) => item(`${v}_${k}`, style)),
    ...REGISTERS.map((register, k) => `    mov [out + ${v * 16 + k * 4}], ${register}`),
    '    ret',
  ])
  return [...program.head, ...code, ...DATA, ''].join('\n')
}

/** Draws numbers and picks. */
export class Dice {
  readonly #next: () => number
  constructor(seed: number) {
    this.#next = generator(seed)
  }
  below(n: number): number {
    return this.#next() % n
  }
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]
  }
  chance(percent: number): boolean {
    return this.below(100) < percent
  }
}

const line = (text: string): Item => () => [`    ${text}`]

function access(dice: Dice, places: readonly string[]): Item {
  const register = dice.of(REGISTERS)
  const place = dice.of(places)
  const value = 1 + dice.below(3)
  const byte = BYTES[register]
  const forms = [
    `mov ${register}, [${place}]`, `mov ${register}, [${place}]`, `mov dword [${place}], ${value}`, `mov dword [${place}], ${value}`,
    `mov [${place}], ${register}`, `mov ${byte}, [${place}]`, `mov [${place}], ${byte}`, `mov [${place}], ${WORDS[register]}`,
    `mov word [${place}], ${value * 0x101}`, `add dword [${place}], ${value}`, `movzx ${register}, byte [${place}]`, `inc dword [${place}]`,
  ]
  return line(dice.of(forms))
}

function locked(dice: Dice, places: readonly string[]): Item {
  const register = dice.of(REGISTERS)
  const place = dice.of(places)
  const value = 1 + dice.below(3)
  return line(
    dice.of([
      `lock add dword [${place}], ${value}`, `xchg ${register}, [${place}]`, `lock xadd [${place}], ${register}`, `lock cmpxchg [${place}], ${dice.of(['ecx', 'edx'])}`,
      `lock inc byte [${place}]`, `lock or dword [${place}], 0`,
    ]),
  )
}

/** A store or load that depends on what was read. */
function branch(dice: Dice, places: readonly string[]): Item {
  const register = dice.of(REGISTERS)
  const jump = dice.of(['jz', 'jnz'])
  const load = dice.chance(50) ? [`    mov ${register}, [${dice.of(places)}]`] : []
  const then = access(dice, places)
  return (id, style) => [
    ...load, `    test ${register}, ${register}`, `    ${jump} skip${id}`, ...then(`${id}t`, style), `skip${id}:`,
  ]
}

/** Cuts or judges executions by a register, without changing any. */
function judge(register: string, condition: string, call: string): Item {
  return () => [
    '    push eax', '    push edx', `    cmp ${register}, ${condition.split(' ')[1]}`, `    set${condition.split(' ')[0]} bl`, '    movzx ebx, bl',
    `    ${call} ebx`, '    pop edx', '    pop eax',
  ]
}

/** A loop that waits until `place` satisfies the condition. */
function spinLoad(dice: Dice): Item {
  const register = dice.of(REGISTERS)
  const place = dice.of(['f', 'f', 'x', 'l'])
  const [again, come] = dice.of([['z', 'ne 0'], ['z', 'ne 0'], ['nz', 'e 0']])
  const pause = dice.chance(30)
  const second = dice.chance(15) ? dice.of(['x', 'y']) : null
  return (id, style) => {
    const look = [...(pause ? ['    pause'] : []), ...(second === null ? [] : [`    mov ebx, [${second}]`]), `    mov ${register}, [${place}]`]
    if (style === 'awaits') return [...look, ...judge(register, come, 'assume')(id, style)]
    return [`again${id}:`, ...look, `    test ${register}, ${register}`, `    j${again} again${id}`]
  }
}

/** A critical section behind a lock that is taken with XCHG, or looked at first. */
function lock(dice: Dice): Item {
  const kind = dice.of(['tas', 'tas', 'ttas', 'cas'])
  const inside = access(dice, ['x', 'y'])
  const release = dice.chance(90)
  return (id, style) => {
    const take = kind === 'cas' ? ['    xor eax, eax', '    mov ecx, 1', '    lock cmpxchg [l], ecx'] : ['    mov eax, 1', '    xchg eax, [l]']
    const loop =
      style === 'awaits'
        ? [...take, ...judge('eax', 'e 0', 'assume')(id, style)]
        : kind === 'ttas'
          ? [`take${id}:`, ...take, '    test eax, eax', `    jz have${id}`, `look${id}:`, '    mov eax, [l]', '    test eax, eax', `    jnz look${id}`, `    jmp take${id}`, `have${id}:`]
          : [`take${id}:`, ...take, '    test eax, eax', `    jnz take${id}`]
    return [...loop, ...inside(`${id}i`, style), ...(release ? ['    mov dword [l], 0'] : [])]
  }
}

/** Looks at `f` so many times at the most: loops that differ from a wait in a register, a flag or a word on the stack. */
function counted(dice: Dice): Item {
  const turns = 1 + dice.below(2)
  const kind = dice.of(['register', 'flag', 'stack'])
  if (kind === 'flag')
    return (id) => ['    clc', `again${id}:`, '    mov eax, [f]', `    jc done${id}`, '    stc', `    jmp again${id}`, `done${id}:`]
  if (kind === 'stack')
    return (id) => [`    push dword ${turns}`, `again${id}:`, '    mov eax, [f]', '    dec dword [esp]', `    jnz again${id}`, '    add esp, 4']
  return (id) => [
    `    mov ecx, ${turns}`, `again${id}:`, '    mov eax, [f]', '    test eax, eax', `    jnz done${id}`, '    dec ecx', `    jnz again${id}`, `done${id}:`,
  ]
}

/** Code that others write: the immediate of a MOV. */
const site = (register: string, name: string): Item => () => [`${name}:`, `    mov ${register}, strict dword 0x01010101`]

export const KINDS = ['plain', 'locked', 'mixed', 'branches', 'judged', 'spins', 'code', 'code', 'interrupts'] as const
export type Kind = (typeof KINDS)[number]

/** What an interrupt can arrive in: vCPU 0 takes what is sent to it, or comes by itself. */
function interruptible(dice: Dice, places: readonly string[]): { head: string[]; tail: Item[]; send: Item } {
  const nmi = dice.chance(25)
  const source = dice.chance(50)
  const inside = access(dice, places)
  const head = [
    nmi ? (source ? '.nmi 0, handler, 1' : '.handler 2, handler') : source ? '.irq 0, 0x40, handler, 1' : '.handler 0x40, handler',
    'handler:', '    push eax', ...inside('h', 'loops'), '    pop eax', '    iret',
  ]
  const send: Item = source ? line('nop') : () => ['    push eax', '    push edx', ...(nmi ? ['    xm_nmi 0'] : ['    ipi 0, 0x40']), '    pop edx', '    pop eax']
  return { head, tail: nmi ? [] : [line('cli')], send }
}

/** The program of a seed. */
export function randomProgram(seed: number): Program {
  const dice = new Dice(seed)
  const kind = dice.of(KINDS)
  const vcpus = dice.chance(70) ? 2 : 3
  const length = vcpus === 2 ? 4 : 2
  const places = kind === 'mixed' ? ['x', 'x + 2', 'y', 'y + 1', 'z', 'x + 3'] : dice.chance(20) ? ['x'] : ['x', 'y']
  const sites = kind === 'code' ? 1 + dice.below(2) : 0
  const item = (): Item => {
    const roll = dice.below(100)
    switch (kind) {
      case 'plain':
        return roll < 85 ? access(dice, places) : line('mfence')
      case 'locked':
        return roll < 45 ? locked(dice, places) : roll < 55 ? line(dice.of(['mfence', 'sfence', 'lfence'])) : access(dice, places)
      case 'mixed':
        return roll < 20 ? locked(dice, ['x', 'x + 2', 'y', 'y + 1']) : access(dice, places)
      case 'branches':
        return roll < 40 ? branch(dice, places) : roll < 50 ? locked(dice, places) : roll < 55 ? line('xm_choose 2') : access(dice, places)
      case 'judged':
        if (roll < 25) return judge(dice.of(REGISTERS), dice.of(['e 0', 'ne 2', 'ne 1', 'be 2']), dice.of(['assert', 'assume']))
        return roll < 35 ? locked(dice, places) : access(dice, places)
      case 'spins':
        if (roll < 22) return spinLoad(dice)
        if (roll < 40) return lock(dice)
        if (roll < 46) return counted(dice)
        return roll < 65 ? line(dice.of(['mov dword [f], 1', 'mov dword [f], 0', 'xchg eax, [f]'])) : access(dice, places)
      case 'interrupts':
        return roll < 70 ? access(dice, places) : roll < 85 ? locked(dice, places) : line(dice.of(['mfence', 'nop', 'cpuid']))
      case 'code': {
        if (roll < 35) return access(dice, places)
        if (roll < 45) return line(dice.of(['mfence', 'cpuid', 'lock inc dword [x]']))
        const name = `site${dice.below(sites)}`
        return line(dice.of([`mov dword [${name} + 1], 0x02020202`, `mov byte [${name} + ${1 + dice.below(4)}], 3`, `mov word [${name} + 2], 0x0404`]))
      }
    }
  }
  const bodies = Array.from({ length: vcpus }, () => Array.from({ length: 1 + dice.below(length) }, () => item()))
  for (let s = 0; s < sites; s++) {
    const body = bodies[vcpus - 1 - (s % vcpus)]
    body.splice(dice.below(body.length + 1), 0, site(dice.of(REGISTERS), `site${s}`))
  }
  if (kind !== 'interrupts') return { vcpus: bodies, model: randomModel(dice, kind), head: [] }
  const { head, tail, send } = interruptible(dice, places)
  const calm = bodies.slice(0, 2).map((body) => body.slice(0, 2))
  calm[0].splice(dice.below(calm[0].length + 1), 0, line('sti'))
  calm[0].push(...tail)
  calm[1].splice(dice.below(calm[1].length + 1), 0, send)
  return { vcpus: calm, model: randomModel(dice, kind), head }
}

function randomModel(dice: Dice, kind: Kind): Model {
  const memory = dice.chance(25) ? 'sc' : 'tso'
  const cpu = kind === 'mixed' && dice.chance(20) ? 'pentium' : 'p4'
  return makeModel({ memory, cpu, fetch: dice.of(['coherent', 'coherent', 'single', 'ordered:16', 'ordered:4', 'byte']) })
}

/** Smaller programs, each with one item or one vCPU less. */
export function* smaller(program: Program): Generator<Program> {
  for (let v = 0; v < program.vcpus.length; v++) {
    if (program.vcpus.length > 2) yield { ...program, vcpus: program.vcpus.filter((_, w) => w !== v) }
    for (let k = 0; k < program.vcpus[v].length; k++)
      yield { ...program, vcpus: program.vcpus.map((body, w) => (w === v ? body.filter((_, j) => j !== k) : body)) }
  }
}
