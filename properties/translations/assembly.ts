/** A paging program as machine code, and every way in which the explored machine can end it. */
import { assembleImage } from '../../src/index.ts'
import type { Machine } from '../../src/smp/machine.ts'
import type { Model } from '../../src/smp/model.ts'
import type { Learnt } from '../../src/smp/sharing.ts'
import { pagingOn } from '../../test/paging.ts'
import { machinesOf, type MachinesOptions } from '../fuzz/machines.ts'
import { behaviourOf } from '../fuzz/reference.ts'
import { ACCESSED, FAULT, isAccess, TABLES, TABLES_BYTES, type Op, type PagingProgram } from './program.ts'

const RESULTS = 0x210000
const RESULTS_BYTES = 64

function codeOf(op: Op, label: string, result: number, cr4: number): string[] {
  switch (op.kind) {
    case 'mfence':
      return ['mfence']
    case 'invlpg':
      return [`invlpg [${op.at}]`]
    case 'cr3':
      return [`mov eax, ${op.root}`, 'mov cr3, eax']
    case 'pge':
      return [`mov eax, ${cr4 & ~0x80}`, 'mov cr4, eax', `mov eax, ${cr4}`, 'mov cr4, eax']
  }
  const value = 'value' in op ? op.value : 0
  const access = {
    load: [`mov eax, [${op.at}]`], execute: [`mov ecx, ${op.at}`, 'jmp ecx'], store: ['mov eax, 0', `mov dword [${op.at}], ${value}`], xchg: [`mov eax, ${value}`, `xchg [${op.at}], eax`],
    cmpxchg: 'expected' in op ? [`mov eax, ${op.expected}`, `mov ecx, ${value}`, `lock cmpxchg [${op.at}], ecx`] : [],
    and: ['mov eax, 0', `lock and dword [${op.at}], ${value}`], or: ['mov eax, 0', `lock or dword [${op.at}], ${value}`],
  }[op.kind]
  return [`mov ebp, ${label}`, ...access, `${label}:`, `mov [${result}], eax`]
}

/** Flat segments for rings 0 and 3, A set in all. */
const GDT = ['gdt: dd 0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300, 0xffff, 0xcffb00, 0xffff, 0xcff300', 'pointer: dw 39', 'dd gdt']
/** Goes on at `label` in ring 3, to leave which is a fault of its own. */
const toUser = (label: string) => ['lgdt [pointer]', 'mov eax, 0x23', 'mov ds, eax', 'mov es, eax', 'mov ecx, esp', 'push eax', 'push ecx', 'push 0x1b', `push ${label}`, 'retf', `${label}:`]

/** A vCPU that faults goes on behind the access, with FAULT in EAX. */
export function assemblyOf({ pae, protects, memory, vcpus }: PagingProgram): string {
  const cr4 = pae ? 0xb0 : 0x90
  const code = vcpus.flatMap(({ root, user, ops }, v) => {
    const on = root === null ? '' : pagingOn(String(root), cr4, protects ? undefined : '0x80000000')
    let accesses = 0
    const body = ops.flatMap((op, k) => codeOf(op, `after${v}_${k}`, isAccess(op) ? RESULTS + v * RESULTS_BYTES + 4 * accesses++ : 0, cr4))
    return [`.vcpu p${v}`, `p${v}:`, on, ...(user ? toUser(`user${v}`) : []), ...body, user ? 'hlt' : 'ret']
  })
  const words = memory.toSorted(([a], [b]) => a - b).flatMap(([at, value]) => [`resb ${at} - $`, `dd ${value}`])
  return [
    '.handler 14, fault', '.handler 13, leave', ...code, 'leave: exit', 'fault: add esp, 4', 'mov [esp], ebp', `mov eax, ${FAULT}`, 'iret',
    'section .data', ...GDT, `section .results ${RESULTS}`, `resb ${vcpus.length * RESULTS_BYTES}`, `section .tables ${TABLES} rwx`, ...words, `resb ${TABLES + TABLES_BYTES} - $`, '',
  ].join('\n')
}

export interface Ends {
  readonly ends: ReadonlySet<string>
  readonly states: number
}

/**
 * What vCPUs have read, and the words of the tables and frames that are not 0.
 * @param ahead A is set by walks ahead of accesses: where nobody reads it any more, nobody can tell
 */
export function endText(results: readonly (readonly number[])[], words: Iterable<readonly [number, number]>, ahead: boolean): string {
  const hex = (value: number) => (value >>> 0).toString(16)
  const last = (value: number) => (ahead && (value & 1) !== 0 ? value | ACCESSED : value)
  return `${results.map((list) => list.map(hex).join(' ')).join(' | ')} ; ${[...words].map(([at, value]) => `${hex(at)}=${hex(last(value))}`).join(' ')}`
}

/** With violations by their kinds, `stuck` if it may hang. Null: there are more states than that. */
export function machineEnds(program: PagingProgram, model: Model, statesMax: number, options?: MachinesOptions): (Ends & { readonly isBounded: boolean; readonly learnt: Learnt }) | null {
  const image = assembleImage(assemblyOf(program), { title: 'generated' })
  const endOf = ({ memory }: Machine) => {
    const word = (at: number) => memory.load(memory.index(at), 4)
    const words: [number, number][] = []
    for (let at = TABLES; at < TABLES + TABLES_BYTES; at += 4) if (word(at) !== 0) words.push([at, word(at)])
    return endText(program.vcpus.map(({ ops }, v) => ops.filter(isAccess).map((_, k) => word(RESULTS + v * RESULTS_BYTES + 4 * k))), words, model.tlb !== 'none' && model.tlbSpeculative === 'any')
  }
  const make = machinesOf(image, { model, parts: { bodies: [] } }, options)
  const behaviour = behaviourOf(make, endOf, statesMax)
  return behaviour && { ends: new Set([...behaviour.ends, ...behaviour.violations, ...(behaviour.stuck ? ['stuck'] : [])]), states: behaviour.states, isBounded: behaviour.weaknesses.size > 0, learnt: make().sharing.learnt() }
}
