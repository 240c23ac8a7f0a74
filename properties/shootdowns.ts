/** Generated shootdowns as programs: edits of page tables, told to other vCPUs; what may be read after each; and the verdict on one. */
import { checkImage } from '../src/explore/check.ts'
import { assembleImage } from '../src/guest/asm/index.ts'
import { makeModel } from '../src/smp/model.ts'
import { pagingOn } from '../test/paging.ts'

const PAGE = 0x400000
/** What a read that faults gives. */
export const FAULT = 0

/** The page at 4 MB: the directory names one of two tables (-1: none), whose first entries name a frame that holds its number (0: none). */
interface Tables {
  readonly directory: number
  readonly frames: readonly [number, number]
}
const START: Tables = { directory: 0, frames: [1, 2] }
export const valueOf = ({ directory, frames }: Tables) => (directory < 0 ? FAULT : frames[directory])

export type Edit = { readonly kind: 'entry'; readonly frame: number } | { readonly kind: 'directory'; readonly to: number }
export interface Shootdown {
  readonly edits: readonly Edit[]
  /** vCPUs besides the shooter. */
  readonly users: number
  /** The shooter runs on the tables too; otherwise with paging off. */
  readonly shares: boolean
  /** The entry is changed by a LOCKed instruction. */
  readonly locked: boolean
  readonly flush: 'invlpg' | 'cr3'
}

function edited(tables: Tables, edit: Edit): Tables {
  if (edit.kind === 'directory') return { ...tables, directory: edit.to }
  const frames = tables.frames.map((frame, t) => (t === Math.max(0, tables.directory) ? edit.frame : frame)) as [number, number]
  return { ...tables, frames }
}
/** The tables before the first edit, and after each. */
export const statesOf = (edits: readonly Edit[]) => edits.reduce<Tables[]>((states, edit) => [...states, edited(states.at(-1)!, edit)], [START])

/** The oracle: what may be read after `gone` shootdowns: what the tables say then or later, as bits. */
export const promised = (edits: readonly Edit[], gone: number) => statesOf(edits).slice(gone).reduce((bits, tables) => bits | (1 << valueOf(tables)), 0)

const FLUSH = { invlpg: `invlpg [${PAGE}]`, cr3: 'mov eax, cr3\n    mov cr3, eax' }
const entryBits = (frame: number) => (frame === 0 ? '0' : `frame${frame} + 0x67`)
const directoryBits = (table: number) => (table < 0 ? '0' : `table${table} + 0x67`)

/** The program, without the piece of this name; `pieces`: the names of all that it has. */
export function program({ edits, users, shares, locked, flush }: Shootdown, without: string | null): { source: string; pieces: Set<string> } {
  const pieces = new Set<string>()
  const piece = (name: string, text: string) => {
    pieces.add(name)
    return name === without ? '' : `    ${text}\n`
  }
  const others = Array.from({ length: users }, (_, u) => u + 1)
  let reads = 0
  const read = () => {
    const after = `after${reads++}`
    return `    mov ebx, [gone]\n    mov ebp, ${after}\n    mov eax, [${PAGE}]\n${after}: bt dword [allowed + ebx * 4], eax\n    setc al\n    movzx eax, al\n    assert "reads what was not gone"\n`
  }
  const shoot = edits.map((edit, k) => {
    const states = statesOf(edits)
    const table = Math.max(0, states[k].directory)
    const [place, bits] = edit.kind === 'directory' ? ['dir + 4', directoryBits(edit.to)] : [`table${table}`, entryBits(edit.frame)]
    const change = locked ? `    mov eax, ${bits}\n    xchg eax, [${place}]\n` : `    mov dword [${place}], ${bits}\n`
    // The flush here empties the store buffer; where there is none, and the change is no LOCKed one, something else has to.
    const here = shares ? piece('flush here', FLUSH[flush]) : locked ? '' : piece('barrier', 'mfence')
    const ask = others.map((u) => `    test ecx, ${1 << u}\n    jz no${u}_${k}\n${piece(`IPI to vCPU ${u}`, `ipi ${u}, ${0xf0 + u}`)}no${u}_${k}:\n`).join('')
    const wait = piece('wait', `cmp dword [waiting], 0\n    jne wait${k}`)
    const own = shares ? `    mov dword [gone], ${k + 1}\n${read()}` : `    mov dword [gone], ${k + 1}\n`
    return `${change}${here}    mov ecx, [mask]\n    mov [waiting], ecx\n${ask}wait${k}:\n${wait}${own}`
  })
  const user = (u: number) => `user${u}:\n    lock or dword [mask], ${1 << u}\n${pagingOn()}    sti\n    nop\n${read()}stay${u}: cmp dword [over], 0\n    je stay${u}\n    ret\n`
  const handler = (u: number) =>
    `answer${u}: push eax\n${piece('flush there', FLUSH[flush])}${piece('answer', `lock and dword [waiting], ${~(1 << u) >>> 0}`)}    pop eax\n    iret\n`
  const source = `.vcpu shooter
${others.map((u) => `.vcpu user${u}\n.handler ${0xf0 + u}, answer${u}`).join('\n')}
.handler 14, fault
shooter:
${shares ? pagingOn() : ''}${shoot.join('')}    mov dword [over], 1
    ret
${others.map(user).join('')}${others.map(handler).join('')}
fault: add esp, 4
    mov [esp], ebp
    mov eax, ${FAULT}
    iret
section .data
align 64
mask: dd 0
waiting: dd 0
gone: dd 0
over: dd 0
allowed: dd ${Array.from({ length: edits.length + 1 }, (_, gone) => promised(edits, gone)).join(', ')}
section .tables
align 4096
dir: dd 0xe3, ${directoryBits(START.directory)}
    times 1022 dd 0
${START.frames.map((frame, t) => `table${t}: dd ${entryBits(frame)}\n    times 1023 dd 0\n`).join('')}${[1, 2, 3].map((frame) => `frame${frame}: dd ${frame}\n    times 1023 dd 0`).join('\n')}
`
  return { source, pieces }
}

/** @param preemptions a bound on schedules; absent: none */
export function verdict(shootdown: Shootdown, without: string | null, preemptions?: number): string {
  const image = assembleImage(program(shootdown, without).source, { title: without ?? 'whole' })
  // What is fetched is not at stake. Store buffers are, for the barrier: with one other vCPU. Who waits for what nobody writes goes round alone.
  const model = makeModel({ fetch: 'coherent', tlbSplit: 'unified', memory: shootdown.users > 1 ? 'sc' : 'tso', localSteps: 32 })
  const result = checkImage(image, model, { engine: 'graph', ...(preemptions === undefined ? {} : { limits: { preemptions } }) })
  return result.verdict === 'holds' ? `holds/${result.strength}` : result.verdict
}
