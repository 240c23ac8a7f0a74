/** The pieces that random programs are made of. */
import type { Dice } from './dice.ts'

export type Style = 'loops' | 'awaits'
/** Lines of assembly; `id` makes labels unique. */
export type Item = (id: string, style: Style) => readonly string[]

export const REGISTERS = ['eax', 'ecx', 'edx'] as const
const BYTES: Readonly<Record<string, string>> = { eax: 'al', ecx: 'cl', edx: 'dl' }
const WORDS: Readonly<Record<string, string>> = { eax: 'ax', ecx: 'cx', edx: 'dx' }

export const line = (text: string): Item => () => [`    ${text}`]

export function access(dice: Dice, places: readonly string[]): Item {
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

export function locked(dice: Dice, places: readonly string[]): Item {
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
export function branch(dice: Dice, places: readonly string[]): Item {
  const register = dice.of(REGISTERS)
  const jump = dice.of(['jz', 'jnz'])
  const load = dice.chance(50) ? [`    mov ${register}, [${dice.of(places)}]`] : []
  const then = access(dice, places)
  return (id, style) => [
    ...load, `    test ${register}, ${register}`, `    ${jump} skip${id}`, ...then(`${id}t`, style), `skip${id}:`,
  ]
}

/** Cuts or judges executions by a register, without changing any. */
export function judge(register: string, condition: string, call: string): Item {
  return () => [
    '    push eax', '    push edx', `    cmp ${register}, ${condition.split(' ')[1]}`, `    set${condition.split(' ')[0]} bl`, '    movzx ebx, bl',
    `    ${call} ebx`, '    pop edx', '    pop eax',
  ]
}

/** A loop that waits until `place` satisfies the condition. */
export function spinLoad(dice: Dice): Item {
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
export function lock(dice: Dice): Item {
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

/**
 * Waits until one of two words is what it should be: a turn reads both, at different times. Or reads two words until they are
 * the same, or one of them twice.
 */
export function awaitEither(dice: Dice): Item {
  const [first, second] = dice.of([['x', 'f'], ['f', 'x'], ['x', 'x']])
  if (dice.chance(60))
    return (id, style) => {
      const look = [`    mov eax, [${first}]`, '    test eax, eax', `    jnz done${id}`, `    mov eax, [${second}]`]
      if (style === 'awaits') return [...look, ...judge('eax', 'ne 0', 'assume')(id, style), `done${id}:`]
      return [`again${id}:`, ...look, '    test eax, eax', `    jz again${id}`, `done${id}:`]
    }
  return (id, style) => {
    const look = [`    mov eax, [${first}]`, `    mov ecx, [${second}]`]
    if (style === 'awaits') return [...look, ...judge('eax', 'e ecx', 'assume')(id, style)]
    return [`again${id}:`, ...look, '    cmp eax, ecx', `    jne again${id}`]
  }
}

/** Looks at a word so many times at the most: loops that differ from a wait in a register, a flag or a word on the stack. */
export function counted(dice: Dice): Item {
  const turns = 1 + dice.below(2)
  const place = dice.of(['f', 'x'])
  const register = dice.of(REGISTERS)
  const kind = dice.of(['register', 'flag', 'flag', 'parity', 'stack'])
  if (kind === 'flag') return (id) => ['    clc', `again${id}:`, `    mov ${register}, [${place}]`, `    jc done${id}`, '    stc', `    jmp again${id}`, `done${id}:`]
  // CMP of equals sets ZF, and nothing between looks at it but the branch.
  if (kind === 'parity')
    return (id) => ['    test esp, esp', `again${id}:`, `    mov ${register}, [${place}]`, `    jz done${id}`, '    cmp esp, esp', `    jmp again${id}`, `done${id}:`]
  if (kind === 'stack')
    return (id) => [`    push dword ${turns}`, `again${id}:`, `    mov ${register}, [${place}]`, '    dec dword [esp]', `    jnz again${id}`, '    add esp, 4']
  return (id) => [
    `    mov ecx, ${turns}`, `again${id}:`, `    mov eax, [${place}]`, '    test eax, eax', `    jnz done${id}`, '    dec ecx', `    jnz again${id}`, `done${id}:`,
  ]
}

/** Code that others write: the immediate of a MOV. */
export const site = (register: string, name: string): Item => () => [`${name}:`, `    mov ${register}, strict dword 0x01010101`]
