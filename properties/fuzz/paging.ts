/** Programs that run on page tables, some of whose entries are written while others walk them. */
import { pagingOn } from '../../test/paging.ts'
import type { Dice } from './dice.ts'
import { access, line, REGISTERS, type Item } from './items.ts'
import type { Parts } from './kinds.ts'

/** Pages whose translations change stand from here on. */
const LINEAR = 0x400000

const entry = (dice: Dice) => (dice.chance(20) ? '0' : `frame${1 + dice.below(2)} + ${dice.of(['0x67', '0x67', '0x27', '0x07', '0x65', '0x167'])}`)

/** A write to the tables, at the addresses that they have for everybody. */
function edit(dice: Dice): Item {
  if (dice.chance(20)) return line(dice.of(['mov dword [dir + 4], table1 + 0x67', 'mov dword [dir + 4], 0', 'mov dword [dir + 4], table0 + 0x27']))
  const place = `table${dice.chance(80) ? 0 : 1} + ${dice.below(2) * 4}`
  if (dice.chance(15)) return line(`lock and dword [${place}], ${dice.of(['~1', '~2', '~0x20', '~0x40'])}`)
  return line(`mov dword [${place}], ${entry(dice)}`)
}

/** An access through a page that may fault: then what follows is next, with 99 in a register. */
function use(dice: Dice): Item {
  const register = dice.of(REGISTERS)
  const place = `[${LINEAR + dice.below(2) * 4096}]`
  const form = dice.of([`mov ${register}, ${place}`, `mov ${register}, ${place}`, `mov dword ${place}, ${5 + dice.below(2)}`, `lock xadd ${place}, ${register}`])
  return (id) => [`    mov ebp, after${id}`, `    ${form}`, `after${id}:`]
}

const invalidate = (dice: Dice): Item =>
  dice.chance(70) ? line(`invlpg [${LINEAR + dice.below(2) * 4096}]`) : () => ['    mov ebx, cr3', '    mov cr3, ebx']

/** vCPU 1 runs on the tables, vCPU 0 sometimes. */
export function paging(dice: Dice): Parts {
  const tlb = dice.of(['none', 'leaf', 'pde'])
  const other = (): Item => (dice.chance(60) ? edit(dice) : access(dice, ['x', 'frame1', 'table0', 'table0']))
  const user = (): Item => {
    if (dice.chance(55)) return use(dice)
    return dice.chance(30) ? edit(dice) : dice.chance(40) ? invalidate(dice) : access(dice, ['x', 'frame1', 'table0'])
  }
  const both = dice.chance(25)
  const on: Item = () => pagingOn('dir', 0x80).trimEnd().split('\n')
  const first = Array.from({ length: 1 + dice.below(2) }, both ? user : other)
  const second = [use(dice), ...Array.from({ length: dice.below(3) }, user)]
  if (dice.chance(40)) second.reverse()
  const head = ['.handler 14, fault', 'fault: add esp, 4', '    mov [esp], ebp', '    mov edx, 99', '    iret']
  const data = [
    'section .tables', 'align 4096', 'dir: dd 0xe3, table0 + 0x67', 'times 1022 dd 0',
    `table0: dd frame1 + ${dice.of(['0x67', '0x67', '0x07'])}, frame2 + 0x65`, 'times 1022 dd 0', `table1: dd frame2 + 0x67, ${entry(dice)}`, 'times 1022 dd 0',
    'frame1: dd 1', 'times 1023 dd 0', 'frame2: dd 2', 'times 1023 dd 0',
  ]
  return {
    bodies: [both ? [on, ...first] : first, [on, ...second]],
    head, data,
    watched: [['dir', 8], ['table0', 8], ['table1', 8], ['frame1', 4], ['frame2', 4]],
    knobs: { tlb, ...(tlb === 'none' ? {} : { tlbSplit: dice.of(['split', 'unified', 'each']), tlbSpeculative: dice.of(['any', 'any', 'no', 'accessed']) }) },
    branches: tlb !== 'none',
  }
}
